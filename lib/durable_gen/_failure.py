"""Errors and their records: what is kept of an exception, and what a record raises.

The law: whoever waits for an operation sees the error that its record describes, on the first run as
on every replay. The exception itself is only its cause, when it is still at hand.
"""

from __future__ import annotations

import builtins
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar

import orjson

from durable_gen import errors
from durable_gen._model import ErrorObject
from durable_gen.errors import DurableError, OperationFailed

E = TypeVar("E", bound=type[BaseException])

LIBRARY = __file__.rpartition("_failure")[0]  # the folder, with its separator
# What is kept of an error is under the 32 KiB that the service's own runner takes of one.
MAX_FRAMES = 20  # frames of a stack trace: the innermost
MAX_FRAME = 400  # bytes of one of them
MAX_TEXT = 8_192  # bytes of a message
MAX_DATA = 12_288  # bytes of an exception's arguments and attributes
MAX_PART = 1_000  # bytes of a text among them, where they are too many
MAX_DEPTH = 20  # levels among them

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
    notes = getattr(error, "__notes__", ())
    lines = (*frames(error.__traceback__), *(f"{note}\n" for note in notes))
    stack = tuple(_cut(line, MAX_FRAME) for line in lines)
    text = _cut(_text(error), MAX_TEXT)
    brief = _cut(innermost(error), MAX_TEXT)
    return ErrorObject(type_name(type(error)), text, _data(error), stack, brief)


def innermost(error: BaseException) -> str:
    """Say what went wrong in the first place: the text of the error that an operation failed with."""
    message = error.message if isinstance(error, OperationFailed) else None
    return _text(error) if message is None else message


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as problem:  # its own __str__ is broken
        return f"(its text cannot be made: {type(problem).__name__})"


def _cut(text: str, most: int) -> str:
    """Shorten a text to so many bytes; what UTF-8 has no bytes for is replaced."""
    if text.isascii() and len(text) <= most:
        return text
    data = text.encode(errors="backslashreplace")
    return data.decode() if len(data) <= most else data[:most].decode(errors="ignore") + "…"


def _data(error: BaseException) -> str | None:
    if type_name(type(error)) in _registered:
        return _json({"args": error.args, "attributes": _attributes(error)})
    if isinstance(error, OperationFailed):
        return _json({"args": error.args, "attributes": _own(error)})
    return None


def _attributes(error: BaseException) -> dict[str, Any]:
    """List what an exception holds, in its dict and in slots."""
    names = [name for cls in type(error).__mro__ for name in _slots(cls)]
    names += getattr(error, "__dict__", {})
    found = {name: getattr(error, name, None) for name in names}
    return {k: v for k, v in found.items() if not (k.startswith("__") and k.endswith("__"))}


def _slots(cls: type) -> tuple[str, ...]:
    slots = vars(cls).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _own(error: OperationFailed) -> dict[str, Any]:
    return {name: vars(error)[name] for name in ("callback_id", "told") if vars(error).get(name)}


def _json(value: object) -> str:
    try:
        text = orjson.dumps(value, default=_plainly, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError):  # numbers beyond 64 bits, lone surrogates, circles
        text = ""
    if not text or len(text.encode()) > MAX_DATA:
        text = orjson.dumps(_plain(value)).decode()
    return text if len(text.encode()) <= MAX_DATA else ""


def _plain(value: Any, depth: int = 0) -> Any:
    """Make JSON of a value, whatever it is: texts are cut, what JSON has no word for is text."""
    if isinstance(value, dict) and depth < MAX_DEPTH:
        return {_plainly(key): _plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, (list, tuple)) and depth < MAX_DEPTH:
        return [_plain(one, depth + 1) for one in value]
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    return _plainly(value)


def _plainly(value: Any) -> str:
    try:
        return _cut(str(value), MAX_PART)
    except Exception:
        return f"({type(value).__name__})"


def rebuild(
    error: ErrorObject,
    wrapper: Callable[..., OperationFailed],
    operation: str,
    passing: tuple[type[OperationFailed], ...] | None = (),
) -> BaseException:
    """Make the exception that a failed record raises.

    Args:
        error: what was recorded.
        wrapper: the class for an error that cannot be raised as itself.
        operation: the failed operation's name.
        passing: classes of ours that come back as themselves instead of being wrapped; None for an
            error from outside, which is always wrapped: others may not choose what is raised here.

    Returns:
        A new exception; classes under `@durable_error` come back as themselves.
    """
    if passing is None:
        return wrapper(operation, error.type, error.message, error.data, error.stack_trace)
    name = error.type or ""
    user = _registered.get(name)
    if user is not None and (made := _restored(user, error.data)) is not None:
        return made
    ours = OURS.get(name)
    if ours is not None:
        if not issubclass(ours, OperationFailed):
            return ours(error.message or "")
        if issubclass(ours, passing) and (made := _restored(ours, error.data)) is not None:
            return made
    return wrapper(operation, error.type, error.message, error.data, error.stack_trace)


def _restored(cls: type[BaseException], data: str | None) -> BaseException | None:
    """Make an exception from what was recorded of it; None where that was written by others."""
    try:
        stored = orjson.loads(data or "")
        args, attributes = tuple(stored["args"]), dict(stored["attributes"])
        if issubclass(cls, OperationFailed):
            made: BaseException = cls(*args)
        else:
            made = cls.__new__(cls, *args)
            BaseException.__setattr__(made, "args", args)
        for name, value in attributes.items():
            object.__setattr__(made, name, value)  # frozen classes have one that raises
    except Exception:  # recorded by others, or a class that cannot be made so
        return None
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
