"""What an operation gives a flow, or raises in it, made of what a plan says."""

from __future__ import annotations

from typing import Any

from durable_gen import errors
from durable_gen._failure import describe, rebuild
from durable_gen._ops import Callback, CreateCallback, FanOut, Op
from durable_gen._policy import Reason
from durable_gen._results import Batch, BatchItem, ItemStatus
from durable_gen.errors import UsageError
from durable_gen.testing._script import Raises
from durable_gen.testing._words import read

WRAPPERS: dict[str, type[errors.OperationFailed]] = {
    "step": errors.StepFailed,
    "wait_for_condition": errors.ConditionFailed,
    "callback_result": errors.CallbackFailed,
    "wait_for_callback": errors.CallbackFailed,
    "invoke": errors.InvokeFailed,
    "child": errors.ChildContextFailed,
    "compensation": errors.ChildContextFailed,
}


def given(op: Op[Any], value: Any) -> Any:
    """Make what an operation gives of what a plan says."""
    if isinstance(op, CreateCallback):
        return Callback(str(value), op.name, "", op, op.scope.made_anywhere)
    if isinstance(op, FanOut) and read(op).kind in ("map", "parallel"):
        return value if isinstance(value, Batch) else _batch(op, value)
    return value


def _batch(op: FanOut[Any], values: Any) -> Batch[Any]:
    if not isinstance(values, list | tuple) or len(values) != len(op.flows):
        msg = (
            f"{op.noun} {op.name!r} gives a Batch: .returns(...) takes one, or a list of as many "
            f"values as there are branches ({len(op.flows)}), not {values!r:.80}"
        )
        raise UsageError(msg)
    items: list[BatchItem[Any]] = []
    for index, (child, value) in enumerate(zip(op.flows, values, strict=True)):
        if isinstance(value, Raises):
            error = value.error() if isinstance(value.error, type) else value.error
            items.append(
                BatchItem(index, child.name, ItemStatus.FAILED, None, wrapped(child, error))
            )
        else:
            items.append(BatchItem(index, child.name, ItemStatus.SUCCEEDED, value))
    return Batch(tuple(items), Reason.ALL_COMPLETED, op.name)


def wrapped(op: Op[Any], error: BaseException) -> BaseException:
    """Make what an operation raises in a flow of what it has failed with."""
    wrapper = WRAPPERS.get(read(op).kind)
    through = wrapper is errors.CallbackFailed and read(op).kind == "wait_for_callback"
    if wrapper is None or isinstance(error, errors.OperationFailed if through else wrapper):
        return error
    made = rebuild(describe(error), wrapper, op.name or "")
    made.__cause__ = error
    return made
