"""The loop: one thing that is due after the other, in one thread, and the waiting in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from durable_gen.local import _lives
from durable_gen.local._clock import to_datetime
from durable_gen.local._engine import Engine
from durable_gen.local._functions import Answer
from durable_gen.local._host import InProcess, Unreachable
from durable_gen.local._reports import Fired, Idle, PendingCallback, Step
from durable_gen.local._work import Job, Work


class Loop:
    """What runs the invocations of an engine, in this thread."""

    def __init__(self, engine: Engine, work: Work) -> None:
        self._engine = engine
        self._work = work
        self._host = InProcess(engine.clock)

    def step(self) -> Step:
        """Do one thing that is due: fire timers, or run one invocation. It never waits."""
        engine, work = self._engine, self._work
        work.reap()
        fired = _lives.settle(engine)
        if fired:
            return Fired(tuple(fired))
        found = work.take()
        if isinstance(found, Job):
            try:
                answer: Answer | Unreachable = self._host.invoke(found.call)
            except Unreachable as error:
                answer = error
            except BaseException:
                work.lose(found)
                raise
            return work.finish(found, answer)
        if found is not None:
            return found
        with engine.lock:
            return Idle(
                _moment(engine.timers.next()),
                _moment(engine.timeouts.next()),
                tuple(c for arn in engine.opened() for c in self.callbacks(arn)),
            )

    def run(self, arn: str, on_idle: Callable[[Idle], bool | None] | None = None) -> str:
        """Run until an execution closes, or until nothing but an answer from outside can move it.

        Everything else that is due in the service runs too. With a RealClock it sleeps between
        timers; with a VirtualClock it jumps. An execution's timeout is not waited for: if only
        callbacks without a deadline are left, it returns.

        Args:
            arn: the execution.
            on_idle: called before each wait and before giving up; it may answer callbacks. True
                says that it did something, so that the service looks again instead of waiting.

        Returns:
            The execution's status; RUNNING if it can only be moved from outside.
        """
        engine = self._engine
        while True:
            engine.woken.clear()
            journal = engine.find(arn)
            if journal is None:
                msg = f"expected the ARN of an execution in this store, got {arn!r}"
                raise LookupError(msg)
            row = journal.row
            if not row.open:
                return row.status
            if engine.pinned(row) is None and row.function not in engine.gone:
                msg = f"expected function {row.function!r} in version {row.version!r}, but it is not registered: register() it before run()"
                raise LookupError(msg)
            done = self.step()
            if not isinstance(done, Idle) or (on_idle is not None and on_idle(done)):
                continue
            instant = engine.timers.next()
            if instant is None or not engine.moves(arn):
                return self._work.status(arn)
            timeout = engine.timeouts.next()
            first = instant if timeout is None else min(instant, timeout)
            engine.clock.sleep_until(first, engine.woken)

    def callbacks(self, arn: str) -> tuple[PendingCallback, ...]:
        """List an execution's open callbacks."""
        with self._engine.lock:
            journal = self._engine.find(arn)
            if journal is None or not journal.row.open:
                return ()
            waiting = journal.in_order(journal.waiting)
            return tuple(
                PendingCallback(arn, o.callback, o.id, o.name, journal.path(o), _moment(o.timer))
                for o in waiting
                if o.callback is not None
            )


def _moment(instant: int | None) -> datetime | None:
    return None if instant is None else to_datetime(instant)
