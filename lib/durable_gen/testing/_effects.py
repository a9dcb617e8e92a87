"""Counts a test's own side effects: how many happen inside steps, and how many outside, at which lines."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FrameType
from typing import Any, TypeVar

from attrs import define, field

from durable_gen import _places
from durable_gen._effects import running
from durable_gen._failure import LIBRARY
from durable_gen.errors import UsageError
from durable_gen.testing import _source
from durable_gen.testing._text import text

T = TypeVar("T")
GENERATOR = 0x20  # CO_GENERATOR


def counted(effects: Any) -> Counter[str]:
    """Count what a test says has happened.

    Args:
        effects: a number, a mapping of anything to numbers, or something to go through.

    Raises:
        UsageError: it is nothing that can be counted.
    """
    if isinstance(effects, int):
        return Counter({"": effects})
    if isinstance(effects, Mapping):
        return Counter({text(key): number for key, number in effects.items()})
    if isinstance(effects, Iterable):
        return Counter(text(one) for one in effects)
    msg = (
        "effects= must be a function that returns a list of what has happened, a mapping of it to "
        f"numbers, or a number; it returned {effects!r:.80}"
    )
    raise UsageError(msg)


@define(eq=False)
class Tally:
    """Counts the side effects of one run.

    Args:
        effects: gives what has happened so far.

    Attributes:
        inside: those that happened inside steps.
    """

    effects: Callable[[], Any]
    start: Counter[str] = field(init=False)
    end: Counter[str] | None = field(default=None, init=False)
    inside: Counter[str] = field(factory=Counter, init=False)

    def __attrs_post_init__(self) -> None:
        self.start = self.now()

    def now(self) -> Counter[str]:
        """Count what has happened so far."""
        return counted(self.effects())

    def stop(self) -> None:
        """Count no further: the run is over."""
        self.end = self.now()

    def during(self, run: Callable[[], T]) -> T:
        """Run a step's function, and count what happens in it."""
        before = self.now()
        try:
            return run()
        finally:
            self.inside.update(self.now() - before)

    @property
    def total(self) -> Counter[str]:
        """All that has happened in the run."""
        return (self.now() if self.end is None else self.end) - self.start

    @property
    def outside(self) -> Counter[str]:
        """What has happened outside steps."""
        return self.total - self.inside


@define(eq=False)
class Lines:
    """Finds the lines of flows at which side effects happen outside steps.

    Args:
        tally: counts them.

    Attributes:
        found: by lines, what happened there, and how often.
    """

    tally: Tally
    found: Counter[tuple[str, str]] = field(factory=Counter, init=False)
    _before: Counter[str] = field(factory=Counter, init=False)

    def during(self, run: Callable[[], T]) -> T:
        """Run something, and look at the lines of its flows."""
        others = sys.gettrace()
        self._before = self.tally.outside
        sys.settrace(self._enter)
        try:
            return run()
        finally:
            sys.settrace(others)

    def _enter(self, frame: FrameType, event: str, _: Any) -> Any:
        del event
        code = frame.f_code
        theirs = code.co_flags & GENERATOR and not code.co_filename.startswith(LIBRARY)
        if not theirs or running.get() is not None:
            return None
        self._before = self.tally.outside
        last = [frame.f_lineno]

        def line(frame: FrameType, event: str, _: Any) -> Any:
            del event
            now = self.tally.outside
            for what, number in (now - self._before).items():
                self.found[_said(code, last[0]), what] += number
            self._before = now
            last[0] = frame.f_lineno
            return line

        return line


def _said(code: CodeType, line: int) -> str:
    where = _places.place(code, line)
    within = ", in a `finally`" if _source.in_finally(code, line) else ""
    return f"{where}{within}: {_source.statement(code, line)}"
