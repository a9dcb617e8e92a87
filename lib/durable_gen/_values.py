"""What operations give, and the text that is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from durable_gen._fanout import read
from durable_gen._ids import operation_id
from durable_gen._model import MAX_PAYLOAD, length
from durable_gen._ops import (
    Callback,
    CallbackResult,
    Child,
    CreateCallback,
    FanOut,
    Invoke,
    Op,
    Step,
    label,
)
from durable_gen._results import ItemStatus
from durable_gen._scope import Scope
from durable_gen.errors import PayloadTooLarge
from durable_gen.recipes import once

NONE: Mapping[int, BaseException] = MappingProxyType({})


class Values(Protocol):
    """Turns values into text and back; the edges have one."""

    def dumps(
        self, op: Op[Any], value: Any, operation_id: str, attempt: int, *, kept: bool = True
    ) -> str:
        """Encode what an operation gives, or raise SerializationError."""

    def loads(self, op: Op[Any], text: str, operation_id: str) -> Any:
        """Decode what an operation gives, or raise DeserializationError."""

    def dump_payload(self, op: Op[Any], operation_id: str) -> str:
        """Encode what an operation sends, or raise SerializationError."""

    def plain(self, op: Op[Any]) -> bool:
        """Tell whether what an operation gives is encoded as JSON."""


def load(
    values: Values,
    op: Op[Any],
    id: str,  # noqa: A002 - the wire's word
    scope: Scope,
    text: str | None,
    lives: Mapping[int, BaseException] = NONE,
) -> Any:
    """Make what an operation gives from the text that is kept of it.

    Args:
        values: reads the values of single operations.
        op: the operation.
        id: its id.
        scope: where it was yielded.
        text: the text; None for no value.
        lives: the exceptions of branches that failed in this invocation.
    """
    if isinstance(op, FanOut):
        first = scope.execution.dialect.first

        def branch(index: int, stored: str | None) -> Any:
            return load(values, op.flows[index], operation_id(id, first + index), scope, stored)

        batch = read(op, text or "", branch, lambda child: plain(values, child), lives)
        for child, item in zip(op.flows, batch, strict=True):
            if passes(child) and item.status is ItemStatus.SUCCEEDED:
                register(scope, child.inner()[0], item.value)
        return op.picked(batch)
    if text is None:
        return None
    if passes(op):
        return load(values, op.inner()[0], operation_id(id, 1), scope, text)
    if isinstance(op, CreateCallback):
        return Callback(text, op.name, id, op, scope.made_anywhere)
    if isinstance(op, CallbackResult):
        id = op.callback.operation_id  # noqa: A001 - it is the callback's, wherever it is awaited
    return values.loads(op, text, id)


def register(scope: Scope, op: Op[Any], value: Any) -> None:
    """Note how a step that succeeded is undone."""
    if type(op) is Step and op.compensate is not None:
        registered = scope.compensations = scope.compensations or []
        registered.append((op.name, op.compensate, op.args, value))


def plain(values: Values, op: Op[Any]) -> bool:
    """Tell whether the text that is kept of an operation is JSON."""
    if passes(op):
        op = op.inner()[0]
    if isinstance(op, (CreateCallback, CallbackResult, Invoke)):
        return False  # it comes from outside
    return isinstance(op, FanOut) or values.plain(op)


def passes(op: Op[Any]) -> bool:
    """Tell whether an operation only passes on what another one gave, with its text."""
    return isinstance(op, Child) and op.flow is once


def check_size(op: Op[Any], text: str) -> None:
    """Refuse a text that the service would not keep.

    Raises:
        PayloadTooLarge: it is over the limit.
    """
    size = length(text)
    if size > MAX_PAYLOAD:
        sent = isinstance(op, Invoke)
        what = f"the payload of {label(op)}" if sent else f"{label(op)}: its value"
        msg = (
            f"{what} takes {size} bytes as text, and the service keeps at most {MAX_PAYLOAD} of an "
            f"operation: keep it elsewhere (S3, a table) and {'send' if sent else 'return'} where"
            f"{'' if sent else ', or give it a serde that does: Json() | S3(bucket)'}"
        )
        raise PayloadTooLarge(msg)
