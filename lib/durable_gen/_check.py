"""What users may pass as options: refused early, with what to write instead."""

from __future__ import annotations

import inspect
import math
import re
from datetime import datetime, timedelta
from types import FunctionType, GeneratorType
from typing import Any

from durable_gen._model import MAX_DURATION, MAX_TIMEOUT
from durable_gen.errors import UsageError

MAX_NAME = 256  # characters (service model: OperationName)
NAME = f"an operation's name must be 1 to {MAX_NAME} printable ASCII characters"


def is_async(function: Any) -> bool:
    """Tell whether a function is `async def`, or marked as if it were."""
    if type(function) is FunctionType and not function.__dict__:  # most are; `inspect` looks at all
        return bool(function.__code__.co_flags & inspect.CO_COROUTINE)
    return inspect.iscoroutinefunction(function)


def is_awaitable(value: Any) -> bool:
    """Tell whether a value is to be awaited."""
    if isinstance(value, GeneratorType):
        return bool(value.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE)
    return getattr(type(value), "__await__", None) is not None


def name(value: str | None) -> str | None:
    """Check an operation's name: 1 to 256 printable ASCII characters, or None."""
    if value is None:
        return value
    plain = type(value) is str and value.isascii() and value.isprintable()
    if plain and 0 < len(value) <= MAX_NAME:
        return value
    if not isinstance(value, str):
        msg = f"an operation's name must be text or None, not {value!r:.80}"
        raise UsageError(msg)
    if not value:
        msg = f"{NAME}, not '': write None for an operation without a name"
        raise UsageError(msg)
    bad = next((c for c in value if not (c.isascii() and c.isprintable())), None)
    if bad is not None or len(value) > MAX_NAME:
        has = f"{len(value)}: shorten it" if bad is None else f"{bad!r}: leave it out"
        msg = f"{NAME}, and {value!r:.80} has {has}, or put the rest into the step's arguments"
        raise UsageError(msg)
    return value


def duration(what: str, value: Any) -> float:
    """Read a duration in seconds from a number or a timedelta."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        msg = f"{what} must be a number of seconds or a timedelta, not {value!r:.80}"
        raise UsageError(msg)
    return value


def _shown(seconds: float) -> str:
    return str(int(seconds)) if seconds == int(seconds) else str(seconds)


def wait(what: str, seconds: float) -> int:
    """Check how long a wait is: whole seconds, 1 to 366 days; fractions are rounded up."""
    if not 1 <= seconds <= MAX_DURATION:
        msg = (
            f"{what}: a wait must be from 1 to {MAX_DURATION} seconds (366 days), "
            f"not {_shown(seconds)}"
        )
        raise UsageError(msg)
    return math.ceil(seconds)


def timeout(what: str, value: Any) -> float | None:
    """Check how long a step may run: more than 0 seconds, or None for no limit."""
    if value is None:
        return None
    seconds = duration(what, value)
    if seconds <= 0:
        msg = f"{what} must be more than 0 seconds, or None for no limit, not {_shown(seconds)}"
        raise UsageError(msg)
    return seconds


def deadline(what: str, value: Any) -> int:
    """Check how long a callback may take: whole seconds, at least 1, or None for no limit."""
    if value is None:
        return 0
    seconds = duration(what, value)
    if not 1 <= seconds <= MAX_TIMEOUT:
        msg = (
            f"{what} must be from 1 to {MAX_TIMEOUT} seconds, or None for no limit, "
            f"not {_shown(seconds)}"
        )
        raise UsageError(msg)
    return math.ceil(seconds)


def whole(what: str, value: Any, least: int = 1, *, also: str = "") -> Any:
    """Check a whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        msg = f"{what} must be a whole number of at least {least}{also}, not {value!r:.80}"
        raise UsageError(msg)
    return value


def bound(what: str, value: int | None) -> int | None:
    """Check a bound: at least 1, or None for no bound."""
    return None if value is None else whole(what, value, also=", or None for no bound")


def seconds(what: str, value: Any) -> None:
    """Check a delay: from 0 seconds to 366 days."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= MAX_DURATION:
        msg = f"{what} must be between 0 and {MAX_DURATION} seconds, not {value!r:.80}"
        raise UsageError(msg)


def instant(what: str, value: datetime) -> datetime:
    """Check an instant: with its time zone."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        msg = f"{what} must be a datetime with a time zone, as datetime.now(UTC) has, not {value!r}"
        raise UsageError(msg)
    return value


def function(what: str, value: Any, also: str = "a function") -> Any:
    """Check that something can be called."""
    if not callable(value):
        shown = "None" if value is None else f"{value!r:.80} ({type(value).__name__})"
        msg = f"{what} must be {also}, not {shown}"
        raise UsageError(msg)
    return value


def shown(value: Any) -> str:
    """Show a value and its type, whatever its own `repr` does."""
    try:
        return f"{value!r:.80} ({type(value).__name__})"
    except Exception:
        return f"a {type(value).__name__}"


def no_function(value: Any) -> UsageError:
    """Make the error for a step that is given something else than a function."""
    shown = "None" if value is None else f"{value!r:.80} ({type(value).__name__})"
    msg = (
        f"ctx.step(name, fn, *args): fn must be a function, not {shown}. Its arguments follow it:\n"
        '    wrong:  ctx.step("charge", charge(order))\n'
        '    right:  ctx.step("charge", charge, order)'
    )
    return UsageError(msg)


def iterable(what: str, value: Any) -> None:
    """Check that something can be gone through."""
    if not hasattr(value, "__iter__"):
        msg = f"{what} must be a list or another iterable, not {value!r:.80}"
        raise UsageError(msg)


def one_of(what: str, value: Any, kinds: type, expected: str) -> Any:
    """Check what an option is."""
    if not isinstance(value, kinds):
        msg = f"{what} must be {expected}, not {value!r:.80}"
        raise UsageError(msg)
    return value


def serde(what: str, value: Any) -> Any:
    """Check what stores values: a serde, or None for the default."""
    if value is None:
        return None
    if isinstance(value, type):
        msg = f"{what} must be an instance: write {value.__name__}()"
        raise UsageError(msg)
    if hasattr(value, "dumps") and hasattr(value, "loads"):
        return value
    if hasattr(value, "encode") and hasattr(value, "decode") and not isinstance(value, str):
        msg = f"{what} must be a serde, and {value!r:.80} is a codec: write Json() | {value!r:.80}"
        raise UsageError(msg)
    msg = f"{what} must be a serde, with dumps() and loads(), or None, not {shown(value)}"
    raise UsageError(msg)


def sub_type(word: str | None) -> str | None:
    """Check a sub type: 1 to 32 characters (service model: OperationSubType)."""
    if word is None:
        return None
    if not isinstance(word, str) or not re.fullmatch("[a-zA-Z0-9_-]{1,32}", word):
        msg = f"sub_type must be 1 to 32 of [a-zA-Z0-9-_], not {word!r:.80}"
        raise UsageError(msg)
    return word
