"""The operations of an execution as a tree, read from its history."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import define, field

from durable_gen import errors
from durable_gen._failure import rebuild
from durable_gen._ids import operation_id
from durable_gen._log import noun
from durable_gen._model import DEADLINE, ErrorObject

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
GAP = 64  # positions without a record that are looked past, among those of one flow
FEW = 8  # and in a context without a record
BEHIND = (sys.maxsize,)
DEEPEST = 3  # contexts without a record in one another that are looked into


@define
class Attempt:
    """One attempt of a step, or one check of a condition.

    Attributes:
        number: from 1.
        started: when it began, as recorded.
        ended: when it ended; None while it runs.
        error: what was recorded of its failure; None when it did not fail.
        delay: seconds until the next attempt; None when there is none.
    """

    number: int
    started: datetime
    ended: datetime | None = None
    error: ErrorObject | None = None
    delay: int | None = None


@define(eq=False)
class Operation:
    """One operation, as it stood when it was asked for.

    Attributes:
        id: its id in the log.
        name: its name; None for none.
        kind: what it is, as the code calls it: step, wait, callback, invoke, child context, ...
        type: the wire's word for it: STEP, WAIT, CALLBACK, CHAINED_INVOKE, CONTEXT.
        status: the wire's word for how far it is; PENDING between two attempts.
        started: when it was first started.
        path: the names of the operations that it is inside, and its own. One without a name is
            called by its place, `#2`; the second of a name in one flow is `name#2`.
        parent: the operation that it is inside; None at the top.
        ended: when it ended; None while it has not.
        attempts: the attempts of a step, the checks of a condition.
        text: what is kept of its value.
        failure: the error that it failed with, as recorded.
        details: what its start says of it: a callback's id, an invoke's input.
        children: the operations inside it, in the order in which the code comes to them.
        events: its part of the history.
    """

    id: str
    name: str | None
    kind: str
    type: str
    status: str
    started: datetime
    path: str = ""
    parent: Operation | None = field(default=None, repr=False)
    ended: datetime | None = None
    attempts: list[Attempt] = field(factory=list)
    text: str | None = None
    failure: ErrorObject | None = None
    details: Mapping[str, Any] = field(factory=dict, repr=False)
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
        if self.kind == "wait_for_condition":
            wrapper = errors.ConditionFailed
        passing: tuple[type[errors.OperationFailed], ...] | None = None  # others say what it is
        match self.type:
            case "STEP":
                passing = (wrapper,)
            case "CONTEXT":
                passing = (errors.OperationFailed,) if self.kind == "wait_for_callback" else ()
        return rebuild(self.failure, wrapper, self.name or self.path, passing)

    @property
    def duration(self) -> timedelta | None:
        """How long it took, in the execution's time; None while it has not ended."""
        return None if self.ended is None else self.ended - self.started

    @property
    def payload(self) -> Any:
        """What an invoke sends; None for others."""
        return parsed((self.details.get("Input") or {}).get("Payload"))

    @property
    def function(self) -> str | None:
        """The name of the function that an invoke calls, as the workflow has it."""
        return self.details.get("FunctionName")

    @property
    def callback_id(self) -> str | None:
        """The id of a callback, by which it is answered; also of a `wait_for_callback`."""
        if self.kind == "wait_for_callback":
            return next((one.callback_id for one in self.children if one.callback_id), None)
        return self.details.get("CallbackId")

    def __getitem__(self, path: str) -> Operation:
        return find(self.children, path, self.path)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.children)


def parsed(text: str | None) -> Any:
    """Read a text as JSON; what is none stays text."""
    if not text:
        return text
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
        if kind is None or event.get("SubType") == DEADLINE:  # the library's own, not the code's
            continue
        operation = known.get(event["Id"])
        if operation is None:
            operation = known[event["Id"]] = _new(event, kind, known.get(event.get("ParentId", "")))
            above = operation.parent
            (roots if above is None else above.children).append(operation)
        operation.events.append(event)
        _take(operation, word.removeprefix(kind), event)
    _arrange(roots, None)
    return roots


def _new(event: Event, kind: str, parent: Operation | None) -> Operation:
    word = noun(TYPES[kind], event.get("SubType"))
    at = event["EventTimestamp"]
    name = event.get("Name") or None
    return Operation(event["Id"], name, word, TYPES[kind], "STARTED", at, parent=parent)


def _take(operation: Operation, word: str, event: Event) -> None:
    """Take in an event of an operation."""
    at: datetime = event["EventTimestamp"]
    details = event.get(f"{event['EventType']}Details") or {}
    status = STATUSES.get(word, word.upper())
    if status == "STARTED":
        operation.status = status
        operation.details = {**operation.details, **details}
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
        operation.status, operation.failure = "PENDING", None
        return
    operation.status, operation.ended = status, at


def _arrange(siblings: list[Operation], above: Operation | None) -> None:
    """Order what stands in one flow by its place in the code, and name it by paths.

    The history has them in the order in which they ended, which threads decide. Ids come from
    positions, so the positions are found again; what has none that is found stays behind.
    """
    places = _places([one.id for one in siblings], None if above is None else above.id)
    siblings.sort(key=lambda one: places.get(one.id, BEHIND))
    alike: dict[str, int] = {}
    for place, one in enumerate(siblings, 1):
        own = one.name or f"#{place}"
        alike[own] = alike.get(own, 0) + 1
        own = own if alike[own] == 1 else f"{own}#{alike[own]}"
        one.path = own if above is None else f"{above.path}/{own}"
        _arrange(one.children, one)


def _places(ids: Sequence[str], prefix: str | None) -> dict[str, tuple[int, ...]]:
    """Find the positions of ids below a context, also in contexts that have no record themselves."""
    wanted, found = set(ids), {}
    spaces: list[tuple[str | None, tuple[int, ...]]] = [(prefix, ())]
    most = GAP + len(ids)
    while wanted and spaces and len(spaces[0][1]) < DEEPEST:
        further: list[tuple[str | None, tuple[int, ...]]] = []
        for space, above in spaces:
            position = missed = 0
            while wanted and missed < most:
                id_, place = operation_id(space, position), (*above, position)
                position += 1
                if id_ in wanted:
                    wanted.discard(id_)
                    found[id_], missed = place, 0
                else:
                    further.append((id_, place))
                    missed += 1
        spaces, most = further, FEW
    return found


def named(operation: Operation) -> str:
    """Name a callback as the code does: `wait_for_callback` has one of its own inside."""
    above = operation.parent
    if operation.kind == "callback" and above is not None and above.kind == "wait_for_callback":
        return above.path
    return operation.path


def walk(operations: Sequence[Operation]) -> Iterator[Operation]:
    """List operations with all that are inside them, outer ones first."""
    for one in operations:
        yield one
        yield from walk(one.children)


def find(operations: Sequence[Operation], path: str, above: str = "") -> Operation:
    """Find an operation by its path below others, or by its id.

    Raises:
        LookupError: there is none; the text names those that are there.
    """
    whole = f"{above}/{path}" if above else path
    paths = []
    for one in walk(operations):
        if whole == one.path or path == one.id:
            return one
        paths.append(one.path)
    msg = f"no operation has the path {whole!r}; there are: {', '.join(paths) or 'none'}"
    raise LookupError(msg)
