"""What the service remembers: one execution, its operations, its history.

Times are integers, milliseconds since the epoch. Everything is frozen: a change is a new value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import field, frozen

ErrorObject = Mapping[str, Any]

OPEN = frozenset({"RUNNING", "PAUSING", "PAUSED"})
"""The statuses of an execution that has not closed."""
LONGEST = 31_622_400
"""Seconds that an execution may take, pauses included: 366 days."""
DAY = 86_400_000
"""Milliseconds of a day."""

Fact = TypeVar("Fact", "Operation", "Execution")


def changed(fact: Fact, **members: Any) -> Fact:
    """Make the next value of an operation or an execution.

    It is `attrs.evolve` at a tenth of its cost: every update makes several.

    Args:
        fact: the value as it stands; it has a `__dict__` for this.
        members: what differs, of their types.
    """
    found = object.__new__(type(fact))
    found.__dict__.update(fact.__dict__, **members)
    return found


@frozen(slots=False)
class Update:
    """One item of a checkpoint's Updates, as sent."""

    id: str
    type: str
    action: str
    parent: str | None = None
    name: str | None = None
    sub_type: str | None = None
    payload: str | None = None
    error: ErrorObject | None = None
    replay_children: bool = False
    delay: int | None = None  # seconds until a step's next attempt
    wait: int | None = None  # seconds
    timeout: int = 0  # seconds, of a callback; 0 is none
    heartbeat: int = 0  # seconds between a callback's heartbeats; 0 is none
    function: str | None = None
    tenant: str | None = None
    trace: str | None = None


@frozen(slots=False)
class Operation:
    """An operation as it stands."""

    id: str
    type: str
    status: str
    order: int  # place in the state, by first START
    started: int
    ended: int | None = None
    parent: str | None = None
    name: str | None = None
    sub_type: str | None = None
    attempt: int = 0  # attempts completed
    input: str | None = None
    result: str | None = None
    error: ErrorObject | None = None
    replay_children: bool = False
    seconds: int = 0  # a wait's duration, or a callback's timeout
    heartbeat: int = 0  # seconds
    due: int | None = None  # a wait's end, a step's next attempt, a callback's deadline
    heartbeat_due: int | None = None
    callback: str | None = None  # CallbackId
    function: str | None = None  # a chained invoke's target, as the parent wrote it
    tenant: str | None = None
    trace: str | None = None  # X-Ray's header for the target
    child: str | None = None  # ARN of the execution that a chained invoke started

    @property
    def waits(self) -> bool:
        """Whether something outside of the function is to finish it."""
        if self.type == "STEP":
            return self.status == "PENDING"
        return self.status == "STARTED" and self.type in {"WAIT", "CALLBACK", "CHAINED_INVOKE"}

    @property
    def timer(self) -> int | None:
        """The instant at which its clock runs out, if one is running."""
        if not self.waits:
            return None
        return min((t for t in (self.due, self.heartbeat_due) if t is not None), default=None)

    @property
    def prunes(self) -> bool:
        """Whether what is below it has left the state."""
        finished = self.status in {"SUCCEEDED", "FAILED"}
        return self.type == "CONTEXT" and finished and not self.replay_children


@frozen(slots=False)
class Event:
    """An event of the history; `details` is the member that EventType names, times in milliseconds."""

    id: int
    type: str
    at: int
    details: Mapping[str, Any]
    operation: str | None = None
    name: str | None = None
    sub_type: str | None = None
    parent: str | None = None


@frozen(slots=False)
class Execution:
    """An execution as it stands, its operations and events apart."""

    arn: str
    function: str
    version: str
    name: str
    id: str
    status: str
    started: int
    timeout: int | None  # seconds; None for no limit
    limit: int  # bytes of its result
    retention: int = 14  # days that it is kept after its end
    input: str | None = None
    tenant: str | None = None
    trace: str | None = None  # X-Ray's header
    ended: int | None = None
    result: str | None = None
    error: ErrorObject | None = None
    caller: str | None = None  # ARN of the execution that invoked it, and the operation there
    caller_operation: str | None = None
    running: bool = False  # an invocation is under way
    owed: bool = False  # an invocation is due now
    retry_at: int | None = None  # an invocation is due then
    request: str = ""  # request id of the invocation
    invoked: int = 0  # when the invocation began
    invocations: int = 0  # how many began
    serial: int = 0  # number of the one good checkpoint token
    failures: int = 0  # failed invocations in a row
    idlings: int = 0  # invocations in a row that suspended with nothing pending
    fresh: tuple[str, ...] = field(default=(), converter=tuple)
    """Operations that changed from outside and that no invocation or checkpoint has shown yet."""
    events: int = 0  # number of the latest event
    touched: int = 0  # instant of the latest event
    pause_asked: int | None = None  # when the pause was requested
    pause_reason: str | None = None
    pause_clock: bool = True  # the timeout stands still while it is PAUSED
    paused: int | None = None  # when it became PAUSED
    extended: int = 0  # milliseconds that pauses have added to the timeout
    cut: bool = False  # a pause has taken the running invocation's token
    controls: Mapping[str, tuple[str, int]] = field(factory=dict)
    """PAUSE or RESUME -> ClientToken of the latest such request, and when it came."""

    @property
    def open(self) -> bool:
        """Whether it can still change."""
        return self.status in OPEN

    @property
    def deadline(self) -> int | None:
        """When it times out; None if it never does."""
        if self.timeout is None:
            return None
        longest = self.started + LONGEST * 1000
        if self.status == "PAUSED" and self.pause_clock:
            return longest
        return min(self.started + self.timeout * 1000 + self.extended, longest)

    @property
    def expiry(self) -> int | None:
        """When it is forgotten; None while it is open."""
        return None if self.ended is None else self.ended + self.retention * DAY


@frozen
class Change:
    """What one accepted request did to one execution: its new row, changed operations, new events.

    One that is `removed` is gone with all that it had.
    """

    execution: Execution
    operations: tuple[Operation, ...] = ()
    events: tuple[Event, ...] = ()
    removed: bool = False


def of_wire(item: Mapping[str, Any]) -> Update:
    """Read an update off the wire.

    Args:
        item: an OperationUpdate that botocore's validator has passed.
    """
    callback = item.get("CallbackOptions", {})
    invoke = item.get("ChainedInvokeOptions", {})
    return Update(
        id=item["Id"],
        type=item["Type"],
        action=item["Action"],
        parent=item.get("ParentId"),
        name=item.get("Name"),
        sub_type=item.get("SubType"),
        payload=item.get("Payload"),
        error=item.get("Error"),
        replay_children=bool(item.get("ContextOptions", {}).get("ReplayChildren")),
        delay=item.get("StepOptions", {}).get("NextAttemptDelaySeconds"),
        wait=item.get("WaitOptions", {}).get("WaitSeconds"),
        timeout=callback.get("TimeoutSeconds", 0),
        heartbeat=callback.get("HeartbeatTimeoutSeconds", 0),
        function=invoke.get("FunctionName"),
        tenant=invoke.get("TenantId"),
        trace=invoke.get("XAmznTraceId"),
    )
