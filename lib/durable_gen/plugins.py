"""What plugins are told: each hook takes one frozen object."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import inf
from typing import Protocol

from attrs import field, frozen

from durable_gen._budget import Usage
from durable_gen._model import ErrorObject


@frozen(kw_only=True)
class OperationInfo:
    """An operation, as far as it is.

    Attributes:
        execution_arn: the execution's ARN.
        id: its id in the log.
        name: its name.
        type: the wire's word for what it is: STEP, WAIT, CALLBACK, CHAINED_INVOKE, CONTEXT.
        sub_type: the wire's second word.
        parent_id: the id of the context that it is in.
        status: the wire's word for how far it is; None before its start is recorded.
        started: when it was first started, as recorded.
        ended: when it ended, as recorded.
        attempt: how many attempts have ended.
        result: what is kept of its value: text.
        error: what it failed with.
        is_replay: whether an earlier invocation had come to it.
    """

    execution_arn: str
    id: str
    name: str | None
    type: str
    sub_type: str | None
    parent_id: str | None
    status: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    attempt: int = 0
    result: str | None = field(default=None, repr=False)
    error: ErrorObject | None = None
    is_replay: bool = False


Operations = Mapping[str, OperationInfo]


@frozen(kw_only=True)
class InvocationStart:
    """An invocation begins.

    Attributes:
        execution_arn: the execution's ARN.
        request_id: Lambda's id of the invocation.
        is_first: whether no earlier invocation did anything.
        started: when the execution was started.
        operations: what the log holds, by id.
        updated: those of them that ended from outside since the last invocation.
        is_retry: whether nothing from outside called it: the invocation before it was cut off.
        trace_header: X-Ray's trace header of the invocation.
    """

    execution_arn: str
    request_id: str | None
    is_first: bool
    started: datetime
    operations: Operations = field(repr=False)
    updated: Operations = field(repr=False)
    is_retry: bool = False
    trace_header: str | None = None


@frozen(kw_only=True)
class InvocationEnd:
    """An invocation has ended.

    Attributes:
        execution_arn: the execution's ARN.
        request_id: Lambda's id of the invocation.
        is_first: whether no earlier invocation did anything.
        started: when the execution was started.
        operations: what the log holds, by id.
        status: SUCCEEDED, FAILED or PENDING; None when the invocation itself raised.
        error: what the workflow failed with, or the invocation raised.
        usage: what the execution has used of what the service allows.
        seconds_left: until Lambda ends the function; infinite where nobody knows.
    """

    execution_arn: str
    request_id: str | None
    is_first: bool
    started: datetime
    operations: Operations = field(repr=False)
    status: str | None
    error: ErrorObject | None = None
    usage: Usage
    seconds_left: float = inf


@frozen(kw_only=True)
class BudgetWarning:
    """An execution comes near to what the service allows.

    Attributes:
        execution_arn: the execution's ARN.
        what: "operations", that it has; or "payload", of one operation, in bytes.
        used: how much that is.
        limit: how much it may be.
        share: the share of the limit that was passed, as the `Budget` has it.
        path: the operation that passed it.
    """

    execution_arn: str
    what: str
    used: int
    limit: int
    share: float
    path: str


@frozen(kw_only=True)
class OperationChange:
    """Changes are about to be sent to the service, or it has acknowledged them.

    Attributes:
        execution_arn: the execution's ARN.
        updated: the operations that changed, by id.
        operations: all operations that the log holds, by id.
    """

    execution_arn: str
    updated: Operations
    operations: Operations = field(repr=False)


@frozen(kw_only=True)
class AttemptInfo:
    """An attempt of a step begins or has ended; the hooks run where the step's function does.

    Attributes:
        operation: the step.
        attempt: its number, from 1.
        started: when it began.
        ended: when it ended.
        outcome: SUCCEEDED or FAILED.
        error: what it failed with.
    """

    operation: OperationInfo
    attempt: int
    started: datetime
    ended: datetime | None = None
    outcome: str | None = None
    error: ErrorObject | None = None


@frozen(kw_only=True)
class FunctionInfo:
    """The flow of a context begins or has ended.

    Attributes:
        operation: the context.
        is_replaying_children: whether the log holds operations of it.
        started: when the flow began, in this invocation.
        ended: when it ended.
        outcome: SUCCEEDED or FAILED.
        error: what it failed with.
    """

    operation: OperationInfo
    is_replaying_children: bool
    started: datetime
    ended: datetime | None = None
    outcome: str | None = None
    error: ErrorObject | None = None


class Plugin(Protocol):
    """What a plugin may have; hooks that it does not have are not called."""

    def on_invocation_start(self, info: InvocationStart) -> None:
        """An invocation begins; the workflow does not run yet."""

    def on_invocation_end(self, info: InvocationEnd) -> None:
        """An invocation has ended."""

    def on_operation_start(self, info: OperationInfo) -> None:
        """An operation is come to: for the first time, or again while it is not over."""

    def on_invoke(self, info: OperationInfo) -> str | None:
        """A function is about to be invoked: what this gives is sent as X-Ray's trace header."""

    def on_checkpoint(self, info: OperationChange) -> None:
        """Changes are about to be sent; should this invocation die, they may be recorded or not."""

    def on_operation_change(self, info: OperationChange) -> None:
        """The service has acknowledged changes."""

    def on_operation_end(self, info: OperationInfo) -> None:
        """An operation is over; told once."""

    def on_attempt_start(self, info: AttemptInfo) -> None:
        """An attempt of a step begins."""

    def on_attempt_end(self, info: AttemptInfo) -> None:
        """An attempt of a step has ended."""

    def on_function_start(self, info: FunctionInfo) -> None:
        """The flow of a context begins, in this invocation."""

    def on_function_end(self, info: FunctionInfo) -> None:
        """The flow of a context has ended."""

    def on_budget_warning(self, info: BudgetWarning) -> None:
        """The execution comes near to what the service allows; told once for each share."""
