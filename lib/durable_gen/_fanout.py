"""A fan-out is a counter and a policy: which branches may start, and when it is over."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from durable_gen._failure import raised, rebuild
from durable_gen._model import ErrorObject
from durable_gen._ops import Child, FanOut, Map, label
from durable_gen._policy import Progress, Reason, over
from durable_gen._results import Batch, BatchItem, ItemStatus
from durable_gen.errors import (
    ChildContextFailed,
    DeserializationError,
    NonDeterminismError,
    OperationFailed,
)

LETTERS = {
    ItemStatus.SUCCEEDED: "S",
    ItemStatus.FAILED: "F",
    ItemStatus.STARTED: "B",
    ItemStatus.NOT_STARTED: "-",
}
STATUSES = {letter: status for status, letter in LETTERS.items()}


class Tally:
    """How far one fan-out is.

    Args:
        op: the fan-out.
        plain: tells whether a branch's result is JSON, to be embedded as it is.
        summary: what was recorded of it when it was over, if its branches only find their results
            again: then it begins the branches that had ended, and ends as recorded.
    """

    __slots__ = (
        "begun",
        "errors",
        "failed",
        "in_flight",
        "lives",
        "next",
        "op",
        "plain",
        "statuses",
        "succeeded",
        "texts",
        "verdict",
    )

    def __init__(
        self, op: FanOut[Any], plain: Callable[[Child[Any]], bool], summary: str | None = None
    ) -> None:
        total = len(op.flows)
        self.op = op
        self.plain = plain
        self.statuses = [ItemStatus.NOT_STARTED] * total
        self.texts: list[str | None] = [None] * total
        self.errors: list[ErrorObject | None] = [None] * total
        self.lives: dict[int, BaseException] = {}
        self.next = 0
        self.begun = False
        self.in_flight = self.succeeded = self.failed = 0
        self.verdict: tuple[str, Reason] | None = None
        if summary:
            stored = orjson.loads(summary)
            self.verdict = (stored["statuses"], Reason(stored["completion_reason"]))

    def startable(self) -> list[int]:
        """Take the branches that may start now: within `max_concurrency` and the current wave."""
        total = len(self.statuses)
        if self.verdict is not None:
            ended = enumerate(self.verdict[0])
            begun = [] if self.begun else [i for i, letter in ended if letter in "SF"]
        else:
            room = total if self.op.max_concurrency is None else self.op.max_concurrency
            end = total
            size = self.op.batch_size
            if size is not None:  # the wave of the branches in flight, or the next one
                wave = (self.next - 1) // size if self.in_flight else self.next // size
                end = min(total, (wave + 1) * size)
            end = min(end, self.next + room - self.in_flight)
            begun = list(range(self.next, end))
            self.next = max(self.next, end)
        self.begun = True
        self.in_flight += len(begun)
        for index in begun:
            self.statuses[index] = ItemStatus.STARTED
        return begun

    def ended(self, index: int, text: str | None, error: ErrorObject | None) -> None:
        """Count a branch that ended."""
        self.in_flight -= 1
        self.texts[index] = text
        self.errors[index] = error
        if error is None:
            self.statuses[index] = ItemStatus.SUCCEEDED
            self.succeeded += 1
        else:
            self.statuses[index] = ItemStatus.FAILED
            self.failed += 1

    def reason(self) -> Reason | None:
        """Say why it is over, if it is."""
        if self.verdict is not None:
            return self.verdict[1] if self.begun and not self.in_flight else None
        return over(self.op.completion, Progress(self.succeeded, self.failed, len(self.statuses)))

    def final(self) -> list[ItemStatus]:
        """Return the branches' statuses as recorded, if they were."""
        if self.verdict is None:
            return self.statuses
        return [STATUSES[letter] for letter in self.verdict[0]]

    def summary(self, reason: Reason) -> str:
        """Write what is kept of it when its results are too large to be kept twice."""
        letters = "".join(LETTERS[status] for status in self.final())
        return orjson.dumps({"statuses": letters, "completion_reason": reason}).decode()

    def payload(self, reason: Reason) -> str:
        """Write its results, one for each branch in the order of the input."""
        results = [
            {
                "index": index,
                "name": child.name,
                "status": status,
                "result": _embedded(text, plain=text is not None and self.plain(child)),
                "error": None if error is None else error.to_wire(),
            }
            for index, (child, status, text, error) in enumerate(
                zip(self.op.flows, self.final(), self.texts, self.errors, strict=True)
            )
        ]
        return orjson.dumps({"results": results, "completion_reason": reason}).decode()


def _embedded(text: str | None, *, plain: bool) -> Any:
    return orjson.Fragment(text) if plain and text is not None else text


def read(
    op: FanOut[Any],
    text: str,
    loads: Callable[[int, str | None], Any],
    plain: Callable[[Child[Any]], bool],
    lives: Mapping[int, BaseException],
) -> Batch[Any]:
    """Read a fan-out's payload.

    Args:
        op: the fan-out.
        text: the payload.
        loads: reads the result of a branch.
        plain: tells whether a branch's result is embedded JSON.
        lives: the exceptions of branches that failed in this invocation.

    Raises:
        DeserializationError: the payload is not what a fan-out records.
        NonDeterminismError: it is of another number of branches.
    """
    try:
        stored = orjson.loads(text)
        rows = {row["index"]: row for row in stored["results"]}
        reason = Reason(_word(stored["completion_reason"]))
        statuses = {index: ItemStatus(_word(row["status"])) for index, row in rows.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"the record of {op.noun} {op.name!r} does not hold a batch: {error}"
        raise DeserializationError(msg) from error
    if rows.keys() != set(range(len(op.flows))):
        parts = "items" if isinstance(op, Map) else "branches"
        msg = (
            f"{label(op)} has {len(op.flows)} {parts}, and {len(rows)} were recorded when it was "
            "over: it must be made of the same ones on every replay"
        )
        raise NonDeterminismError(msg)
    items = []
    for index, child in enumerate(op.flows):
        row, status = rows[index], statuses[index]
        value = failure = None
        if status is ItemStatus.SUCCEEDED:
            result = row.get("result")
            value = loads(index, orjson.dumps(result).decode() if plain(child) else result)
        elif status is ItemStatus.FAILED:
            recorded = _error(row.get("error"))
            passing = (OperationFailed,) if child.transparent else ()
            failure = rebuild(recorded, ChildContextFailed, child.name or "", passing)
            failure = raised(failure, recorded, lives.get(index))
        items.append(BatchItem(index, child.name, status, value, failure))
    return Batch(tuple(items), reason, op.name)


def _error(raw: Any) -> ErrorObject:
    return ErrorObject.from_wire(raw) if isinstance(raw, dict) else ErrorObject(message=raw or None)


def _word(word: str) -> str:
    """Read `AllCompleted`, as the crate writes it, like `ALL_COMPLETED`."""
    return word if word.isupper() else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).upper()
