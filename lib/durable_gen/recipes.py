"""What can be written with `yield from` over the other operations. Reading it teaches the library."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from durable_gen._ops import Op
from durable_gen._results import (
    Batch,
    BatchItem,
    CompensationItem,
    CompensationResult,
    ItemStatus,
    batch_failed,
)
from durable_gen.errors import CallbackSubmitFailed, StepFailed

if TYPE_CHECKING:
    from durable_gen.context import Context

Steps = Generator[Op[Any], Any, Any]


def once(ctx: Context, op: Op[Any]) -> Steps:  # noqa: ARG001 - it has a flow's signature
    """Yield one operation: the flow of a combinator's branch."""
    return (yield op)


def wait_for_callback(
    ctx: Context, name: str | None, submit: Callable[[str], Any], how: dict[str, Any], retry: Any
) -> Steps:
    """Make a callback, hand its id to `submit` in a step, and wait for the answer."""
    callback = yield ctx.callback(name, **how)
    try:
        yield ctx.step(f"{name} submit"[:256] if name else None, submit, callback.id, retry=retry)
    except StepFailed as failed:
        text = failed.message
        raise CallbackSubmitFailed(name or "", failed.error_type, text, failed.data) from failed
    return (yield callback.result())


def compensate(ctx: Context) -> Steps:
    """Run what `compensate=` registered, the last step's first; a failure does not stop the rest."""
    items = []
    registered = ctx._scope.compensations or []  # noqa: SLF001
    while registered:
        name, undo, args, value = registered.pop()
        try:
            yield ctx.child(name, _undo, name, undo, (*args, value), sub_type="Compensation")
        except Exception as error:  # classes under @durable_error come as themselves
            items.append(CompensationItem(name, error))
        else:
            items.append(CompensationItem(name))
    return CompensationResult(tuple(items))


def _undo(ctx: Context, name: str | None, undo: Callable[..., Any], args: tuple[Any, ...]) -> Steps:
    if inspect.isgeneratorfunction(undo):
        yield undo(ctx, *args)
    else:
        yield ctx.step(name, undo, *args)


# --- what a combinator makes of the batch of its branches ------------------------------------------


def every(batch: Batch[Any]) -> tuple[Any, ...]:
    """Give all values, or raise the first error."""
    for error in batch.errors:
        raise error
    return tuple(batch.values)


def outcomes(batch: Batch[Any]) -> tuple[BatchItem[Any], ...]:
    """Give what became of each."""
    return batch.items


def first_success(batch: Batch[Any]) -> Any:
    """Give the first value, or raise BatchFailed with all errors."""
    for item in batch:
        if item.status is ItemStatus.SUCCEEDED:
            return item.value
    raise batch_failed(batch.name, len(batch), batch.errors)


def first_end(batch: Batch[Any]) -> Any:
    """Give the value of whatever ended first, or raise its error."""
    for item in batch:
        if item.error is not None:
            raise item.error
        if item.status is ItemStatus.SUCCEEDED:
            return item.value
    raise batch_failed(batch.name, len(batch), batch.errors)
