"""What can go wrong: one tree of errors, each with a stable `code`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class DurableError(Exception):
    """The root of every error that this library raises.

    Attributes:
        code: a stable word for logs, alarms and tests.
    """

    code: ClassVar[str] = "DURABLE_ERROR"


# --- ours to report, theirs to mend -------------------------------------------------------------


class UsageError(DurableError):
    """The library was called in a way that cannot work; the text says what to write instead."""

    code = "USAGE"


class NonDeterminismError(DurableError):
    """The code does not do what the log of this execution says that it did."""

    code = "REPLAY_MISMATCH"


class SerializationError(DurableError):
    """A value cannot be stored and read back as what it is."""

    code = "SERIALIZATION"


class DeserializationError(DurableError):
    """A stored text cannot be read as the value that the code expects."""

    code = "DESERIALIZATION"


class PayloadTooLarge(SerializationError):  # noqa: N818 - named for what happened, as its siblings
    """A value is larger than the service takes; it was refused before it was sent."""

    code = "PAYLOAD_TOO_LARGE"


class CheckpointFailed(DurableError):  # noqa: N818
    """The service refused a checkpoint, or answered one with something that cannot be used."""

    code = "CHECKPOINT_FAILED"


# --- an operation that ended without success ------------------------------------------------------


class OperationFailed(DurableError):  # noqa: N818
    """An operation ended without success.

    Args:
        operation: the operation's name, or its path where it has none.
        error_type: the class name of the error that ended it, as it was recorded.
        message: that error's text.
        data: what else was recorded of it: text, usually JSON.
        stack_trace: the lines of its traceback, as they were recorded.
    """

    code = "OPERATION_FAILED"
    subject: ClassVar[str] = "operation failed"

    def __init__(
        self,
        operation: str = "",
        error_type: str | None = None,
        message: str | None = None,
        data: str | None = None,
        stack_trace: Sequence[str] = (),
    ) -> None:
        self.operation = operation
        self.error_type = error_type
        self.message = message
        self.data = data
        self.stack_trace = tuple(stack_trace)
        super().__init__(operation, error_type, message, data)

    def __str__(self) -> str:
        text = self.message if self.message is not None else self.data
        cause = ": ".join(part for part in (self.error_type, text) if part)
        return self._place() + (f": {cause}" if cause else "")

    def _place(self) -> str:
        return f"{self.subject} for operation {self.operation!r}"


class StepFailed(OperationFailed):
    """A step raised, and no attempt is left."""

    code = "STEP_FAILED"
    subject = "step failed"


class StepTimedOut(StepFailed):
    """A step ran longer than its `timeout`."""

    code = "STEP_TIMEOUT"
    subject = "step timed out"


class StepInterrupted(StepFailed):
    """An at-most-once step was begun and its end was never recorded."""

    code = "STEP_INTERRUPTED"
    subject = "step interrupted"


class WaitFailed(OperationFailed):
    """A wait was cancelled or stopped from outside."""

    code = "WAIT_FAILED"
    subject = "wait failed"


class ConditionFailed(OperationFailed):
    """A wait for a condition gave up, or its check raised."""

    code = "CONDITION_FAILED"
    subject = "condition failed"


class ChildContextFailed(OperationFailed):
    """A child context, branch or item ended with an error."""

    code = "CHILD_CONTEXT_FAILED"
    subject = "child context failed"


class CallbackFailed(OperationFailed):
    """Whoever holds the callback's id answered that it failed."""

    code = "CALLBACK_FAILED"
    subject = "callback failed"

    def __init__(
        self,
        operation: str = "",
        error_type: str | None = None,
        message: str | None = None,
        data: str | None = None,
        stack_trace: Sequence[str] = (),
        callback_id: str | None = None,
    ) -> None:
        super().__init__(operation, error_type, message, data, stack_trace)
        self.callback_id = callback_id

    def _place(self) -> str:
        where = f" (callback_id: {self.callback_id})" if self.callback_id else ""
        return super()._place() + where


class CallbackTimedOut(CallbackFailed):
    """Nobody answered a callback, or sent a heartbeat, in time."""

    code = "CALLBACK_TIMEOUT"
    subject = "callback timed out"


class CallbackSubmitFailed(CallbackFailed):
    """The function that hands out a callback's id failed."""

    code = "CALLBACK_SUBMIT_FAILED"
    subject = "callback submit failed"


class InvokeFailed(OperationFailed):
    """An invoked function failed."""

    code = "INVOKE_FAILED"
    subject = "invoke failed"


class InvokeTimedOut(InvokeFailed):
    """An invoked function's execution timed out."""

    code = "INVOKE_TIMEOUT"
    subject = "invoke timed out"


class InvokeStopped(InvokeFailed):
    """An invoked function's execution was stopped."""

    code = "INVOKE_STOPPED"
    subject = "invoke stopped"


class BatchFailed(OperationFailed):
    """Branches or items failed, and the caller asked that none may.

    Its type and message are those of the first that failed.

    Attributes:
        errors: the errors of those that failed, in the order of the input.
        told: how many failed, of how many, and the first of them.
    """

    code = "BATCH_FAILED"
    subject = "batch failed"
    errors: Sequence[BaseException] = ()
    told: str = ""

    def __str__(self) -> str:
        return f"{self._place()}: {self.told}" if self.told else super().__str__()


class CompensationFailed(OperationFailed):
    """At least one compensation failed.

    Attributes:
        result: the `CompensationResult` with every item.
    """

    code = "COMPENSATION_FAILED"
    subject = "compensation failed"
    result: Any = None
