"""Runs the calls of steps: inline, in threads, or on one event loop that lives on the main thread.

Worker threads put (call, outcome) on a queue and touch nothing else. There is none before a second call is
wanted at once, or one has a timeout.
"""

from __future__ import annotations

import inspect
import sys
import threading
import time
from collections.abc import Awaitable
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from durable_gen._check import is_async, is_awaitable
from durable_gen._effects import Call, running
from durable_gen._outcome import Err, Ok, Outcome
from durable_gen.errors import StepTimedOut, UsageError

if TYPE_CHECKING:
    import asyncio  # a large import, for the first coroutine to make

GRACE = 1.0  # seconds that tasks get to end when they are cancelled

Ended = tuple[Call, Outcome]
# What is heard of a call: that it has begun (None), or how it ended; and whether it has a thread.
Note = tuple[Call, Outcome | BaseException | None, bool]


def perform(call: Call) -> Outcome:
    """Run a call here. What is no Exception, such as KeyboardInterrupt, passes through."""

    def run() -> Any:
        running.set(call.info)
        return call.fn(*call.args)

    try:
        return Ok(call.context.run(run))
    except (Exception, GeneratorExit) as error:
        return Err(error)
    except BaseException as error:
        if not _is_cancellation(error):
            raise
        return Err(error)


def _is_cancellation(error: BaseException) -> bool:
    found = sys.modules.get("asyncio")  # whoever raises one has imported it
    return found is not None and isinstance(error, found.CancelledError)


def timed_out(call: Call) -> Err:
    """Make the outcome of a call that took too long."""
    message = f"it took longer than {call.timeout:g} s"
    return Err(StepTimedOut(call.info.name or call.info.path, None, message))


