"""The wire's shapes: records of operations, updates to them, their words and limits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from attrs import define, evolve, field, frozen

MAX_PAYLOAD = 1_048_576  # bytes of one operation's payload (service model: OperationPayload)
MAX_RESULT = 6_291_456  # bytes of a handler's result (service model: 6 MB for EXECUTION)
MAX_RESPONSE = MAX_RESULT - 50  # bytes of what a handler returns (AWS's SDKs keep to it)
SUMMARY_ABOVE = 262_144  # bytes of a context's result above which its children are kept instead
MAX_UPDATES = 250  # updates in one checkpoint
MAX_CHECKPOINT = 750 * 1024  # bytes of updates in one checkpoint
MAX_DURATION = 31_622_400  # seconds of a wait or retry delay: 366 days
MAX_TIMEOUT = 99_999_999  # seconds of a callback's timeout or heartbeat
DEADLINE = (
    "Deadline"  # sub type of the wait by which an invocation that runs out of time comes back
)

FRAME = len('{"Id": "", "Type": "", "Action": ""}, ')  # bytes of an update that says nothing more

Raw = Mapping[str, Any]


class Type(StrEnum):
    """What an operation is on the wire."""

    EXECUTION = "EXECUTION"
    CONTEXT = "CONTEXT"
    STEP = "STEP"
    WAIT = "WAIT"
    CALLBACK = "CALLBACK"
    CHAINED_INVOKE = "CHAINED_INVOKE"


class Status(StrEnum):
    """How far an operation is. A record may hold a word that is not here; it is kept."""

    STARTED = "STARTED"
    PENDING = "PENDING"
    READY = "READY"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"
    STOPPED = "STOPPED"


TERMINAL = frozenset(
    {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.TIMED_OUT, Status.STOPPED}
)


class Action(StrEnum):
    """What an update does to an operation."""

    START = "START"
    SUCCEED = "SUCCEED"
    FAIL = "FAIL"
    RETRY = "RETRY"


DETAILS = {
    Type.EXECUTION: "ExecutionDetails",
    Type.CONTEXT: "ContextDetails",
    Type.STEP: "StepDetails",
    Type.WAIT: "WaitDetails",
    Type.CALLBACK: "CallbackDetails",
    Type.CHAINED_INVOKE: "ChainedInvokeDetails",
}


def length(text: str) -> int:
    """Count the bytes of a text, as the service does."""
    return len(text) if text.isascii() else len(text.encode())


@frozen
class ErrorObject:
    """An error as the wire has it."""

    type: str | None = None
    message: str | None = None
    data: str | None = None
    stack_trace: Sequence[str] = ()
    brief: str | None = field(default=None, eq=False, repr=False)  # the message of its first cause

    @classmethod
    def from_wire(cls, raw: Raw) -> ErrorObject:
        """Read the service's ErrorObject."""
        return cls(
            raw.get("ErrorType"),
            raw.get("ErrorMessage"),
            raw.get("ErrorData"),
            tuple(raw.get("StackTrace") or ()),
        )

    def to_wire(self) -> dict[str, Any]:
        """Write the service's ErrorObject, without the members that are absent."""
        wire: dict[str, Any] = {}
        if self.type is not None:
            wire["ErrorType"] = self.type
        if self.message is not None:
            wire["ErrorMessage"] = self.message
        if self.data is not None:
            wire["ErrorData"] = self.data
        if self.stack_trace:
            wire["StackTrace"] = list(self.stack_trace)
        return wire

    def shortened(self) -> ErrorObject:
        """Return the same error with the message of its first cause alone."""
        return self if self.brief is None else evolve(self, message=self.brief)


def instant(value: Any) -> datetime | None:
    """Read a timestamp in any form the service sends, to the millisecond.

    Args:
        value: milliseconds since the epoch (a Lambda event), seconds since the epoch (the API's
            JSON), a datetime (botocore), ISO 8601 text, or None.

    Returns:
        The instant in UTC. Both sources give the same one, so replay sees the same time.
    """
    if value is None:
        return None
    if not isinstance(value, int | float):
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        value = at.timestamp()
    milliseconds = round(value if value > 1e11 else value * 1000)  # 1e11 ms is 1973, 1e11 s is 5138
    seconds, rest = divmod(milliseconds, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)


