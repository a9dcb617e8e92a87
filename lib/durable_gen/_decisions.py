"""The five words by which a kind answers the kernel: Resolve, Run, Emit, Spawn, Block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field

from durable_gen._model import Action, Change, ErrorObject, Record, Status, instant
from durable_gen.errors import OperationFailed

Wrapper = Callable[..., OperationFailed]


@define
class Resolve:
    """It is over: go on with what its record holds.

    Attributes:
        text: what is kept of its value; None for no value.
        error: what it failed with; None when it did not.
        wrapper: the class of the error to raise.
        passing: classes of errors that are raised as themselves; None for an error from outside.
    """

    text: str | None = None
    error: ErrorObject | None = None
    wrapper: Wrapper = OperationFailed
    passing: tuple[type[OperationFailed], ...] | None = ()


@define
class Run:
    """Run the user's function, and settle the operation with its outcome.

    Attributes:
        fn: the function.
        args: its arguments.
        start: the change to send first, if any.
        barrier: whether it may only run when `start` is acknowledged.
        state: a payload to decode as its only argument, instead of `args`.
    """

    fn: Callable[..., Any]
    args: tuple[Any, ...] = ()
    start: Change | None = None
    barrier: bool = False
    state: str | None = None


@define
class Emit:
    """Send a change, and look again when it is acknowledged.

    Attributes:
        change: the change.
        payload: whether the operation's `payload` is to be encoded into it.
    """

    change: Change
    payload: bool = False


@define
class Spawn:
    """Run flows of the user's in an id space of this operation's.

    Attributes:
        start: the change to send first, if any.
        again: whether the operation is over, and its flows only find again what it gave.
    """

    start: Change | None = None
    again: bool = False


@define
class Block:
    """Nothing to do until the service says more.

    Attributes:
        until: when that will be, in any form of the wire's, if it is known.
    """

    until: Any = field(default=None, eq=instant)


Decision = Resolve | Run | Emit | Spawn | Block

START = Change(Action.START)


def failed(
    record: Record,
    wrapper: Wrapper,
    passing: tuple[type[OperationFailed], ...] | None = (),
) -> Resolve:
    """Resolve an operation that ended without success with the error that its record holds."""
    error = record.error
    if error is None or (error.type is None and error.message is None and error.data is None):
        word = record.status.lower().replace("_", " ")
        message = "" if record.status == Status.FAILED else f"it was {word}"
        error = ErrorObject(message=message or None)
    return Resolve(error=error, wrapper=wrapper, passing=passing)
