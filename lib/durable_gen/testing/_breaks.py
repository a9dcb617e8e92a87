"""What the fixture `durable` does to break workflows: `crashes`, `shake`, `deterministic` and `replay`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, TypedDict, Unpack

from durable_gen.errors import UsageError
from durable_gen.testing import _frozen
from durable_gen.testing._crashes import Breaking, Crashes
from durable_gen.testing._deterministic import Comparing, Deterministic
from durable_gen.testing._everywhere import Plan
from durable_gen.testing._fate import Fate
from durable_gen.testing._moments import Moment
from durable_gen.testing._ordeal import Circumstances, Ordeal
from durable_gen.testing._play import Local
from durable_gen.testing._replay import Log, Replay, replay
from durable_gen.testing._run import Run
from durable_gen.testing._script import script
from durable_gen.testing._shake import SLOW, Shaken, Shaking
from durable_gen.testing._worlds import CLOCK, ENVIRONMENT, PARTS, RANDOM


class Scene(TypedDict, total=False):
    """What `durable(handler, event, ...)` takes to say how the world is."""

    name: str | None
    steps: Mapping[str, Any] | None
    callbacks: Mapping[str, Any] | None
    invokes: Mapping[str, Any] | None
    start: datetime | None
    freeze: bool
    timeout: int | None


def read(scene: Scene) -> dict[str, Any]:
    """Check what a test says of the world, for a play.

    Raises:
        UsageError: a script is no mapping of texts.
    """
    scripts = {
        "steps": script("steps", scene.get("steps")),
        "callbacks": script("callbacks", scene.get("callbacks")),
        "invokes": script("invokes", scene.get("invokes")),
    }
    return {**scene, **scripts}


class Breaks:
    """Breaks workflows on purpose.

    Attributes:
        runs: the runs that it made, oldest first.
        plan: what befalls them; None for nothing.
    """

    runs: list[Run]
    plan: Plan | None = None
    _seed: str

    def _met(self, crash: tuple[Moment, ...]) -> Circumstances | None:
        """Say what the next run meets; None for nothing."""
        if self.plan is not None:
            return self.plan.next(crash, self._seed)
        return (
            Circumstances(Fate(list(crash)), seed=f"{self._seed}/{len(self.runs)}")
            if crash
            else None
        )

    def _make(
        self, handler: Callable[..., Any], event: Any, scene: Scene
    ) -> Callable[[Circumstances], Run]:
        """Make what runs a workflow in given circumstances, with the same ids each time."""
        handles(handler)
        given = read(scene)

        def make(met: Circumstances) -> Run:
            met.seed = self._seed
            play = Ordeal(handler, event, met, **given)
            return Run(Local(play, play.arn)).go_on()

        return make

    def crashes(
        self,
        handler: Callable[..., Any],
        event: Any = None,
        *,
        setup: Callable[[], object] | None = None,
        effects: Callable[[], Any] | None = None,
        faults: bool = True,
        **scene: Unpack[Scene],
    ) -> Crashes:
        """Run a workflow once whole, then once for each single thing that can go wrong.

        The process ends before and after each checkpoint (after it, the answer is lost), before and
        after each call of a step's function (after it, nothing of it is recorded), before and after
        each answer of an invocation; and each call to the service is throttled, fails with 500, or
        loses its connection before or after it was taken in. Each time the workflow must end with
        the same status, result, error and log, attempts aside, no step whose end is recorded may run
        again, and no attempt of an at-most-once step may run twice.

        Steps of branches run in turns here, not in threads: they must not wait for one another.

        Args:
            handler: the Lambda handler.
            event: what it is started with; JSON.
            setup: called before each run: it makes anew what the last run has left behind.
            effects: gives the test's own side effects so far: a list, a mapping of anything to
                numbers, or a number. They may be repeated only where a step's function runs again.
            faults: whether calls to the service may fail in passing, too.
            scene: what `durable(handler, event, ...)` takes besides.

        Returns:
            A report; print it.

        Raises:
            AssertionError: it ended otherwise; the text names the first moment at which that is so.
        """
        __tracebackhide__ = True
        make = self._make(handler, event, scene)
        with self._standing(scene), quiet():
            said = line(handler, event, scene)
            comparing = Comparing(handler, make, (CLOCK, RANDOM, ENVIRONMENT), setup)
            return Breaking(make, setup, effects, faults, said, comparing.why).everywhere()

    def shake(
        self,
        handler: Callable[..., Any],
        event: Any = None,
        *,
        seed: int = 0,
        rounds: int = 20,
        slow: float = SLOW,
        same: Callable[[Run], Any] | None = None,
        setup: Callable[[], object] | None = None,
        **scene: Unpack[Scene],
    ) -> Shaken:
        """Run a workflow several times, each by chance: the same seed is the same chance.

        Steps that run at once end in any order, and take time of the execution's, so that timers
        fire and callbacks are answered meanwhile. A checkpoint may be delivered twice, the event of
        an invocation too, also when that has ended. The log comes in pages of one record. The status,
        the result and the error must be the same each time; where a race decides, what was seen in
        one invocation must be seen in every later one.

        Args:
            handler: the Lambda handler.
            event: what it is started with; JSON.
            seed: of the first round; each further one's is one more.
            rounds: how many.
            slow: seconds that a step takes at most; 0 for no time.
            same: gives of a run what must be the same in every round, instead.
            setup: called before each run: it makes anew what the last run has left behind.
            scene: what `durable(handler, event, ...)` takes besides.

        Returns:
            A report; print it.

        Raises:
            AssertionError: a round ended otherwise; the text names its seed.
        """
        __tracebackhide__ = True
        make = self._make(handler, event, scene)
        with self._standing(scene), quiet():
            shaking = Shaking(make, setup, slow, same, line(handler, event, scene, ".shake"))
            return shaking.rounds(seed, rounds)

    def deterministic(
        self,
        handler: Callable[..., Any],
        event: Any = None,
        *,
        vary: Collection[str] = PARTS,
        **scene: Unpack[Scene],
    ) -> Deterministic:
        """Run a workflow once, then replay every prefix of its log twice: it must do the same.

        Between the two, PYTHONHASHSEED, the clock, random numbers and the environment are changed.
        A replay runs no step and sends nothing: what comes after the prefix is only looked at, with
        its name, its arguments and its payload.

        Replays run in processes of their own, for the hash seed, if the handler is a name of a
        module that has a file. Otherwise they run here with one hash seed, and the report says so.

        Args:
            handler: the Lambda handler.
            event: what it is started with; JSON.
            vary: what is changed: "hash seed", "clock", "random", "environment".
            scene: what `durable(handler, event, ...)` takes besides.

        Returns:
            A report; print it.

        Raises:
            AssertionError: it does something else; the text names the line, and what it depends on.
            UsageError: `vary` has something else.
        """
        __tracebackhide__ = True
        unknown = [part for part in vary if part not in PARTS]
        if unknown or isinstance(vary, str):
            msg = f"vary= must be some of {', '.join(map(repr, PARTS))}, not {vary!r:.80}"
            raise UsageError(msg)
        with quiet():
            return Comparing(handler, self._make(handler, event, scene), vary).check()

    def replay(self, handler: Callable[..., Any], log: Log) -> Replay:
        """Replay a log without doing anything: no step's function runs, and nothing is sent.

        Args:
            handler: the Lambda handler.
            log: what the service would invoke it with, as `strategies.logs` gives it.

        Returns:
            How it ended, and the operations that it yielded.
        """
        handles(handler)
        with quiet():
            return replay(handler, log, datetime.now(UTC))

    def _standing(self, scene: Scene) -> AbstractContextManager[None]:
        return _frozen.standing() if scene.get("freeze", True) else nullcontext()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the library from logging what is meant to go wrong, and that many times."""
    logger = logging.getLogger("durable_gen")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def handles(handler: Any) -> None:
    """See that something is a handler.

    Raises:
        UsageError: it is none.
    """
    if not callable(handler):
        msg = f"durable(handler, event): handler must be a Lambda handler, not {handler!r:.80}"
        raise UsageError(msg)


def line(
    handler: Callable[..., Any], event: Any, scene: Scene, method: str = ""
) -> Callable[[str], str]:
    """Make what writes the line of code that runs a workflow again.

    Args:
        handler: the handler.
        event: what it is started with.
        scene: how the world is.
        method: `.shake` and the like; "" for a run.
    """
    name = getattr(handler, "__name__", "handler")
    said = repr(event)
    given = [name] if event is None else [name, said if len(said) <= 60 else "event"]
    given += [f"{key}={key}" for key, value in scene.items() if value is not None]
    return lambda more: f"durable{method}({', '.join([*given, more])})"