@define
class Record:
    """What the log says of one operation, read from the wire's dict as it is asked for."""

    raw: Raw

    @property
    def id(self) -> str:
        """The operation's id."""
        return str(self.raw["Id"])

    @property
    def type(self) -> str:
        """The operation's type, perhaps one that is not in `Type`."""
        return str(self.raw.get("Type", ""))

    @property
    def status(self) -> str:
        """The operation's status, perhaps one that is not in `Status`."""
        return str(self.raw.get("Status", ""))

    @property
    def name(self) -> str | None:
        """The operation's name, if it has one."""
        return self.raw.get("Name") or None

    @property
    def parent_id(self) -> str | None:
        """The id of the context that the operation is in; None at the root."""
        return self.raw.get("ParentId") or None

    @property
    def sub_type(self) -> str | None:
        """The operation's sub type, any word."""
        return self.raw.get("SubType") or None

    @property
    def started(self) -> datetime | None:
        """When it was first started."""
        return instant(self.raw.get("StartTimestamp"))

    @property
    def ended(self) -> datetime | None:
        """When it ended, if it has."""
        return instant(self.raw.get("EndTimestamp"))

    @property
    def details(self) -> Raw:
        """The member that holds what is special to its type."""
        return self.raw.get(DETAILS.get(self.raw.get("Type", ""), "")) or {}

    @property
    def result(self) -> str | None:
        """The payload that it succeeded with, or the state of its last poll."""
        return self.details.get("Result")

    @property
    def error(self) -> ErrorObject | None:
        """The error that it failed with."""
        raw = self.details.get("Error")
        return None if raw is None else ErrorObject.from_wire(raw)

    @property
    def attempt(self) -> int:
        """How many attempts are completed."""
        return self.details.get("Attempt") or 0

    @property
    def next_attempt(self) -> Any:
        """When its next attempt is due, in the wire's form."""
        return self.details.get("NextAttemptTimestamp")

    @property
    def scheduled_end(self) -> Any:
        """When a wait is over, in the wire's form."""
        return (self.raw.get("WaitDetails") or {}).get("ScheduledEndTimestamp")

    @property
    def replay_children(self) -> bool:
        """Whether its body is to be run again over its children's records."""
        return bool(self.details.get("ReplayChildren"))

    @property
    def callback_id(self) -> str | None:
        """The id by which the outside answers a callback."""
        return self.details.get("CallbackId")


@frozen
class Change:
    """What happens to an operation: an update without the operation's identity."""

    action: Action
    payload: str | None = None
    error: ErrorObject | None = None
    options: Mapping[str, Any] | None = None  # the wire's own member, such as {"WaitOptions": ...}


@define
class Update:
    """What is sent to the service: a change to one operation."""

    id: str
    type: str
    sub_type: str | None
    name: str | None
    parent_id: str | None
    change: Change

    @property
    def size(self) -> int:
        """The bytes that it takes in a checkpoint's body, as botocore writes it."""
        change = self.change
        size = FRAME + len(self.id) + len(self.type) + len(change.action)
        for member, text in (
            ("ParentId", self.parent_id),
            ("Name", self.name),
            ("SubType", self.sub_type),
            ("Payload", change.payload),
        ):
            if text is not None:
                size += len(member) + 6 + len(quoted(text))
        if change.error is not None:
            size += len('"Error": , ') + len(json.dumps(change.error.to_wire()))
        if change.options is not None:
            size += len(json.dumps(change.options))
        return size

    def to_wire(self) -> dict[str, Any]:
        """Write botocore's OperationUpdate."""
        change = self.change
        wire: dict[str, Any] = {"Id": self.id, "Type": str(self.type), "Action": str(change.action)}
        if self.parent_id is not None:
            wire["ParentId"] = self.parent_id
        if self.name is not None:
            wire["Name"] = self.name
        if self.sub_type is not None:
            wire["SubType"] = self.sub_type
        if change.payload is not None:
            wire["Payload"] = change.payload
        if change.error is not None:
            wire["Error"] = change.error.to_wire()
        if change.options is not None:
            wire.update(change.options)
        return wire


def applied(raw: Raw | None, update: Update) -> dict[str, Any]:
    """Say how an operation's record reads after an update, as far as can be known here.

    The service's own answer, with its timestamps and ids, takes its place when it comes.
    """
    change = update.change
    new: dict[str, Any] = dict(raw) if raw is not None else {"Id": update.id, "Type": update.type}
    if update.name is not None:
        new["Name"] = update.name
    if update.parent_id is not None:
        new["ParentId"] = update.parent_id
    if update.sub_type is not None:
        new["SubType"] = update.sub_type
    key = DETAILS[update.type]  # type: ignore[index]  # a word of the wire finds its member
    details = dict(new.get(key) or {})
    details.pop("NextAttemptTimestamp", None)
    step = update.type == Type.STEP
    match change.action:
        case Action.START:
            new["Status"] = Status.STARTED
        case Action.SUCCEED:
            new["Status"] = Status.SUCCEEDED
            details["Result"] = change.payload
            details.update((change.options or {}).get("ContextOptions") or {})
        case Action.FAIL:
            new["Status"] = Status.FAILED
            details["Error"] = change.error.to_wire() if change.error else {}
        case Action.RETRY:
            new["Status"] = Status.PENDING
            if change.payload is not None:
                details["Result"] = change.payload
    if step and change.action is not Action.START:
        details["Attempt"] = (details.get("Attempt") or 0) + 1
    new[key] = details
    return new