class Workers:
    """Runs calls beside one another.

    Args:
        most: threads at most, besides those that a timed-out step does not give back.

    Attributes:
        in_flight: calls whose end was not handed out yet.
    """

    clock = staticmethod(time.monotonic)  # kept here, where freezegun does not replace it

    def __init__(self, most: int) -> None:
        self.most = most
        self.in_flight = 0
        self.todo: SimpleQueue[Call | None] = SimpleQueue()
        self.done: SimpleQueue[Note] = SimpleQueue()
        self.threads = 0
        self.busy = 0  # calls that have a thread, or wait for one
        self.deadlines: dict[Call, float] = {}
        self.given_up: set[Call] = set()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.wake: asyncio.Event | None = None
        self.tasks: dict[asyncio.Task[None], Awaitable[Any]] = {}
        self.running: dict[Call, asyncio.Task[None]] = {}
        self.closed = False

    def inline(self, call: Call) -> Outcome:
        """Run a call to its end, when nothing else can go on meanwhile."""
        if not is_async(call.fn):
            call.context = copy_context()
            outcome = perform(call)
            if not (isinstance(outcome, Ok) and is_awaitable(outcome.value)):
                return outcome
            self.in_flight += 1
            self._start_task(call, outcome.value)
        else:
            self.start(call)
        return self.wait(None)[0][1]

    def start(self, call: Call) -> None:
        """Begin a call."""
        self.in_flight += 1
        call.context = copy_context()
        if is_async(call.fn):
            outcome = perform(call)
            if isinstance(outcome, Ok):
                self._start_task(call, outcome.value)
            else:
                self.done.put((call, outcome, False))
            return
        self.busy += 1
        self.todo.put(call)
        self._staff()

    def _staff(self) -> None:
        """Start a thread if a call waits for one; those that were given up keep theirs busy."""
        if self.threads < min(self.busy, self.most + len(self.given_up)):
            self.threads += 1
            threading.Thread(target=self._work, name="durable-gen", daemon=True).start()

    def drop(self, call: Call) -> None:
        """Give up a call that nobody wants to know of any more."""
        task = self.running.get(call)
        if task is not None:
            task.cancel()
        self._give_up(call)

    def _give_up(self, call: Call) -> None:
        self.deadlines.pop(call, None)
        self.given_up.add(call)
        self.in_flight -= 1
        self._staff()

    def wait(self, seconds: float | None) -> list[Ended]:
        """Wait for calls to end.

        Args:
            seconds: at most; None for as long as it takes.

        Returns:
            Those that have ended; none when the time is over.
        """
        end = None if seconds is None else self.clock() + seconds
        ended = self._heard(None)
        while not ended and self.in_flight:
            now = self.clock()
            if end is not None and now >= end:
                break
            limits = [*self.deadlines.values(), *(() if end is None else (end,))]
            left = max(0.0, min(limits) - now) if limits else None
            ended = self._heard(self._listen(left))
        return ended

    def close(self) -> None:
        """Let go of threads and tasks, whether or not they have ended; what waits never begins."""
        self.closed = True
        with suppress(Empty):
            while True:
                self.todo.get_nowait()
        for _ in range(self.threads):
            self.todo.put(None)
        if self.loop is None:
            return
        import asyncio

        for task in self.tasks:
            task.cancel()
        if self.tasks:  # one that swallows its end is left behind
            self.loop.run_until_complete(asyncio.wait(tuple(self.tasks), timeout=GRACE))
        for task in list(self.tasks):
            self._let_go(task)
        self.loop.close()

    # --- what is heard of calls ------------------------------------------------------------------

    def _listen(self, seconds: float | None) -> Note | None:
        if self.tasks:
            assert self.loop is not None
            assert self.wake is not None
            self.loop.run_until_complete(_first(self.wake, seconds))
            self.wake.clear()
            return None
        try:
            return self.done.get(timeout=seconds)
        except Empty:
            return None

    def _heard(self, note: Note | None) -> list[Ended]:
        ended: list[Ended] = []
        while True:
            if note is not None:
                self._note(note, ended)
            try:
                note = self.done.get_nowait()
            except Empty:
                break
        now = self.clock() if self.deadlines else 0.0
        for call in [call for call, deadline in self.deadlines.items() if deadline <= now]:
            self._give_up(call)
            ended.append((call, timed_out(call)))
        return ended

    def _note(self, note: Note, ended: list[Ended]) -> None:
        call, outcome, threaded = note
        if outcome is None:  # it has begun
            assert call.timeout is not None
            if call not in self.given_up:
                self.deadlines[call] = self.clock() + call.timeout
            return
        self.busy -= threaded
        self.deadlines.pop(call, None)
        self.running.pop(call, None)
        if call in self.given_up:
            self.given_up.discard(call)
        elif isinstance(outcome, BaseException):
            raise outcome
        elif isinstance(outcome, Ok) and is_awaitable(outcome.value):
            self._start_task(call, outcome.value)
        else:
            self.in_flight -= 1
            ended.append((call, outcome))

    # --- threads ---------------------------------------------------------------------------------

    def _work(self) -> None:
        while (call := self.todo.get()) is not None:
            if self.closed or call in self.given_up:
                self.done.put((call, Ok(), True))
                continue
            if call.timeout is not None:
                self.done.put((call, None, True))
                self._ring()
            try:
                outcome: Outcome | BaseException = perform(call)
            except BaseException as error:
                outcome = error
            self.done.put((call, outcome, True))
            del call, outcome  # an idle thread keeps nothing alive
            self._ring()

    def _ring(self) -> None:
        loop, wake = self.loop, self.wake
        if loop is not None and wake is not None:
            with suppress(RuntimeError):  # closed meanwhile: nobody waits any more
                loop.call_soon_threadsafe(wake.set)

    # --- the event loop --------------------------------------------------------------------------

    def _start_task(self, call: Call, awaitable: Awaitable[Any]) -> None:
        import asyncio

        if _loop_runs():
            problem = UsageError(
                "an async step needs an event loop of its own, and one runs already in this thread: "
                "call the handler from a thread without one, as asyncio.to_thread(handler, event) does"
            )
            _close(awaitable)
            self.done.put((call, Err(problem), False))
            return
        if self.loop is None or self.wake is None:
            self.loop, self.wake = asyncio.new_event_loop(), asyncio.Event()
            if (
                time.monotonic is not self.clock
            ):  # it is frozen, and the loop's timers are not to be
                self.loop.time = self.clock  # type: ignore[method-assign]
        task = self.loop.create_task(self._await(call, awaitable), context=call.context)
        self.tasks[task] = awaitable
        self.running[call] = task
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[None]) -> None:
        _close(self.tasks.pop(task, None))  # it may never have begun

    async def _await(self, call: Call, awaitable: Awaitable[Any]) -> None:
        import asyncio

        outcome: Outcome | BaseException
        try:
            async with asyncio.timeout(call.timeout) as limit:
                outcome = Ok(await awaitable)
            if limit.expired():  # it swallowed its end
                outcome = timed_out(call)
        except Exception as error:
            outcome = timed_out(call) if limit.expired() else Err(error)
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                self.done.put((call, Ok(), False))  # nobody waits for it any more
                raise
            outcome = Err(RuntimeError("the step's coroutine was cancelled from inside"))
        except BaseException as error:
            outcome = error
        self.done.put((call, outcome, False))
        assert self.wake is not None
        self.wake.set()


def _close(awaitable: Any) -> None:
    """Close a coroutine, so that one which never began is not missed by anybody."""
    if inspect.iscoroutine(awaitable):
        awaitable.close()


def _loop_runs() -> bool:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _first(wake: asyncio.Event, seconds: float | None) -> None:
    import asyncio

    with suppress(TimeoutError):
        await asyncio.wait_for(wake.wait(), seconds)
