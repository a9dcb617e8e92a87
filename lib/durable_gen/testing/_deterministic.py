"""Replays every prefix of a log in different worlds, and names the line that does something else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from attrs import define, field, frozen

from durable_gen.testing import _worlds
from durable_gen.testing._child import Child, Lost, Place, find, look
from durable_gen.testing._fate import Fate
from durable_gen.testing._ordeal import Circumstances
from durable_gen.testing._replay import OPEN, Log, Logs, Replay
from durable_gen.testing._run import Run
from durable_gen.testing._trace import Sight, Trace
from durable_gen.testing._worlds import CAUSES, CLOCK, HASHES, World

Make = Callable[[Circumstances], Run]

NO_SEED = (
    "It depends on something that no seed decides: ids (uuid4), secrets, addresses, files. Ask for it in "
    "a step, or use ctx.uuid4()"
)
EARLIER = (
    "It depends on something that was changed when the steps ran: a variable, a global, a file. A replay "
    "runs no step; return what changes from the step"
)


@frozen
class Deterministic:
    """What `durable.deterministic` found: a flow that does the same on every replay.

    Attributes:
        run: the run whose log was replayed.
        logs: what the service would have invoked the function with, in its course.
        varied: what differed between the two replays.
        note: what could not be varied, and why; "" when all was.
    """

    run: Run
    logs: Sequence[Log]
    varied: Sequence[str]
    note: str

    def __str__(self) -> str:
        head = (
            f"{len(self.logs)} prefixes of the log, each replayed in {1 + _worlds.MANY} worlds, and the "
            f"flow did the same; varied: {', '.join(self.varied)}"
        )
        return "\n".join([head, *([self.note] if self.note else [])])


@frozen
class Difference:
    """Where a flow does something else.

    Attributes:
        number: of the prefix, from 1.
        line: the user's line.
        first: what it did first.
        then: what it did then.
        live: whether the first was when its steps ran, not another replay.
    """

    number: int
    line: str
    first: str
    then: str
    live: bool


def differing(number: int, one: Replay, other: Replay) -> Difference | None:
    """Find the first difference between two replays.

    Args:
        number: of the prefix.
        one: a replay.
        other: a replay in another world.
    """
    for id_ in {**one.sights, **other.sights}:
        a, b = one.sights.get(id_), other.sights.get(id_)
        if a != b:
            return _pair(number, a, b, one, other)
    if (one.status, one.text) == (other.status, other.text):
        return None
    return Difference(number, other.line or one.line, _end(one), _end(other), live=False)


def changed(number: int, live: Mapping[str, Sight], one: Replay) -> Difference | None:
    """Find the first difference between a replay and the run itself.

    Args:
        number: of the prefix.
        live: the operations that the run yielded.
        one: a replay.
    """
    for id_, sight in one.sights.items():
        before = live.get(id_)
        if before is not None and before != sight:
            first, then = _contrast(before, sight)
            return Difference(number, sight.line, first, then, live=True)
    return None


def _pair(number: int, a: Sight | None, b: Sight | None, one: Replay, other: Replay) -> Difference:
    if a is not None and b is not None:
        first, then = _contrast(a, b)
        return Difference(number, b.line, first, then, live=False)
    known, end = (a, other) if a is not None else (b, one)
    assert known is not None
    said, ended = f"{known.title}", _end(end)
    if end.line:
        ended += f" ({end.line})"
    first, then = (said, ended) if a is not None else (ended, said)
    return Difference(number, known.line, first, then, live=False)


def _contrast(a: Sight, b: Sight) -> tuple[str, str]:
    """Say what two operations say that differs."""
    if a.title != b.title:
        where = f" ({a.line})" if a.line != b.line else ""
        return f"{a.title}{where}", b.title
    if a.line != b.line and a.said == b.said:
        return f"{a.title}, made at {a.line}", f"{b.title}, made at {b.line}"
    names = [name for name in {**a.said, **b.said} if a.said.get(name) != b.said.get(name)]
    return (f"{a.title} {_members(a, names)}", f"{b.title} {_members(b, names)}")


def _members(one: Sight, names: Sequence[str]) -> str:
    return ", ".join(f"{name}={one.said.get(name, '(left out)')}" for name in names)


def _end(one: Replay) -> str:
    match one.status:
        case "SUCCEEDED":
            return f"returns {one.text}"
        case "FAILED":
            return f"fails with {one.text}"
    return "goes on"


@define(eq=False)
class Comparing:
    """Replays a workflow's log in different worlds.

    Attributes:
        handler: the Lambda handler.
        make: runs it in given circumstances.
        vary: what differs between two replays.
        setup: called before its run.
    """

    handler: Callable[..., Any]
    make: Make
    vary: Collection[str]
    setup: Callable[[], object] | None = None
    place: Place | None = field(default=None, init=False)
    note: str = field(default="", init=False)

    def check(self) -> Deterministic:
        """Replay every prefix twice.

        Raises:
            AssertionError: the flow does something else; the text names the line.
        """
        __tracebackhide__ = True
        run, trace, logs = self.recorded()
        base = _worlds.first()
        varied = [part for part in _worlds.PARTS if part in self.vary]
        if CLOCK in varied and find_spec("freezegun") is None:
            varied.remove(CLOCK)
            self.note = "The clock was not varied: that needs freezegun."
        if HASHES in varied:
            self._find()
            if self.place is None:
                varied.remove(HASHES)
        others = base.others(varied)
        try:
            ones, *rest = self._replays(logs, base, others)
        except Lost as lost:
            self._give_up(lost)
            varied.remove(HASHES)
            ones, *rest = self._replays(logs, base, others)
        for number, (one, *twos) in enumerate(zip(ones, *rest, strict=True), 1):
            for which, two in enumerate(twos, 1):
                found = differing(number, one, two)
                if found is not None:
                    why = self._why(logs[number - 1], base, varied, which)
                    raise AssertionError(self._story(found, why))
            found = changed(number, trace.sights, one)
            if found is not None:
                raise AssertionError(self._story(found, _mutations(trace)))
        self._compare_end(run, trace, ones[-1], len(logs))
        return Deterministic(run, logs, varied, self.note)

    def why(self) -> str:
        """Say at which line the flow is not deterministic; "" if nothing shows that."""
        try:
            self.check()
        except AssertionError as error:
            return str(error)
        return ""

    def recorded(self) -> tuple[Run, Trace, list[Log]]:
        """Run it once, and keep what it did and each state of its log."""
        if self.setup is not None:
            self.setup()
        trace, states = Trace(strict=True, close=True), Logs()
        run = self.make(Circumstances(Fate(), trace, heard=states.hear))
        return run, trace, states.events(run.arn)

    # --- replays ---------------------------------------------------------------------------------

    def _find(self) -> None:
        try:
            self.place = find(self.handler)
        except Lost as lost:
            self._give_up(lost)

    def _give_up(self, lost: Lost) -> None:
        self.place = None
        self.note = f"The hash seed was not varied, which needs another process: {lost}.".strip()

    def _replays(
        self, logs: Sequence[Log], base: World, others: Sequence[World]
    ) -> list[list[Replay]]:
        if self.place is None:
            return [[look(self.handler, log, world) for log in logs] for world in (base, *others)]
        with Child(self.place, [base], logs) as one, Child(self.place, others, logs) as other:
            return [*one.replays(), *other.replays()]

    # --- what is told ----------------------------------------------------------------------------

    def _compare_end(self, run: Run, trace: Trace, last: Replay, number: int) -> None:
        """Compare how the last prefix ends with how the run did."""
        __tracebackhide__ = True
        if run.status not in ("SUCCEEDED", "FAILED"):
            return
        failure = run.failure
        ended = Replay("SUCCEEDED", run.describe().get("Result") or "", "", {})
        if failure is not None:
            ended = Replay("FAILED", f"{failure.type}: {failure.message}", "", {})
        if last.status != OPEN and (last.status, last.text) != (ended.status, ended.text):
            found = Difference(number, last.line, _end(ended), _end(last), live=True)
            raise AssertionError(self._story(found, _mutations(trace)))

    def _story(self, found: Difference, why: str) -> str:
        then = "replayed" if found.live else "replayed once more"
        lines = [
            f"{found.line}: the flow does something else when it is replayed",
            f"  first:  {found.first}",
            f"  then:   {found.then}, {then} with prefix {found.number} of its log",
            why,
        ]
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def _why(self, log: Log, base: World, varied: Sequence[str], which: int) -> str:
        """Find what it depends on: change one thing at a time, here."""
        first = look(self.handler, log, base)
        if differing(0, first, look(self.handler, log, base)) is not None:
            return NO_SEED
        for part in varied:
            if part == HASHES:  # the only one that is the same in this process
                continue
            other = look(self.handler, log, base.other(part, which))
            if differing(0, first, other) is not None:
                return f"It depends on {CAUSES[part]}"
        return f"It depends on {CAUSES[HASHES]}" if HASHES in varied else NO_SEED


def _mutations(trace: Trace) -> str:
    return "\n".join(trace.mutations()) or EARLIER
