"""What users may pass as options: refused early, with what to write instead."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from durable_gen._model import MAX_DURATION, MAX_TIMEOUT
from durable_gen.errors import UsageError

MAX_NAME = 256  # characters (service model: OperationName)
_good: set[str] = set()


def name(value: str | None) -> str | None:
    """Check an operation's name: 1 to 256 printable ASCII characters, or None."""
    if value is None or value in _good:
        return value
    if not isinstance(value, str):
        msg = f"an operation's name must be text or None, not {value!r:.80}"
        raise UsageError(msg)
    if not 1 <= len(value) <= MAX_NAME or not (value.isascii() and value.isprintable()):
        msg = (
            f"an operation's name must be 1 to {MAX_NAME} printable ASCII characters, and "
            f"{value!r:.80} is {len(value)} characters: shorten it, or put the rest into the step's "
            "arguments"
        )
        raise UsageError(msg)
    if len(_good) < 10_000:  # names made from data must not fill the memory
        _good.add(value)
    return value


def duration(what: str, value: Any) -> float:
    """Read a duration in seconds from a number or a timedelta."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        msg = f"{what} must be a number of seconds or a timedelta, not {value!r:.80}"
        raise UsageError(msg)
    return value


def wait(what: str, seconds: float) -> int:
    """Check how long a wait is: whole seconds, 1 to 366 days; fractions are rounded up."""
    if not 1 <= seconds <= MAX_DURATION:
        msg = f"{what}: a wait must be from 1 to {MAX_DURATION} seconds (366 days), not {seconds:g}"
        raise UsageError(msg)
    return math.ceil(seconds)


def timeout(what: str, value: Any) -> float | None:
    """Check how long a step may run: more than 0 seconds, or None for no limit."""
    if value is None:
        return None
    seconds = duration(what, value)
    if seconds <= 0:
        msg = f"{what} must be more than 0 seconds, or None for no limit, not {seconds:g}"
        raise UsageError(msg)
    return seconds


def deadline(what: str, value: Any) -> int:
    """Check how long a callback may take: whole seconds, at least 1, or None for no limit."""
    if value is None:
        return 0
    seconds = duration(what, value)
    if not 1 <= seconds <= MAX_TIMEOUT:
        msg = (
            f"{what} must be from 1 to {MAX_TIMEOUT} seconds, or None for no limit, not {seconds:g}"
        )
        raise UsageError(msg)
    return math.ceil(seconds)


def at_least_one(what: str, value: int | None) -> int | None:
    """Check a bound: at least 1, or None for no bound."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        msg = f"{what} must be at least 1, or None for no bound, not {value!r:.80}"
        raise UsageError(msg)
    return value


def instant(what: str, value: datetime) -> datetime:
    """Check an instant: with its time zone."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        msg = f"{what} must be a datetime with a time zone, as datetime.now(UTC) has, not {value!r}"
        raise UsageError(msg)
    return value


def callable_(what: str, value: Any) -> Any:
    """Check that something can be called."""
    if not callable(value):
        msg = f"{what} must be a function, not {value!r:.80} ({type(value).__name__})"
        raise UsageError(msg)
    return value
