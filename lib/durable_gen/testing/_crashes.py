"""Runs a workflow through every single thing that can go wrong, and sees that it ends as if nothing had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen

from durable_gen.testing._effects import Lines, Tally
from durable_gen.testing._ending import Ending, differences, ending, varying
from durable_gen.testing._fate import Fate
from durable_gen.testing._moments import Moment, moments
from durable_gen.testing._ordeal import Circumstances
from durable_gen.testing._run import Run
from durable_gen.testing._trace import Trace

INTERRUPTED = "StepInterrupted"
Make = Callable[[Circumstances], Run]


@frozen
class Crashes:
    """What `durable.crashes` found: a workflow that ends the same, whatever goes wrong once.

    Attributes:
        whole: the run that nothing befell.
        moments: what went wrong, each in a run of its own.
        effects: by the paths of steps, how often their functions ran in one run, at most.
        interrupted: by moments, the runs in which an at-most-once step was cut off, so that they
            may have ended otherwise.
    """

    whole: Run
    moments: Sequence[Moment]
    effects: Mapping[str, int]
    interrupted: Mapping[str, Run]

    def __str__(self) -> str:
        crashes = sum(1 for one in self.moments if one.hit == "crash")
        failures = len(self.moments) - crashes
        head = (
            f"{crashes} crashes and {failures} failing calls, and each time the execution ended as "
            f"without: {self.whole.status}"
        )
        lines = [head]
        wide = max(map(len, self.effects), default=0)
        lines += [
            f"  {path:<{wide}}  ran {number} time{'s' * (number != 1)} at most"
            for path, number in self.effects.items()
        ]
        lines += [
            f"  {moment}: an at-most-once step was cut off, and the execution is {run.status}"
            for moment, run in self.interrupted.items()
        ]
        return "\n".join(lines)


@define(eq=False)
class Breaking:
    """Breaks a workflow everywhere.

    Attributes:
        make: runs it in given circumstances.
        setup: called before each run.
        effects: gives the test's own side effects; None for none.
        faults: whether calls to the service fail in passing, too.
        line: writes the line of code that runs it once, of what befalls it.
        why: looks for the line of the flow that makes it differ; "" when it finds none.
    """

    make: Make
    setup: Callable[[], object] | None
    effects: Callable[[], Any] | None
    faults: bool
    line: Callable[[str], str]
    why: Callable[[], str]
    expected: Ending = field(init=False)
    whole: Run = field(init=False)
    outside: Counter[str] = field(factory=Counter, init=False)
    total: Counter[str] = field(factory=Counter, init=False)

    def everywhere(self) -> Crashes:
        """Run it whole, and once for each moment.

        Raises:
            AssertionError: it ended otherwise; the text says by what.
        """
        __tracebackhide__ = True
        most: Counter[str] = Counter()
        interrupted: dict[str, Run] = {}
        met = self._circumstances(())
        self.whole = self._made(met)
        if met.trace.faults:
            msg = f"{met.trace.faults[0]}\n\n{self.whole}"
            raise AssertionError(msg)
        self.expected = ending(self.whole)
        most |= met.trace.runs
        if met.tally is not None:
            self.outside, self.total = met.tally.outside, met.tally.total
        every = tuple(moments(met.fate.points, faults=self.faults))
        for moment in every:
            met = self._circumstances((moment,))
            run = self._made(met)
            most |= met.trace.runs
            if self._cut_off(run):
                interrupted[str(moment)] = run
            problem = next(self._problems(moment, met, run), None)
            if problem is not None:
                raise AssertionError(self._story(moment, problem, run))
        return Crashes(self.whole, every, dict(most), interrupted)

    def _made(self, met: Circumstances) -> Run:
        run = self.make(met)
        if met.tally is not None:
            met.tally.stop()
        return run

    def _circumstances(self, todo: Sequence[Moment]) -> Circumstances:
        if self.setup is not None:
            self.setup()
        tally = None if self.effects is None else Tally(self.effects)
        return Circumstances(Fate(list(todo)), Trace(strict=True), tally)

    def _problems(self, moment: Moment, met: Circumstances, run: Run) -> Iterator[str]:
        yield from met.trace.faults
        if met.fate.todo:
            yield (
                "this moment did not come: the workflow did something else than in the run before. "
                "Does something of an earlier run remain? Make it anew in setup=..."
            )
        if not self._cut_off(run):
            problem = self._other(met, run)
            if problem is not None:
                why = self.why()
                yield f"{problem}\n{why}" if why else problem
        if met.tally is not None:
            yield from self._effects(moment, met.tally, run)

    def _other(self, met: Circumstances, run: Run) -> str | None:
        """Say in which way a run ended otherwise, if it did."""
        got = ending(run)
        problem = next(differences(self.expected, got, met.trace.line), None)
        if problem is None:
            return None
        loose = varying(self.expected, ending(self._made(self._circumstances(()))))
        return next(differences(self.expected, got, met.trace.line, loose), None)

    def _cut_off(self, run: Run) -> bool:
        """Tell whether an at-most-once step was cut off."""
        errors = (one.error for operation in run for one in operation.attempts)
        return any(error is not None and error.type == INTERRUPTED for error in errors)

    # --- side effects ----------------------------------------------------------------------------

    def _effects(self, moment: Moment, tally: Tally, run: Run) -> Iterator[str]:
        lost, again = self.total - tally.total, tally.outside - self.outside
        if (lost or again) and self._anew():  # each is another each time: only their number counts
            lost = Counter({"": self.total.total()}) - Counter({"": tally.total.total()})
            if tally.outside.total() <= self.outside.total():
                again = Counter()
        if lost and not self._cut_off(run):
            yield f"a side effect did not happen: {_listed(lost)}"
        if again:
            where = "\n".join(f"  {line}" for line in self._lines(moment, again))
            yield (
                f"a side effect outside of steps happened again: {_listed(again)}\n{where}\n"
                "What stands outside of steps runs again on every replay: put it into a step"
            )

    def _anew(self) -> bool:
        """Tell whether side effects are others each time, without any crash."""
        met = self._circumstances(())
        self._made(met)
        return met.tally is not None and met.tally.total != self.total

    def _lines(self, moment: Moment, again: Counter[str]) -> list[str]:
        """Find the lines where side effects happen outside steps."""
        met = self._circumstances((moment,))
        assert met.tally is not None
        lines = Lines(met.tally)
        lines.during(lambda: self.make(met))
        return list(dict.fromkeys(line for line, what in lines.found if what in again))

    # --- what is told ----------------------------------------------------------------------------

    def _story(self, moment: Moment, problem: str, run: Run) -> str:
        return (
            f"{moment.words}: {problem}\n\n{run}\n\n"
            f"repeat it: {self.line(f'crash={str(moment)!r}')}"
        )


def _listed(effects: Counter[str]) -> str:
    return ", ".join(_times(what, number) for what, number in effects.items())


def _times(what: str, number: int) -> str:
    if not what:
        return f"{number} of them"
    return what if number == 1 else f"{what} ({number} times)"
