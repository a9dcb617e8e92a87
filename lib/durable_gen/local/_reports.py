"""What the service tells: to an observer as things happen, to a caller that drives it step by step."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import frozen


@frozen
class EventAppended:
    """An event has been appended to an execution's history; `event` has botocore's shape."""

    arn: str
    event: Mapping[str, Any]


@frozen
class InvocationStarted:
    """An invocation begins; `number` counts an execution's invocations from 1."""

    arn: str
    request_id: str
    number: int
    at: datetime


Notice = EventAppended | InvocationStarted


@frozen
class PendingCallback:
    """A callback that is open.

    Attributes:
        arn: its execution.
        callback_id: what an answer is sent to.
        operation_id: the operation.
        name: the operation's name, if it has one.
        path: the names of the contexts around it and its own.
        deadline: when it times out; None if only the execution's own timeout bounds it.
    """

    arn: str
    callback_id: str
    operation_id: str
    name: str | None
    path: str
    deadline: datetime | None


@frozen
class Fired:
    """Timers fired: ARN and operation id each; the id is empty for an execution's own timer."""

    timers: tuple[tuple[str, str], ...]


@frozen
class Invoked:
    """An invocation ran to its end; `status` is the execution's after it."""

    arn: str
    status: str


@frozen
class Called:
    """A plain function ran to its end: of a chained invoke, or under no ARN by its request id."""

    arn: str
    operation_id: str


@frozen
class Idle:
    """Nothing is due.

    Attributes:
        until: when the next timer is due; None if none runs.
        timeout: when the next execution times out; None if none is open.
        callbacks: the open callbacks of all open executions.
    """

    until: datetime | None
    timeout: datetime | None
    callbacks: tuple[PendingCallback, ...]


Step = Fired | Invoked | Called | Idle
