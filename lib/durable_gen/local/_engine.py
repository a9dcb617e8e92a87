"""The service's state in motion: transactions over executions, timers, wake-ups, starts and ends."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from durable_gen.local._clock import Clock
from durable_gen.local._commits import Batch, Commits
from durable_gen.local._facts import Change, Execution, Operation
from durable_gen.local._functions import Function, Name
from durable_gen.local._journal import Journal
from durable_gen.local._limits import Limits
from durable_gen.local._machine import Move
from durable_gen.local._reports import EventAppended, Notice
from durable_gen.local._shelf import Shelf
from durable_gen.local._store import Gate, Store
from durable_gen.local._timers import Timers
from durable_gen.local._wire import dated, event_item

if TYPE_CHECKING:
    from durable_gen.local._queue import Queued

Result = TypeVar("Result")
Held = list[tuple[Batch, list[Change]]]
LOGGER = logging.getLogger("durable_gen.local")


class Engine(Shelf):
    """All executions of one store, and what is due."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        limits: Limits,
        observer: Callable[[Notice], object] | None,
        ids: Callable[[], str],
    ) -> None:
        super().__init__(Gate(store))
        self.clock, self.limits, self.ids = clock, limits, ids
        self.woken = threading.Event()  # set when a sleeper is to look again
        self.functions: dict[str, dict[str, Function]] = {}
        self.gone: set[str] = set()
        self.ready: deque[tuple[str, str]] = (
            deque()
        )  # (ARN, "" or the chained invoke to call), or ("", request id)
        self.queued: dict[str, Queued] = {}  # asynchronous invocations of plain functions
        self.lost: list[str] = []  # executions whose invocation left through a BaseException
        self._observer = observer
        self._closing: dict[str, list[threading.Event]] = {}
        self._commits = Commits(self.store.write)
        self._depth = 0  # of transactions within one
        self._touched: dict[str, Journal] = {}
        self._waited = 0.0  # seconds that `together` has waited for the disk, the latest time
        self._together = threading.local()  # what a thread's transactions are to wait for later
        self._broken: dict[str, Execution] = {}  # what memory is to be read anew of
        self.timers = Timers(self._timer_stands, self.woken)  # of operations, and "" for a retry
        self.timeouts = Timers(self._timeout_stands, self.woken)  # of executions
        self.expiries = Timers(lambda _, arn, __: self.knows(arn), self.woken)  # of closed ones
        self._latest = 0
        for row in self.store.executions():
            self._latest = max(self._latest, row.touched)
            self._know(row)
            if row.open:
                self._adopt(row)
            self.keep_until(row)
        clock.not_before(self._latest)

    # Looking

    def now(self) -> int:
        """Give the instant, in milliseconds; it never falls, whatever the machine's clock does."""
        self._latest = max(self._latest, self.clock.now())
        return self._latest

    def function(self, text: str) -> Function | None:
        """Find the function that a name means; an alias means the version registered last."""
        name = Name.parse(text)
        versions = self.functions.get(name.name) if name else None
        if name is None or not versions:
            return None
        latest = versions[next(reversed(versions))]
        if name.qualifier is None or name.qualifier in versions:
            return versions[name.qualifier] if name.qualifier else latest
        return None if name.qualifier.isdecimal() or name.qualifier[0] == "$" else latest

    def pinned(self, row: Execution) -> Function | None:
        """Find the function of an execution, in the version with which it began."""
        return self.functions.get(row.function, {}).get(row.version)

    def opened(self) -> list[str]:
        """List the open executions."""
        return [arn for arn, journal in self._journals.items() if journal.row.open]

    def interrupted(self) -> list[str]:
        """List the executions whose invocation was under way when the store was opened."""
        return [arn for arn in self.opened() if self._journals[arn].row.running]

    def moves(self, arn: str) -> bool:
        """Tell whether anything but an answer from outside can move an execution on."""
        journal = self.find(arn)
        if journal is None or not journal.row.open:
            return True
        if journal.row.status == "PAUSED":
            return False
        if journal.row.retry_at is not None:
            return True
        waiting = (journal.operations[id_] for id_ in journal.waiting)
        return any(o.timer is not None or (o.child and self.moves(o.child)) for o in waiting)

    # Changing

    def admit(self, journal: Journal) -> Journal:
        """Take in a new execution."""
        self._journals[journal.row.arn] = journal
        self._know(journal.row)
        return journal

    @contextmanager
    def transaction(self) -> Iterator[int]:
        """Keep everything that is done inside, or nothing; gives the instant.

        It is left when what was done is on disk, and what was seen: meanwhile others may go on. One
        within another is part of it.
        """
        with self.lock:
            self._depth += 1
            try:
                if self._depth == 1:
                    self._mend()
                yield self.now()
                if self._depth > 1:
                    return
                changes = [c for j in self._touched.values() if (c := j.drain()) is not None]
                batch = self._commits.put(changes)
            except BaseException:
                if self._depth == 1:
                    self._forget()
                raise
            finally:
                self._depth -= 1
            for journal in self._touched.values():
                journal.batch = batch
            self._touched = {}
            for change in changes:
                if change.removed:
                    self._unknow(change.execution)
            if self.ready or any(not change.execution.open for change in changes):
                self.woken.set()
        held: Held | None = getattr(self._together, "held", None)
        if held is None:
            self._keep(batch, changes)
        else:
            held.append((batch, changes))

    def together(self, acts: Sequence[Callable[[], Result]]) -> list[Result | Exception]:
        """Do several things whose transactions wait for the disk together, after the last one.

        It does as many as it can do in the time that the latest such wait has taken: when the disk
        is quick, nobody is kept waiting for company.

        Args:
            acts: what to do, in this order. What one gives holds only when this returns.

        Returns:
            Of the first ones, at least one, what each gave, or why what it did was not kept.
        """
        began = time.perf_counter()
        results: list[Result | Exception] = []
        waiting: list[Held] = []
        for act in acts:
            held: Held = []
            self._together.held = held
            try:
                results.append(act())
            finally:
                self._together.held = None
            waiting.append(held)
            if time.perf_counter() - began > 4 * self._waited:
                break
        began = time.perf_counter()
        for place, held in enumerate(waiting):
            try:
                for batch, changes in held:
                    self._keep(batch, changes)
            except Exception as error:  # each has its own answer
                results[place] = error
        self._waited = time.perf_counter() - began
        return results

    def _keep(self, batch: Batch, changes: list[Change]) -> None:
        """Wait until a transaction is on disk, and act on it."""
        try:
            self._commits.wait(batch)
        except BaseException:
            with self.lock:
                self._mend()
            raise
        self._settled(changes)

    def due(self) -> bool:
        """Tell whether time alone has made something due."""
        with self.lock:
            self._mend()
            instants = (self.timers.next(), self.timeouts.next(), self.expiries.next())
            now = self.now()
            return any(instant is not None and instant <= now for instant in instants)

    def closing(self, arn: str) -> threading.Event:
        """Give an event that is set when an execution closes or goes; at once if it has."""
        event = threading.Event()
        with self.transaction():
            row = self.row(arn)
            if row is None or not row.open:
                event.set()
            else:
                self._closing.setdefault(arn, []).append(event)
        return event

    def close(self) -> None:
        """Write what has queued, and close the store."""
        with self.lock:
            self._commits.flush()
            self.store.close()

    def _settled(self, changes: list[Change]) -> None:
        """Act on what the store has taken: tell who waits, let go of what is over."""
        over = [change for change in changes if change.removed or not change.execution.open]
        if over:
            with self.lock:
                for change in over:
                    arn = change.execution.arn
                    if not change.removed and arn in self._journals:
                        self._rest(self._journals[arn])
                    for event in self._closing.pop(arn, ()):
                        event.set()
        if self._observer is not None:
            for change in changes:
                for told in change.events:
                    self.notify(EventAppended(change.execution.arn, dated(event_item(told))))

    def notify(self, notice: Notice) -> None:
        """Tell the observer; what it raises is logged and otherwise ignored."""
        if self._observer is None:
            return
        try:
            self._observer(notice)
        except Exception:
            LOGGER.exception("The service's observer raised; the execution goes on.")

    def edit(self, journal: Journal) -> Journal:
        """Make an execution part of the transaction."""
        self._touched[journal.row.arn] = journal
        return journal

    def put(self, journal: Journal, move: Move, now: int) -> None:
        """Keep a move, and watch the operation's clock."""
        self.edit(journal).take(move, now)
        self.watch(journal, move.operation)

    def watch(self, journal: Journal, operation: Operation) -> None:
        """Watch an operation's clock, if it has one."""
        if (instant := operation.timer) is not None:
            self.timers.push(instant, journal.row.arn, operation.id)

    def want(self, journal: Journal) -> None:
        """Owe an execution an invocation, unless one runs or is to come."""
        row = self.edit(journal).row
        if row.open and not row.running and not row.owed and row.retry_at is None:
            journal.set(owed=True)
            if row.status != "PAUSED":
                self.ready.append((row.arn, ""))

    def retry(self, journal: Journal, now: int, attempt: int) -> None:
        """Owe an execution an invocation after a delay; attempt counts the failures so far."""
        delays = self.limits.delays
        delay = delays[min(attempt, len(delays)) - 1] if delays else 0
        instant = now + round(delay * 1000)
        self.edit(journal).set(retry_at=instant)
        self.timers.push(instant, journal.row.arn, "")

    def keep_time(self, row: Execution) -> None:
        """Watch the timeout of an open execution, if it has one."""
        if row.deadline is not None:
            self.timeouts.push(row.deadline, row.arn, "")

    def keep_until(self, row: Execution) -> None:
        """Watch the retention of an execution, if it is closed."""
        if row.expiry is not None and self.limits.retention:
            self.expiries.push(row.expiry, row.arn, "")

    # Remembering

    def _adopt(self, row: Execution) -> None:
        """Take an open execution up from the store, with all that it waits for."""
        journal = Journal.load(row, self.store.operations(row.arn))
        self._journals[row.arn] = journal
        self.keep_time(row)
        if row.retry_at is not None:
            self.timers.push(row.retry_at, row.arn, "")
        if row.owed and row.status != "PAUSED":
            self.ready.append((row.arn, ""))
        for id_ in journal.waiting:
            operation = journal.operations[id_]
            self.watch(journal, operation)
            if operation.type == "CHAINED_INVOKE" and operation.child is None:
                self.ready.append((row.arn, id_))

    def _forget(self) -> None:
        """Undo what a transaction has done that is given up."""
        if self._touched:
            self._broken |= {arn: journal.row for arn, journal in self._touched.items()}
            self._touched = {}
            self._commits.flush()  # others' changes to the same executions are to be kept
        self._mend()

    def _mend(self) -> None:
        """Let executions whose changes could not be kept stand as the store has them."""
        self._broken |= {c.execution.arn: c.execution for c in self._commits.failed()}
        if self._broken:
            self.ready = deque(item for item in self.ready if item[0] not in self._broken)
        while self._broken:
            arn, row = next(iter(self._broken.items()))
            self._unknow(row)
            kept = self.store.execution(arn)
            if kept is not None:
                self._know(kept)
                self.keep_until(kept)
                if kept.open:
                    self._adopt(kept)
            del self._broken[arn]

    def _timer_stands(self, at: int, arn: str, id_: str) -> bool:
        if not arn:
            return id_ in self.queued and self.queued[id_].due == at
        journal = self._journals.get(arn)
        if journal is None or not journal.row.open:
            return False
        if not id_:
            return journal.row.retry_at == at
        operation = journal.operations.get(id_)
        return operation is not None and operation.timer == at

    def _timeout_stands(self, at: int, arn: str, id_: str) -> bool:
        journal = self._journals.get(arn)
        return not id_ and journal is not None and journal.row.open and journal.row.deadline == at
