"""Shakes a workflow: steps end in any order and take time, and what is delivered may be delivered twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from attrs import define, field, frozen

from durable_gen._effects import Call
from durable_gen.testing._ending import Ending, differences, ending, varying
from durable_gen.testing._fate import Fate
from durable_gen.testing._ordeal import Circumstances
from durable_gen.testing._run import Run
from durable_gen.testing._text import text
from durable_gen.testing._trace import Trace

Make = Callable[[Circumstances], Run]

SLOW = 10.0  # seconds that a step takes at most
TWICE = 0.3  # how much of what is delivered comes twice
AT_ONCE = 0.5  # how many steps take no time


@define(eq=False)
class Chance(Fate):
    """What chance does to a run; the same seed does the same.

    Args:
        random: draws.
        slow: seconds that a step takes at most.
    """

    random: Random = field(factory=Random, kw_only=True)
    slow: float = field(default=SLOW, kw_only=True)

    def again(self) -> bool:
        """Say whether something that is delivered is delivered twice."""
        return self.random.random() < TWICE

    def pick(self, calls: Sequence[Call]) -> int:
        """Choose which of several calls ends first."""
        return self.random.randrange(len(calls))

    def seconds(self, call: Call) -> float:
        """Say how long a call takes: less than its timeout."""
        most = self.slow if call.timeout is None else min(self.slow, call.timeout / 2)
        if self.random.random() < AT_ONCE:
            return 0.0
        return round(self.random.uniform(0, most), 3)

    def draw(self) -> float:
        """Draw a number from 0 to 1 for the jitter of a retry."""
        return self.random.random()


@frozen
class Shaken:
    """What `durable.shake` found: a workflow that ends the same in every round.

    Attributes:
        whole: the run that nothing befell.
        runs: by their seeds, the rounds.
        compared: whether the ends were compared; those of races may differ.
    """

    whole: Run
    runs: dict[int, Run]
    compared: bool

    def __str__(self) -> str:
        what = (
            f"each ended as without: {self.whole.status}"
            if self.compared
            else "what was seen stayed seen; who is first may differ, so the ends were not compared"
        )
        return f"{len(self.runs)} rounds, and {what}"


@define(eq=False)
class Shaking:
    """Shakes a workflow.

    Attributes:
        make: runs it in given circumstances.
        setup: called before each run.
        slow: seconds that a step takes at most.
        same: gives what must be the same in every round; None for how it ended.
        line: writes the line of code that runs one round, of what it is given.
    """

    make: Make
    setup: Callable[[], object] | None
    slow: float
    same: Callable[[Run], Any] | None
    line: Callable[[str], str]

    def rounds(self, seed: int, rounds: int) -> Shaken:
        """Run so many rounds.

        Args:
            seed: the first one's; each further one's is one more.
            rounds: how many.

        Raises:
            AssertionError: one ended otherwise; the text names its seed.
        """
        __tracebackhide__ = True
        whole, trace = self._run(Fate())
        if trace.faults:
            msg = f"{trace.faults[0]}\n\n{whole}"
            raise AssertionError(msg)
        runs: dict[int, Run] = {}
        racy = trace.racy
        for number in range(seed, seed + rounds):
            run, trace = self._run(Chance(random=Random(number), slow=self.slow), page_size=1)
            runs[number] = run
            racy = racy or trace.racy
            problem = next(iter(trace.faults), None) or self._other(whole, run, trace)
            if problem is not None:
                again = self.line(f"seed={number}, rounds=1")
                msg = f"shaken with seed {number}: {problem}\n\n{run}\n\nrepeat it: {again}"
                raise AssertionError(msg)
        return Shaken(whole, runs, self.same is not None or not racy)

    def _run(self, fate: Fate, **more: Any) -> tuple[Run, Trace]:
        if self.setup is not None:
            self.setup()
        met = Circumstances(fate, Trace(strict=True), **more)
        return self.make(met), met.trace

    def _other(self, whole: Run, run: Run, trace: Trace) -> str | None:
        """Say in which way a round ended otherwise, if it did."""
        if self.same is not None:
            expected, got = text(self.same(whole)), text(self.same(run))
            if expected == got:
                return None
            return f"same= gives another value\n  expected: {expected}\n  got:      {got}"
        one, other = _ended(whole), _ended(run)
        if trace.racy or (trace.early and "FAILED" in (one.status, other.status)):
            return None
        found = next(differences(one, other, trace.line), None)
        if found is None or varying(ending(whole), ending(self._run(Fate())[0])):
            return None  # its steps give other values each time
        return (
            f"{found}\nIf it may end so (it asks for the time, or a step is a race by itself), say what "
            "must be the same in every round: same=lambda run: run.status"
        )


def _ended(run: Run) -> Ending:
    """Read how a run ended, but for its log: when a step took place may show there."""
    found = ending(run)
    return Ending(found.status, found.result, found.error, {})
