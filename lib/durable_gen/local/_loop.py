"""The loop: one thing that is due after the other, in one thread, and the waiting in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from durable_gen.local import _ending, _invocations, _lives
from durable_gen.local._clock import to_datetime
from durable_gen.local._engine import Engine
from durable_gen.local._functions import call
from durable_gen.local._reports import Called, Fired, Idle, Invoked, PendingCallback, Step


class Loop:
    """What runs the invocations of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._parked: list[tuple[str, str]] = []  # due, but their function is not registered yet
        for arn in engine.interrupted():
            _invocations.exited(engine, arn)

    def unpark(self) -> None:
        """Look again at what had no function."""
        self._engine.ready.extend(self._parked)
        self._parked = []

    def step(self) -> Step:
        """Do one thing that is due: fire timers, or run one invocation. It never waits."""
        engine = self._engine
        while engine.lost:
            _invocations.exited(engine, engine.lost.pop())
        with engine.transaction() as now:
            fired = _lives.fire(engine, now)
        if fired:
            return Fired(tuple(fired))
        while engine.ready:
            item = engine.ready.popleft()
            try:
                done = self._one(*item)
            except BaseException:
                if item[1]:
                    engine.ready.append(item)
                else:
                    engine.lost.append(item[0])
                raise
            if done is not None:
                return done
        with engine.lock:
            return Idle(
                _moment(engine.timers.next()),
                _moment(engine.timeouts.next()),
                tuple(c for arn in engine.opened() for c in self.callbacks(arn)),
            )

    def _one(self, arn: str, id_: str) -> Step | None:
        engine = self._engine
        journal = engine.find(arn)
        if journal is None or not journal.row.open:
            return None
        row = journal.row
        target = journal.operations[id_].function if id_ else None
        function = engine.function(target) if target else engine.pinned(row)
        if function is None:
            if not target and row.function in engine.gone:
                _invocations.vanish(engine, arn)
                return Invoked(arn, self._status(arn))
            self._parked.append((arn, id_))
            return None
        if id_:
            if not journal.operations[id_].waits:
                return None
            _invocations.reach(engine, arn, id_, function)
            return Called(arn, id_)
        invocation = _invocations.begin(engine, arn, function)
        if invocation is None:
            return None
        answer = call(function, invocation.event, invocation.context)
        _invocations.end(engine, arn, _ending.read(answer, row.limit))
        return Invoked(arn, self._status(arn))

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
                return self._status(arn)
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

    def _status(self, arn: str) -> str:
        journal = self._engine.find(arn)
        assert journal is not None
        return journal.row.status


def _moment(instant: int | None) -> datetime | None:
    return None if instant is None else to_datetime(instant)
