"""What drives a service from threads: timers when they are due, invocations side by side."""

from __future__ import annotations

import threading
import time
from functools import partial

from durable_gen.local import _lives, _queue
from durable_gen.local._ending import EXITED
from durable_gen.local._engine import Engine
from durable_gen.local._functions import Answer
from durable_gen.local._host import Host, Unreachable
from durable_gen.local._threads import Threads
from durable_gen.local._transactions import LOGGER
from durable_gen.local._work import Job, Work

LONGEST_SLEEP = 3_600.0  # seconds
BROKEN = 1.0  # seconds before it goes on after the store refused


class Scheduler:
    """A thread that keeps the time, and a thread for each call that runs.

    Whoever makes a call due has it run at once, by `Engine.rouse`.

    The engine's own changes stay one after the other. An execution has one invocation at a time.

    Args:
        engine: the service's state.
        work: the calls that are due in it.
        host: where functions run.
        most: calls that may run at once.
        skip: whether to jump to the next timer when no call runs.
    """

    def __init__(
        self, engine: Engine, work: Work, host: Host, *, most: int = 64, skip: bool = False
    ) -> None:
        self.engine, self.host = engine, host
        self._work = work
        self._most, self._skip = most, skip
        self._running = 0
        self._stopping = False
        self._calls = Threads("durable_gen call")
        self._thread = threading.Thread(target=self._run, name="durable_gen service", daemon=True)

    def start(self) -> None:
        """Begin."""
        self.engine.rouse = self._dispatch
        self._thread.start()

    def stop(self) -> None:
        """Take nothing more. What runs is not waited for: the store knows that it was under way."""
        self._stopping = True
        self.engine.rouse = self.engine.woken.set
        self.engine.woken.set()
        if self._thread.is_alive():
            self._thread.join()
        self._calls.close()
        _queue.abandon(self.engine)
        self.host.close()

    def _run(self) -> None:
        engine = self.engine
        while not self._stopping:
            engine.woken.clear()
            try:
                self._turn()
            except Exception:
                LOGGER.exception("The service could not go on; it tries again.")
                engine.woken.wait(BROKEN)
                continue
            self._wait()

    def _turn(self) -> None:
        self._work.reap()
        _lives.settle(self.engine)
        self._dispatch()

    def _dispatch(self) -> None:
        """Run what is due, as much as may run."""
        while (due := self._next()) is not None:
            self._calls.run(partial(self._go, due))

    def _next(self) -> tuple[str, str] | None:
        """Take what is due next, if one more call may run."""
        with self.engine.lock:
            due = None if self._stopping or self._running >= self._most else self._work.next()
            self._running += due is not None
            return due

    def _go(self, due: tuple[str, str] | None) -> None:
        """Run a call, and then whatever is due."""
        while due is not None:
            try:
                job = self._work.begin(*due)
            except Exception:
                if not self._stopping:
                    LOGGER.exception("An invocation could not be begun; it is tried again.")
                self._work.put_back(due)
                time.sleep(BROKEN)
            else:
                if isinstance(job, Job):
                    self._call(job)
            with self.engine.lock:
                self._running -= 1
                due = self._next()
        self.engine.woken.set()

    def _call(self, job: Job) -> None:
        answer = self._ask(job)
        if self._stopping and answer is None:
            return
        try:
            self._work.finish(job, answer or Answer(error=EXITED))
        except Exception:
            if not self._stopping:
                LOGGER.exception("The end of an invocation could not be kept; it is run again.")

    def _ask(self, job: Job) -> Answer | Unreachable | None:
        """Run a call; None if what became of it is not known."""
        try:
            return self.host.invoke(job.call)
        except Unreachable as error:
            return error
        except BaseException:  # an exit of the function's is not one of the service
            if not self._stopping:
                LOGGER.exception("An invocation of %s was lost.", job.call.function.name)
            return None

    def _wait(self) -> None:
        engine = self.engine
        with engine.lock:
            timer, timeout = engine.timers.next(), engine.timeouts.next()
            idle = self._running == 0 and not engine.ready and not engine.lost
        instants = [t for t in (timer, timeout) if t is not None]
        if self._skip and idle and timer is not None:
            engine.clock.sleep_until(min(instants), engine.woken)
            return
        seconds = LONGEST_SLEEP
        if instants:
            seconds = min(seconds, (min(instants) - engine.clock.now()) / 1000)
        if seconds > 0:
            engine.woken.wait(seconds)
