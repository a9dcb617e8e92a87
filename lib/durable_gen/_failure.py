"""Errors and their records: what is kept of an exception, and what a record raises.

The law: whoever waits for an operation sees the error that its record describes, on the first run as
on every replay. The exception itself is only its cause, when it is still at hand.
"""

from __future__ import annotations

import builtins
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import orjson

from durable_gen import errors
from durable_gen._model import ErrorObject
from durable_gen.errors import DurableError, OperationFailed

E = TypeVar("E", bound=type[BaseException])

LIBRARY = str(Path(__file__).parent)
MAX_FRAMES = 20  # frames of a stack trace that are kept: the innermost
MAX_TEXT = (
    8_192  # characters of a message that are kept: with the stack under the 32 KiB of an error
)

OURS: dict[str, type[DurableError]] = {
    name: found
    for name, found in vars(errors).items()
    if isinstance(found, type) and issubclass(found, DurableError)
}
_registered: dict[str, type[BaseException]] = {}


def durable_error(cls: E) -> E:
    """Mark an exception class whose instances are raised as themselves, on replay too.

    An instance's `args` and attributes are stored as JSON; what JSON has no word for is stored as
    its text. So `except PaymentDeclined` around a step works on the first run and on every replay.

    Args:
        cls: the exception class; it must be importable when the execution is replayed.

    Returns:
        The same class.
    """
    _registered[type_name(cls)] = cls
    return cls


def type_name(cls: type[BaseException]) -> str:
    """Name an exception class as the log does: built-ins and ours bare, others with their module."""
    if cls.__module__ == builtins.__name__ or OURS.get(cls.__name__) is cls:
        return cls.__qualname__
    return f"{cls.__module__}.{cls.__qualname__}"


def describe(error: BaseException) -> ErrorObject:
    """Say what is recorded of an exception."""
    text = str(error)
    if len(text) > MAX_TEXT:
        text = text[:MAX_TEXT] + "…"
    return ErrorObject(
        type_name(type(error)), text, _data(error), tuple(frames(error.__traceback__))
    )


def _data(error: BaseException) -> str | None:
    if type_name(type(error)) in _registered:
        attributes = {k: v for k, v in vars(error).items() if k != "__notes__"}
        return _json({"args": error.args, "attributes": attributes})
    if isinstance(error, OperationFailed):
        return _json({"args": error.args, "attributes": _own(error)})
    return None


def _own(error: OperationFailed) -> dict[str, Any]:
    callback_id = getattr(error, "callback_id", None)
    return {"callback_id": callback_id} if callback_id is not None else {}


def _json(value: object) -> str:
    option = orjson.OPT_NON_STR_KEYS
    return orjson.dumps(value, default=str, option=option).decode()


def rebuild(
    error: ErrorObject,
    wrapper: Callable[..., OperationFailed],
    operation: str,
    passing: tuple[type[OperationFailed], ...] = (),
) -> BaseException:
    """Make the exception that a failed record raises.

    Args:
        error: what was recorded.
        wrapper: the class for an error that cannot be raised as itself.
        operation: the failed operation's name.
        passing: classes of ours that come back as themselves instead of being wrapped.

    Returns:
        A new exception; classes under `@durable_error` come back as themselves.
    """
    name = error.type or ""
    user = _registered.get(name)
    if user is not None and error.data is not None:
        return _restored(user, error.data)
    ours = OURS.get(name)
    if ours is not None:
        if not issubclass(ours, OperationFailed):
            return ours(error.message or "")
        if error.data is not None and issubclass(ours, passing):
            return _restored(ours, error.data)
    return wrapper(operation, error.type, error.message, error.data, error.stack_trace)


def _restored(cls: type[BaseException], data: str) -> BaseException:
    stored = orjson.loads(data)
    args = stored["args"]
    if issubclass(cls, OperationFailed):
        made: BaseException = cls(*args)
    else:
        made = cls.__new__(cls, *args)
        made.args = tuple(args)
    vars(made).update(stored["attributes"])
    return made


def raised(made: BaseException, error: ErrorObject, live: BaseException | None) -> BaseException:
    """Tie an exception to its origin: the live one as its cause, or the stored stack as a note."""
    if live is not None and type(live) is type(made) and isinstance(live, OperationFailed):
        made.__cause__ = live.__cause__  # it only passed on its way out
        for note in getattr(live, "__notes__", ()):
            made.add_note(note)
    elif live is not None:
        made.__cause__ = live
    elif error.stack_trace:
        made.add_note("Recorded where it was raised:\n" + "".join(error.stack_trace).rstrip())
    return made


def frames(tb: TracebackType | None) -> Iterator[str]:
    """Format a traceback's innermost frames, without the library's own."""
    summary = traceback.StackSummary.extract(traceback.walk_tb(tb))
    theirs = [frame for frame in summary if not frame.filename.startswith(LIBRARY)]
    yield from traceback.StackSummary.from_list(theirs[-MAX_FRAMES:]).format()


def story(error: BaseException) -> str:
    """Format an exception with its causes, without the library's own frames."""
    whole = traceback.TracebackException.from_exception(error)
    pending = [whole]
    while pending:
        part = pending.pop()
        theirs = [frame for frame in part.stack if not frame.filename.startswith(LIBRARY)]
        part.stack = traceback.StackSummary.from_list(theirs)
        pending += [one for one in (part.__cause__, part.__context__) if one is not None]
    return "".join(whole.format()).rstrip()
