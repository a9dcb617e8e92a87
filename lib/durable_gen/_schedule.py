"""When something is tried again: retries of steps and polls of conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from attrs import field, frozen

from durable_gen import _check
from durable_gen.errors import PayloadTooLarge, SerializationError, UsageError

Jitter = Literal["full", "half", "none"]
JITTERS = ("full", "half", "none")
NEVER = (SerializationError, PayloadTooLarge, UsageError)  # trying again cannot mend these


def _growth(what: str, backoff: Any, jitter: Any) -> None:
    number = isinstance(backoff, int | float) and not isinstance(backoff, bool)
    if not number or not backoff >= 1:
        msg = f"{what}(backoff=...) must be a factor of at least 1, not {backoff!r}"
        raise UsageError(msg)
    if jitter not in JITTERS:
        msg = f"{what}(jitter=...) must be 'full', 'half' or 'none', not {jitter!r}"
        raise UsageError(msg)


def spread(initial: float, maximum: float, backoff: float, attempt: int) -> float:
    """Say how long to wait after an attempt, before jitter, in seconds."""
    try:
        return min(maximum, initial * float(backoff) ** (attempt - 1))
    except OverflowError:
        return maximum if initial else 0


def jittered(seconds: float, jitter: Jitter, draw: float) -> int:
    """Apply jitter and round up to whole seconds of at least 1.

    Args:
        seconds: the delay.
        jitter: "full" draws from all of it, "half" from its second half.
        draw: a number from 0 to 1, drawn by the driver; what comes of it is recorded.
    """
    if jitter == "full":
        seconds *= draw
    elif jitter == "half":
        seconds = seconds / 2 + seconds / 2 * draw
    return max(1, math.ceil(seconds))


def _classes(given: Any) -> tuple[type[BaseException], ...]:
    classes = given if isinstance(given, tuple | list) else (given,)
    if not all(isinstance(one, type) and issubclass(one, BaseException) for one in classes):
        msg = f"Retry(retry_on=...) must be exception classes, not {given!r:.80}"
        raise UsageError(msg)
    return tuple(classes)


@frozen(kw_only=True)
class Retry:
    """How often and when a failed step is tried again.

    Args:
        max_attempts: how often it runs in all.
        initial: seconds before the second attempt.
        maximum: the most seconds between two attempts.
        backoff: the factor by which the delay grows.
        jitter: "full" (from 0 to the delay), "half" (its second half) or "none".
        retry_on: exception classes that are tried again; others fail at once.
        retry_if: a predicate on the exception, asked after `retry_on`.

    Raises:
        UsageError: a number is out of range.
    """

    max_attempts: int = 6
    initial: float = 5
    maximum: float = 60
    backoff: float = 2.0
    jitter: Jitter = "full"
    retry_on: tuple[type[BaseException], ...] = field(default=(Exception,), converter=_classes)
    retry_if: Callable[[Any], bool] | None = None

    def __attrs_post_init__(self) -> None:
        _check.whole("Retry(max_attempts=...)", self.max_attempts)
        _check.seconds("Retry(initial=...)", self.initial)
        _check.seconds("Retry(maximum=...)", self.maximum)
        _growth("Retry", self.backoff, self.jitter)
        if self.retry_if is not None:
            _check.function("Retry(retry_if=...)", self.retry_if)


def retry_delay(retry: Retry | None, attempt: int, error: BaseException, draw: float) -> int | None:
    """Decide whether an attempt that failed is followed by another.

    Args:
        retry: the policy; None for no retry.
        attempt: the attempt that failed, from 1.
        error: what it raised.
        draw: a number from 0 to 1 for the jitter.

    Returns:
        Whole seconds until the next attempt, or None when there is none.
    """
    if retry is None or attempt >= retry.max_attempts or isinstance(error, NEVER):
        return None
    if not isinstance(error, retry.retry_on):
        return None
    if retry.retry_if is not None and not retry.retry_if(error):
        return None
    seconds = spread(retry.initial, retry.maximum, retry.backoff, attempt)
    return jittered(seconds, retry.jitter, draw)


@frozen(kw_only=True)
class Poll:
    """When a condition is met, and when it is looked at again.

    Args:
        until: a predicate on the state: true when the wait is over. None: as soon as it is truthy.
        max_attempts: how often `check` runs in all.
        initial: seconds before the second look.
        maximum: the most seconds between two looks.
        backoff: the factor by which the delay grows.
        jitter: "full" (from 0 to the delay), "half" (its second half) or "none".

    Raises:
        UsageError: a number is out of range.
    """

    until: Callable[[Any], bool] | None = None
    max_attempts: int = 60
    initial: float = 5
    maximum: float = 300
    backoff: float = 1.5
    jitter: Jitter = "full"

    def __attrs_post_init__(self) -> None:
        _check.whole("Poll(max_attempts=...)", self.max_attempts)
        _check.seconds("Poll(initial=...)", self.initial)
        _check.seconds("Poll(maximum=...)", self.maximum)
        _growth("Poll", self.backoff, self.jitter)
        if self.until is not None:
            _check.function("Poll(until=...)", self.until)

    def done(self, state: Any) -> bool:
        """Tell whether a state ends the wait."""
        return bool(state if self.until is None else self.until(state))


def poll_delay(poll: Poll, attempt: int, draw: float) -> int | None:
    """Say when a condition that is not met is looked at again.

    Returns:
        Whole seconds until the next look, or None when `poll` allows no more.
    """
    if attempt >= poll.max_attempts:
        return None
    seconds = spread(poll.initial, poll.maximum, poll.backoff, attempt)
    return jittered(seconds, poll.jitter, draw)
