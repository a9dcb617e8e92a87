"""What a history tells of an execution: how it stands, what it did, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen

from durable_gen._failure import rebuild
from durable_gen._model import ErrorObject
from durable_gen.errors import OperationFailed, UsageError
from durable_gen.testing._tree import Event, Operation, find, named, parsed, tree, walk

ENDS = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionTimedOut": "TIMED_OUT",
    "ExecutionStopped": "STOPPED",
}


@frozen
class Invocation:
    """One invocation of the function.

    Attributes:
        number: from 1.
        started: when it began.
        ended: when it ended.
        error: what was recorded of its failure; None when it did not fail.
        request_id: Lambda's id of it.
    """

    number: int
    started: datetime
    ended: datetime
    error: ErrorObject | None
    request_id: str


class History:
    """An execution, as far as its history tells.

    Args:
        events: the service's events, oldest first, in botocore's shape.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self._drawn: tuple[int, list[Operation]] = (0, [])

    # --- how it stands ---------------------------------------------------------------------------

    def _end(self) -> Event | None:
        return next((one for one in reversed(self.history) if one["EventType"] in ENDS), None)

    @property
    def status(self) -> str:
        """RUNNING, SUCCEEDED, FAILED, TIMED_OUT or STOPPED."""
        end = self._end()
        return "RUNNING" if end is None else ENDS[end["EventType"]]

    @property
    def name(self) -> str | None:
        """The execution's name."""
        return self.history[0].get("Name") if self.history else None

    @property
    def input(self) -> Any:
        """What it was started with."""
        return parsed(_payload(self.history[0], "Input") if self.history else None)

    @property
    def result(self) -> Any:
        """What the workflow returned.

        Raises:
            BaseException: what it failed with.
            UsageError: it is not over; the text says what it waits for.
        """
        if self.status == "SUCCEEDED":
            return parsed(self._text())
        error = self.error
        if error is not None:
            raise error
        raise UsageError(self._unfinished())

    def _text(self) -> str | None:
        end = self._end()
        return None if end is None else _payload(end, "Result")

    def _unfinished(self) -> str:
        waiting = [one for one in self if one.ended is None and not one.children]
        said = ", ".join(f"{one.kind} {named(one)!r}" for one in waiting) or "nothing"
        return f"the execution is {self.status} and has no result; it waits for {said}\n{self}"

    @property
    def error(self) -> BaseException | None:
        """What the execution failed with, an exception; None when it did not.

        Classes under `@durable_error` and those of this library are themselves; anything else is
        an `OperationFailed` with `error_type`, `message`, `data` and `stack_trace`.
        """
        failure = self.failure
        if failure is None:
            return None
        return rebuild(failure, OperationFailed, self.name or "execution", (OperationFailed,))

    @property
    def failure(self) -> ErrorObject | None:
        """What was recorded of the execution's failure; None when it did not fail."""
        end = self._end()
        if end is None or self.status == "SUCCEEDED":
            return None
        raw = _payload(end, "Error")
        return ErrorObject.from_wire(
            raw if isinstance(raw, Mapping) else {"ErrorType": self.status}
        )

    @property
    def operations(self) -> list[Operation]:
        """The operations of the handler, each with those that are inside it."""
        events = self.history
        if self._drawn[0] != len(events):
            self._drawn = len(events), tree(events)
        return self._drawn[1]

    def __getitem__(self, path: str) -> Operation:
        """Find an operation by its path, as `payment/charge`; `ship#2` is the second of a name."""
        return find(self.operations, path)

    def __iter__(self) -> Iterator[Operation]:
        """List all operations, outer ones first."""
        return walk(self.operations)

    @property
    def history(self) -> Sequence[Event]:
        """The service's events, oldest first, in botocore's shape."""
        return self._events

    @property
    def invocations(self) -> Sequence[Invocation]:
        """The invocations that have ended."""
        found: list[Invocation] = []
        for event in self.history:
            details = event.get("InvocationCompletedDetails")
            if details is None:
                continue
            raw = _payload(event, "Error")
            error = ErrorObject.from_wire(raw) if isinstance(raw, Mapping) else None
            times = details["StartTimestamp"], details["EndTimestamp"]
            found.append(Invocation(len(found) + 1, *times, error, details.get("RequestId", "")))
        return found

    @property
    def started(self) -> datetime:
        """When it was started, in its own time."""
        started: datetime = self.history[0]["EventTimestamp"]
        return started

    @property
    def duration(self) -> timedelta:
        """How long it has taken until what happened last, in its own time."""
        latest: datetime = self.history[-1]["EventTimestamp"]
        return latest - self.started

    # --- how it reads ----------------------------------------------------------------------------

    def _notes(self) -> Sequence[str]:
        return ()

    def __str__(self) -> str:
        from durable_gen.testing._draw import drawn

        return "\n".join([drawn(self), *self._notes()])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name or '?'}: {self.status}>"

    def snapshot(self) -> str:
        """Write it as a text that is the same for every run that does the same.

        Operations are named by paths, times are counted from the start, ids, ARNs and the ids of
        callbacks are renamed in the order in which they appear, and errors have no line numbers.
        """
        from durable_gen.testing._snapshot import snapshot

        return snapshot(self)

    def golden(self) -> str:
        """Write its history as `aws lambda get-durable-execution-history` prints it, in JSON.

        What differs from run to run is made the same: it begins at 2025-01-01T00:00:00+00:00, ids
        are renamed in the order in which they appear, stack traces have no lines and no folders.
        `history(text)` reads it back.
        """
        from durable_gen.testing._golden import written

        return written(self.history)


def _payload(event: Event, member: str) -> Any:
    details = event.get(f"{event['EventType']}Details") or {}
    return (details.get(member) or {}).get("Payload")
