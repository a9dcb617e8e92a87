"""Durable workflows on AWS Lambda, written as generators."""

from typing import TYPE_CHECKING, Any

from durable_gen._budget import Budget, Usage
from durable_gen._effects import StepInfo
from durable_gen._failure import durable_error
from durable_gen._ops import Callback, Flow, Op, Semantics
from durable_gen._policy import Completion, Progress, Reason
from durable_gen._results import (
    Batch,
    BatchItem,
    CompensationItem,
    CompensationResult,
    ItemStatus,
)
from durable_gen._schedule import Poll, Retry
from durable_gen._serde import Json, Serde, SerdeInfo, Text
from durable_gen._step import current_step
from durable_gen._version import VERSION
from durable_gen.backends import Backend
from durable_gen.context import Context
from durable_gen.errors import (
    BatchFailed,
    CallbackFailed,
    CallbackSubmitFailed,
    CallbackTimedOut,
    CheckpointFailed,
    ChildContextFailed,
    CompensationFailed,
    ConditionFailed,
    DeserializationError,
    DurableError,
    InvokeFailed,
    InvokeStopped,
    InvokeTimedOut,
    NonDeterminismError,
    OperationFailed,
    PayloadTooLarge,
    SerializationError,
    StepFailed,
    StepInterrupted,
    StepTimedOut,
    UsageError,
    WaitFailed,
)
from durable_gen.handler import Handler, durable

if TYPE_CHECKING:
    from durable_gen.plugins import (
        AttemptInfo,
        BudgetWarning,
        FunctionInfo,
        InvocationEnd,
        InvocationStart,
        OperationChange,
        OperationInfo,
        Plugin,
    )


def __getattr__(name: str) -> Any:
    """Import what plugins are told when it is asked for: most cold starts have none."""
    if name in __all__:
        from durable_gen import plugins

        return getattr(plugins, name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


__all__ = [
    "VERSION",
    "AttemptInfo",
    "Backend",
    "Batch",
    "BatchFailed",
    "BatchItem",
    "Budget",
    "BudgetWarning",
    "Callback",
    "CallbackFailed",
    "CallbackSubmitFailed",
    "CallbackTimedOut",
    "CheckpointFailed",
    "ChildContextFailed",
    "CompensationFailed",
    "CompensationItem",
    "CompensationResult",
    "Completion",
    "ConditionFailed",
    "Context",
    "DeserializationError",
    "DurableError",
    "Flow",
    "FunctionInfo",
    "Handler",
    "InvocationEnd",
    "InvocationStart",
    "InvokeFailed",
    "InvokeStopped",
    "InvokeTimedOut",
    "ItemStatus",
    "Json",
    "NonDeterminismError",
    "Op",
    "OperationChange",
    "OperationFailed",
    "OperationInfo",
    "PayloadTooLarge",
    "Plugin",
    "Poll",
    "Progress",
    "Reason",
    "Retry",
    "Semantics",
    "Serde",
    "SerdeInfo",
    "SerializationError",
    "StepFailed",
    "StepInfo",
    "StepInterrupted",
    "StepTimedOut",
    "Text",
    "Usage",
    "UsageError",
    "WaitFailed",
    "current_step",
    "durable",
    "durable_error",
]
