"""Writes an execution as a text that is the same for every run that does the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from durable_gen._model import ErrorObject
from durable_gen.testing._draw import span
from durable_gen.testing._tree import Event, Operation, parsed

if TYPE_CHECKING:
    from durable_gen.testing._history import History

WIDE = 88  # characters of a value that stands in one line
UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
ARN = re.compile(
    r"arn:[\w-]+:lambda:[\w-]*:\d*:function:([\w-]+):([\w$-]+)/durable-execution/([^/\s\"]+)/([^/\s\"]+)"
)
FRAME = re.compile(r'File "[^"]*?([^"/\\]+)", line \d+')
PLACE = re.compile(r"([\w.-]+\.(?:py|md)):\d+")


class Names:
    """Gives ids, ARNs and the ids of callbacks names, in the order in which they appear.

    Args:
        events: a history that has them.
        operations: by their ids, what operations are called.
    """

    def __init__(self, events: Sequence[Event], operations: Mapping[str, str]) -> None:
        self.operations = operations
        self.given: dict[tuple[str, str], str] = {}
        callbacks, requests, self.executions = [], set(), set()
        for event in events:
            details = event.get(f"{event['EventType']}Details") or {}
            callbacks.append(details.get("CallbackId"))
            requests.add(details.get("RequestId"))
            found = ARN.fullmatch(details.get("DurableExecutionArn") or "")
            if found is not None:
                self.executions.add(found[4])
            if event["EventType"] == "ExecutionStarted":
                self.executions.add(event.get("Id", ""))
        self.requests = requests - {None}
        known = sorted({one for one in callbacks if one}, key=len, reverse=True)
        self.callbacks = re.compile("|".join(map(re.escape, known))) if known else None

    def name(self, kind: str, id_: str) -> str:
        """Name a thing: `kind-1`, or what it was named before."""
        named = self.given.get((kind, id_))
        if named is None:
            alike = sum(1 for known, _ in self.given if known == kind)
            named = self.given[kind, id_] = f"{kind}-{alike + 1}"
        return named

    def renamed(self, text: str) -> str:
        """Rename all that a text has of them."""
        if self.callbacks is not None:
            text = self.callbacks.sub(lambda found: self.name("callback", found[0]), text)
        text = ARN.sub(lambda found: f"arn of {self.name('execution', found[4])}", text)
        text = UUID.sub(self._uuid, text)
        return DIGEST.sub(lambda found: self.operations.get(found[0], found[0]), text)

    def _uuid(self, found: re.Match[str]) -> str:
        if found[0] in self.executions:
            return self.name("execution", found[0])
        return self.name("request", found[0]) if found[0] in self.requests else found[0]


def placeless(text: str) -> str:
    """Take the line numbers and folders out of what an error says."""
    return PLACE.sub(r"\1", FRAME.sub(r'File "\1"', text))


def snapshot(run: History) -> str:
    """Write an execution as text: a block for itself, and one for each operation.

    Args:
        run: the execution.
    """
    paths = {one.id: one.path for one in run}
    names = Names(run.history, paths)
    blocks = [_execution(run, names), *(_operation(one, run.started, names) for one in run)]
    return "\n\n".join(names.renamed("\n".join(block)) for block in blocks) + "\n"


def _execution(run: History, names: Names) -> Iterator[str]:
    yield "execution"
    yield f"  {run.status} after {span(run.duration)}"
    yield f"  invocations {len(run.invocations)}"
    for one in run.invocations:
        if one.error is not None:
            yield from _fact(f"invocation {one.number} failed with", _error(one.error))
    yield from _fact("input", _value(run.input, names))
    if run.status == "SUCCEEDED":
        yield from _fact("result", _value(run.result, names))
    elif run.failure is not None:
        yield from _fact("error", _error(run.failure))


def _operation(one: Operation, zero: datetime, names: Names) -> Iterator[str]:
    yield f"{one.kind} {one.path}"
    began = span(one.started - zero)
    if one.ended is None:
        yield f"  {one.status} since {began}"
    elif one.ended == one.started:
        yield f"  {one.status} at {began}"
    else:
        yield f"  {one.status} from {began} to {span(one.ended - zero)}"
    for word, member in (("timeout", "Timeout"), ("heartbeat", "HeartbeatTimeout")):
        if one.details.get(member):
            yield f"  {word} {span(timedelta(seconds=one.details[member]))}"
    if one.kind == "callback" and one.callback_id:
        yield f"  id {one.callback_id}"
    if one.function is not None:
        yield f"  function {one.function}"
        yield from _fact("payload", _value(one.payload, names))
    if len(one.attempts) > 1:
        for attempt in one.attempts:
            again = f", again in {span(timedelta(seconds=attempt.delay))}" if attempt.delay else ""
            head = f"attempt {attempt.number} at {span(attempt.started - zero)}{again}"
            if attempt.error is None:
                yield f"  {head}"
            else:
                yield from _fact(f"{head}: failed with", _error(attempt.error))
    if one.failure is not None:
        yield from _fact("error", _error(one.failure))
    elif one.text is not None:
        yield from _fact("result", _value(one.result, names))


def _fact(word: str, lines: list[str]) -> Iterator[str]:
    if len(lines) == 1:
        yield f"  {word} {lines[0]}"
    else:
        yield f"  {word}"
        yield from (f"    {line}" for line in lines)


def _value(value: Any, names: Names) -> list[str]:
    text = names.renamed(json.dumps(value, ensure_ascii=False))
    if len(text) <= WIDE:
        return [text]
    return names.renamed(json.dumps(value, ensure_ascii=False, indent=2)).splitlines()


def _error(error: ErrorObject) -> list[str]:
    parts = (error.type, error.message)
    text = ": ".join(part for part in parts if part) or "an error without a word"
    lines = [line.rstrip() for line in placeless(text).splitlines()]
    if error.data is not None:
        lines.append(f"data {json.dumps(parsed(error.data), ensure_ascii=False)}")
    return lines
