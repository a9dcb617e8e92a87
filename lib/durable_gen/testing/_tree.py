"""The operations of an execution as a tree, read from its history."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import define, field

from durable_gen import errors
from durable_gen._failure import rebuild
from durable_gen._log import noun
from durable_gen._model import ErrorObject

Event = Mapping[str, Any]

TYPES = {
    "Context": "CONTEXT",
    "Step": "STEP",
    "Wait": "WAIT",
    "Callback": "CALLBACK",
    "ChainedInvoke": "CHAINED_INVOKE",
}
STATUSES = {
    "Started": "STARTED",
    "Succeeded": "SUCCEEDED",
    "Failed": "FAILED",
    "TimedOut": "TIMED_OUT",
    "Cancelled": "CANCELLED",
    "Stopped": "STOPPED",
}
FAILURES: dict[tuple[str, str], type[errors.OperationFailed]] = {
    ("STEP", "FAILED"): errors.StepFailed,
    ("CALLBACK", "FAILED"): errors.CallbackFailed,
    ("CALLBACK", "TIMED_OUT"): errors.CallbackTimedOut,
    ("CHAINED_INVOKE", "FAILED"): errors.InvokeFailed,
    ("CHAINED_INVOKE", "TIMED_OUT"): errors.InvokeTimedOut,
    ("CHAINED_INVOKE", "STOPPED"): errors.InvokeStopped,
    ("CONTEXT", "FAILED"): errors.ChildContextFailed,
}


@define
class Attempt:
    """One attempt of a step.

    Attributes:
        number: from 1.
        started: when it began, as recorded.
        ended: when it ended; None while it runs.
        error: what it failed with; None when it did not.
        delay: seconds until the next attempt; None when there is none.
    """

    number: int
    started: datetime
    ended: datetime | None = None
    error: ErrorObject | None = None
    delay: int | None = None


@define(eq=False)
class Operation:
    """One operation.

    Attributes:
        id: its id in the log.
        path: the names of the operations that it is inside, and its own.
        name: its name; None for none.
        kind: what it is, as the code calls it: step, wait, callback, invoke, child context, ...
        type: the wire's word for it: STEP, WAIT, CALLBACK, CHAINED_INVOKE, CONTEXT.
        status: the wire's word for how far it is; PENDING between two attempts.
        started: when it was first started.
        ended: when it ended; None while it has not.
        attempts: the attempts of a step.
        text: what is kept of its value.
        failure: the error that it failed with, as recorded.
        children: the operations inside it.
        events: its part of the history.
    """

    id: str
    path: str
    name: str | None
    kind: str
    type: str
    status: str
    started: datetime
    ended: datetime | None = None
    attempts: list[Attempt] = field(factory=list)
    text: str | None = None
    failure: ErrorObject | None = None
    children: list[Operation] = field(factory=list)
    events: list[Event] = field(factory=list, repr=False)

    @property
    def result(self) -> Any:
        """Its value: what is kept of it, read as JSON where it is that."""
        return parsed(self.text)

    @property
    def error(self) -> BaseException | None:
        """What it raises in the workflow; None when it does not."""
        if self.failure is None:
            return None
        wrapper = FAILURES.get((self.type, self.status), errors.OperationFailed)
        return rebuild(self.failure, wrapper, self.name or self.path, (errors.OperationFailed,))

    @property
    def duration(self) -> timedelta | None:
        """How long it took, in the execution's time; None while it has not ended."""
        return None if self.ended is None else self.ended - self.started

    @property
    def payload(self) -> Any:
        """What an invoke sends."""
        details = self.events[0].get(f"{self.events[0]['EventType']}Details") or {}
        return parsed((details.get("Input") or {}).get("Payload"))

    def __getitem__(self, path: str) -> Operation:
        return find(self.children, path, self.path)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.children)


def parsed(text: str | None) -> Any:
    """Read a text as JSON; what is none stays text."""
    if text is None or text == "":
        return None if text is None else text
    try:
        return json.loads(text)
    except ValueError:
        return text


def tree(events: Sequence[Event]) -> list[Operation]:
    """Build the tree of an execution's operations from its history, oldest event first."""
    roots: list[Operation] = []
    known: dict[str, Operation] = {}
    for event in events:
        word = event["EventType"]
        kind = next((one for one in TYPES if word.startswith(one)), None)
        if kind is None:
            continue
        operation = known.get(event["Id"])
        if operation is None:
            above = known.get(event.get("ParentId") or "")
            siblings = roots if above is None else above.children
            operation = known[event["Id"]] = _new(event, kind, above, siblings)
            siblings.append(operation)
        operation.events.append(event)
        _take(operation, word.removeprefix(kind), event)
    return roots


def _new(
    event: Event, kind: str, above: Operation | None, siblings: Sequence[Operation]
) -> Operation:
    own = event.get("Name") or f"#{len(siblings) + 1}"
    alike = sum(1 for one in siblings if one.path.rpartition("/")[2].partition("#")[0] == own)
    own = f"{own}#{alike + 1}" if alike else own
    path = own if above is None else f"{above.path}/{own}"
    word = noun(TYPES[kind], event.get("SubType"))
    at = event["EventTimestamp"]
    return Operation(event["Id"], path, event.get("Name"), word, TYPES[kind], "STARTED", at)


def _take(operation: Operation, word: str, event: Event) -> None:
    """Take in an event of an operation."""
    at: datetime = event["EventTimestamp"]
    details = event.get(f"{event['EventType']}Details") or {}
    status = STATUSES.get(word, word.upper())
    if status == "STARTED":
        operation.status = status
        if operation.type == "STEP":
            operation.attempts.append(Attempt(len(operation.attempts) + 1, at))
        return
    raw = (details.get("Error") or {}).get("Payload")
    error = ErrorObject.from_wire(raw) if isinstance(raw, Mapping) else None
    text = (details.get("Result") or {}).get("Payload")
    retry = details.get("RetryDetails") or {}
    delay = retry.get("NextAttemptDelaySeconds")
    operation.text = operation.text if text is None else text
    operation.failure = error if status != "SUCCEEDED" else None
    if operation.type == "STEP":
        number = retry.get("CurrentAttempt") or len(operation.attempts) or 1
        while len(operation.attempts) < number:
            operation.attempts.append(Attempt(len(operation.attempts) + 1, at))
        attempt = operation.attempts[number - 1]
        attempt.ended, attempt.error, attempt.delay = at, error, delay
    if delay:
        operation.status = "PENDING"
        return
    operation.status, operation.ended = status, at


def walk(operations: Sequence[Operation]) -> Iterator[Operation]:
    """List operations with all that are inside them, outer ones first."""
    for one in operations:
        yield one
        yield from walk(one.children)


def find(operations: Sequence[Operation], path: str, above: str = "") -> Operation:
    """Find an operation by its path below others.

    Raises:
        LookupError: there is none; the text names those that are there.
    """
    whole = f"{above}/{path}" if above else path
    paths = []
    for one in walk(operations):
        if one.path == whole or one.id == path:
            return one
        paths.append(one.path)
    known = ", ".join(paths) or "none"
    msg = f"no operation has the path {whole!r}; there are: {known}"
    raise LookupError(msg)
