"""`@crash_everywhere`: a test whose asserts must hold whatever goes wrong once in the runs inside it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, overload

from attrs import define, field

from durable_gen import _places
from durable_gen._check import is_async
from durable_gen.errors import UsageError
from durable_gen.testing import _frozen, _source
from durable_gen.testing._fate import Fate
from durable_gen.testing._moments import Moment, moments
from durable_gen.testing._ordeal import Circumstances
from durable_gen.testing._trace import Trace

F = TypeVar("F", bound=Callable[..., Any])


@define
class Plan:
    """What befalls the runs of a test: one of them, once.

    Args:
        number: which run it is, from 1; 0 for none.
        moment: when something goes wrong in it.

    Attributes:
        mets: what the runs have met so far.
    """

    number: int = 0
    moment: Moment | None = None
    mets: list[Circumstances] = field(factory=list, init=False)

    def next(self, crash: Sequence[Moment], seed: str) -> Circumstances:
        """Say what the next run meets.

        Args:
            crash: what the test asks for besides.
            seed: what ids are made of.
        """
        number = len(self.mets) + 1
        todo = [*crash]
        if number == self.number and self.moment is not None:
            todo.append(self.moment)
        met = Circumstances(Fate(todo), Trace(strict=True), seed=f"{seed}/{number}")
        self.mets.append(met)
        return met


@overload
def crash_everywhere(test: F, /) -> F: ...
@overload
def crash_everywhere(*, faults: bool = ...) -> Callable[[F], F]: ...
def crash_everywhere(test: Any = None, /, *, faults: bool = True) -> Any:
    """Make a test of one that takes `durable`: it must hold whatever goes wrong once.

    The body of the test runs once whole, then once for each moment of each run in it, as
    `durable.crashes` has them. What the steps of a run act on, lists above all, must be made inside
    the body, or it remains from one time to the next; fixtures are made once. `datetime.now()` in
    the test itself stands still.

    Args:
        test: the test.
        faults: whether calls to the service may fail in passing, too.

    Raises:
        UsageError: the test does not take `durable`, or is async.
    """
    if test is None:
        return functools.partial(_decorated, faults=faults)
    return _decorated(test, faults=faults)


def _decorated(test: Any, *, faults: bool) -> Any:
    where = _places.of_function(test)
    if is_async(test):
        msg = f"{where}: @crash_everywhere on an async test; write `def`: a workflow needs no event loop"
        raise UsageError(msg)
    if "durable" not in inspect.signature(test).parameters:
        msg = f"{where}: @crash_everywhere breaks the runs of `durable`: add it to the test's arguments"
        raise UsageError(msg)

    @functools.wraps(test)
    def everywhere(*args: Any, durable: Any, **fixtures: Any) -> None:
        __tracebackhide__ = True

        def body() -> None:
            test(*args, durable=durable, **fixtures)

        with _frozen.standing():
            for plan in _plans(durable, body, faults=faults):
                _once(durable, body, plan)

    return everywhere


def _plans(durable: Any, body: Callable[[], None], *, faults: bool) -> Sequence[Plan]:
    """Run a test whole, and say what else is to befall it."""
    __tracebackhide__ = True
    whole = Plan()
    _run(durable, body, whole)
    return [
        Plan(number, moment)
        for number, met in enumerate(whole.mets, 1)
        for moment in moments(met.fate.points, faults=faults)
    ]


def _once(durable: Any, body: Callable[[], None], plan: Plan) -> None:
    """Run a test with one thing going wrong in it."""
    __tracebackhide__ = True
    try:
        _run(durable, body, plan)
    except Exception as error:
        error.add_note(_story(durable, plan))
        raise
    for met in plan.mets:
        if met.trace.faults:
            msg = f"{met.trace.faults[0]}\n{_story(durable, plan)}"
            raise AssertionError(msg)
        if plan.moment in met.fate.todo:
            msg = (
                f"{plan.moment} did not come this time: the test did something else than the time "
                "before. Does something remain from one time to the next? Make it in the test's body"
            )
            raise AssertionError(msg)


def _run(durable: Any, body: Callable[[], None], plan: Plan) -> None:
    __tracebackhide__ = True
    durable.runs.clear()
    durable.plan = plan
    try:
        body()
    finally:
        durable.plan = None


def _story(durable: Any, plan: Plan) -> str:
    """Say when something went wrong, and what came of it."""
    assert plan.moment is not None
    which = f" of run {plan.number}" if len(plan.mets) > 1 else ""
    lines = [f"{plan.moment.words}{which}: the test fails then; it passes without"]
    if plan.number <= len(durable.runs):
        lines += ["", str(durable.runs[plan.number - 1]), ""]
    if plan.number <= len(plan.mets):
        codes = plan.mets[plan.number - 1].trace.codes
        cleanups = [one for code in codes for one in _source.cleanups(code)]
        if cleanups:
            lines.append("what stands in a `finally` runs again on a replay, unless it is a step:")
            lines += [f"  {one}" for one in cleanups]
    lines.append(f"repeat it: durable(handler, event, crash={str(plan.moment)!r})")
    return "\n".join(lines)
