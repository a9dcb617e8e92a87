"""Runs the calls of steps one after another, in an order and a time that are drawn: no two runs differ by chance."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Protocol

from durable_gen._effects import Call
from durable_gen._ops import label
from durable_gen._outcome import Outcome
from durable_gen._workers import Ended, Workers
from durable_gen.testing._fate import Fate
from durable_gen.testing._trace import Trace, place_of

SHORT = 0.01  # seconds that nobody waits for: a checkpoint looks who ends just now


class World(Protocol):
    """Where calls are run."""

    @property
    def fate(self) -> Fate:
        """What befalls them."""

    @property
    def trace(self) -> Trace:
        """What they did."""

    def now(self) -> datetime:
        """Tell the time."""

    def pass_to(self, instant: datetime) -> None:
        """Let time pass."""

    def run(self, call: Call, workers: Workers) -> Outcome:
        """Run a call to its end."""


class Turns(Workers):
    """Runs calls that are in flight together in turns.

    Steps do not run at once here, so they must not wait for one another.

    Args:
        most: threads at most, for steps with a timeout.
        world: where they run.
    """

    def __init__(self, most: int, world: World) -> None:
        super().__init__(most)
        self.world = world
        self.flight: dict[Call, datetime] = {}  # with when they end
        self.inner = Workers(most)

    def inline(self, call: Call) -> Outcome:
        """Run a call to its end, when nothing else can go on meanwhile."""
        self.start(call)
        return self.wait(None)[0][1]

    def start(self, call: Call) -> None:
        """Begin a call."""
        self.in_flight += 1
        took = timedelta(seconds=self.world.fate.seconds(call))
        self.flight[call] = self.world.now() + took

    def drop(self, call: Call) -> None:
        """Give up a call that nobody wants to know of any more; perhaps it runs all the same."""
        if self.flight.pop(call, None) is not None:
            self.in_flight -= 1
            if self.world.fate.again():
                self._run(call)

    def wait(self, seconds: float | None) -> list[Ended]:
        """Let time pass until a call ends, or so many seconds."""
        if not self.flight:
            return []
        world = self.world
        first = min(self.flight.values())
        if seconds is not None and first > world.now() + timedelta(seconds=seconds):
            if seconds > SHORT:
                world.pass_to(world.now() + timedelta(seconds=seconds))
            return []
        world.pass_to(first)
        ready = [call for call, end in self.flight.items() if end == first]
        call = ready[world.fate.pick(ready)]
        del self.flight[call]
        self.in_flight -= 1
        return [(call, self._run(call))]

    def close(self) -> None:
        """Let go of calls, whether or not they have ended."""
        self.flight.clear()
        self.inner.close()

    def _run(self, call: Call) -> Outcome:
        if call in self.world.trace.standing_in:
            return self.inner.inline(call)
        info, op = call.info, call.task.op
        what = label(op).replace(repr(info.name), info.path)
        if info.attempt > 1:
            what += f", attempt {info.attempt}"
        line = place_of(op.site)

        def run() -> Any:
            self.world.trace.begins(call)
            return self.world.run(call, self.inner)

        outcome: Outcome = self.world.fate.through("call", what, line, run)
        return outcome


def perform(call: Call, workers: Workers) -> Outcome:
    """Run a call by itself; one with a timeout needs a thread for it."""
    if call.timeout is None:
        return workers.inline(call)
    workers.start(call)
    return workers.wait(None)[0][1]
