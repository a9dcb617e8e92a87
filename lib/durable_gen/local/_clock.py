"""Two clocks: one that is the machine's, one that jumps."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_millis(instant: datetime) -> int:
    """Count the milliseconds from the epoch to an aware datetime."""
    return (instant - EPOCH) // timedelta(milliseconds=1)


def to_datetime(millis: int) -> datetime:
    """Make the aware datetime of milliseconds since the epoch."""
    return EPOCH + timedelta(milliseconds=millis)


class Clock(Protocol):
    """What the service asks of a clock. Instants are milliseconds since the epoch."""

    def now(self) -> int:
        """Give the current instant."""

    def sleep_until(self, instant: int, woken: threading.Event) -> None:
        """Return when the instant has come, or earlier if the event is set."""

    def not_before(self, instant: int) -> None:
        """Go on from an instant that a store has already seen."""


class RealClock:
    """The machine's clock: waiting takes as long as it takes."""

    def __init__(self) -> None:
        self._ahead = 0

    def now(self) -> int:
        """Give the current instant, in milliseconds since the epoch."""
        return time.time_ns() // 1_000_000 + self._ahead

    def not_before(self, instant: int) -> None:
        """Run ahead of the machine if a store comes from its future, as after virtual time.

        Args:
            instant: milliseconds since the epoch.
        """
        self._ahead += max(0, instant - self.now())

    def sleep_until(self, instant: int, woken: threading.Event) -> None:
        """Sleep until an instant; Ctrl-C and a set event end it early.

        Args:
            instant: milliseconds since the epoch.
            woken: set by whoever has news.
        """
        seconds = (instant - self.now()) / 1000
        if seconds > 0:  # a lock waits for at most threading.TIMEOUT_MAX
            woken.wait(min(seconds, 86_400.0))


class SkippingClock(RealClock):
    """The machine's clock, except that waiting for an instant makes it come."""

    def sleep_until(self, instant: int, woken: threading.Event) -> None:
        """Jump to an instant.

        Args:
            instant: milliseconds since the epoch; one that is past changes nothing.
            woken: not waited for.
        """
        del woken
        self.not_before(instant)


class VirtualClock:
    """A clock that stands still, and jumps when the service would wait.

    Args:
        start: where it stands at first; the machine's time if left out.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._now = to_millis(datetime.now(UTC) if start is None else start)

    def now(self) -> int:
        """Give the current instant, in milliseconds since the epoch."""
        return self._now

    def sleep_until(self, instant: int, woken: threading.Event) -> None:
        """Jump to an instant.

        Args:
            instant: milliseconds since the epoch; one that is past changes nothing.
            woken: not waited for.
        """
        del woken
        self._now = max(self._now, instant)

    def not_before(self, instant: int) -> None:
        """Jump to an instant that a store has already seen.

        Args:
            instant: milliseconds since the epoch.
        """
        self._now = max(self._now, instant)

    def advance(self, seconds: float) -> None:
        """Move on.

        Args:
            seconds: how far.
        """
        self._now += round(seconds * 1000)

    def advance_to(self, instant: datetime) -> None:
        """Move on to an instant; one that is past changes nothing.

        Args:
            instant: an aware datetime.
        """
        self._now = max(self._now, to_millis(instant))
