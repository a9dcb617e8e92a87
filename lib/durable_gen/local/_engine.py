"""The service's state in motion: transactions over executions, timers, wake-ups, starts and ends."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from attrs import frozen

from durable_gen.local._clock import Clock
from durable_gen.local._facts import Change, Execution, Operation
from durable_gen.local._functions import Function, Name
from durable_gen.local._journal import Journal
from durable_gen.local._machine import Move
from durable_gen.local._reports import EventAppended, Notice
from durable_gen.local._rules import MIB
from durable_gen.local._store import Store
from durable_gen.local._timers import Timers
from durable_gen.local._wire import event_item

if TYPE_CHECKING:
    from durable_gen.local._queue import Queued

RESTED = 64  # closed executions that are kept in memory
LOGGER = logging.getLogger("durable_gen.local")


@frozen
class Limits:
    """How much the service takes, and how patient it is.

    Attributes:
        attempts: failed invocations in a row that fail an execution; None for no limit.
        delays: seconds before each further attempt; the last one repeats.
        idlings: invocations in a row that suspend with nothing pending, and fail an execution.
        operations: how many an execution may have.
        page: bytes of a page of the state.
        retention: whether closed executions are forgotten when their days are over.
        again: seconds before an asynchronous invocation that failed is made again: the first, the
            second time.
    """

    attempts: int | None = 5
    delays: tuple[float, ...] = (1, 2, 4, 8)
    idlings: int = 3
    operations: int = 30_000
    page: int = 5 * MIB
    retention: bool = True
    again: tuple[float, float] = (60, 120)  # as Lambda's documentation has it


class Engine:
    """All executions of one store, and what is due."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        limits: Limits,
        observer: Callable[[Notice], object] | None,
    ) -> None:
        self.store, self.clock, self.limits = store, clock, limits
        self.lock = threading.RLock()  # steps may answer callbacks from other threads
        self.woken = threading.Event()  # set by every change, so that a sleeper looks again
        self.functions: dict[str, dict[str, Function]] = {}
        self.gone: set[str] = set()
        self.ready: deque[tuple[str, str]] = (
            deque()
        )  # (ARN, "" or the chained invoke to call), or ("", request id)
        self.queued: dict[str, Queued] = {}  # asynchronous invocations of plain functions
        self.lost: list[str] = []  # executions whose invocation left through a BaseException
        self._observer = observer
        self._journals: dict[str, Journal] = {}
        self._rested: OrderedDict[str, None] = OrderedDict()  # the closed ones among them
        self._closing: dict[str, list[threading.Event]] = {}
        self._touched: dict[str, Journal] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._ids: dict[str, str] = {}
        self.timers = Timers(self._timer_stands)  # of operations, and "" for a retry
        self.timeouts = Timers(self._timeout_stands)  # of executions
        self.expiries = Timers(lambda _, arn, __: self.knows(arn))  # of closed executions
        self._latest = 0
        for row in store.executions():
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

    def find(self, arn: str) -> Journal | None:
        """Find an execution."""
        journal = self._journals.get(arn)
        if journal is None and (row := self.store.execution(arn)) is not None:
            journal = self._journals[arn] = Journal.load(row, self.store.operations(arn))
            self._rest(journal)
        return journal

    def row(self, arn: str) -> Execution | None:
        """Find an execution's row alone."""
        with self.lock:
            journal = self._journals.get(arn)
            return journal.row if journal is not None else self.store.execution(arn)

    def knows(self, arn: str) -> bool:
        """Tell whether there is such an execution."""
        return self._ids.get(arn.rpartition("/")[2]) == arn

    def find_id(self, execution: str) -> Journal | None:
        """Find an execution by its id alone."""
        arn = self._ids.get(execution)
        return None if arn is None else self.find(arn)

    def find_name(self, function: str, name: str) -> Journal | None:
        """Find the execution that holds a name."""
        arn = self._names.get((function, name))
        return None if arn is None else self.find(arn)

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
        """Keep everything that is done inside, or nothing; gives the instant."""
        with self.lock:
            try:
                yield self.now()
                drained = [journal.drain() for journal in self._touched.values()]
                changes = [change for change in drained if change is not None]
                if changes:
                    self.store.write(changes)
                    self._settled(changes)
                    self.woken.set()
            except BaseException:
                self._forget()
                raise
            self._touched = {}
        for change in changes:
            for event in change.events:
                if self._observer is not None:
                    self.notify(EventAppended(change.execution.arn, event_item(event)))

    def closing(self, arn: str) -> threading.Event:
        """Give an event that is set when an execution closes or goes; at once if it has."""
        event = threading.Event()
        with self.lock:
            row = self.row(arn)
            if row is None or not row.open:
                event.set()
            else:
                self._closing.setdefault(arn, []).append(event)
        return event

    def _settled(self, changes: list[Change]) -> None:
        """Act on what the store has taken: tell who waits, let go of what is over."""
        for change in changes:
            row = change.execution
            if change.removed:
                self._journals.pop(row.arn, None)
                self._ids.pop(row.id, None)
                if self._names.get((row.function, row.name)) == row.arn:
                    del self._names[row.function, row.name]
            elif not row.running and row.arn in self._journals:
                self._rest(self._journals[row.arn])
            if change.removed or not row.open:
                for event in self._closing.pop(row.arn, ()):
                    event.set()

    def _rest(self, journal: Journal) -> None:
        """Keep only the latest of the closed executions in memory."""
        row = journal.row
        if row.open or row.running:
            return
        self._rested[row.arn] = None
        self._rested.move_to_end(row.arn)
        while len(self._rested) > RESTED:
            arn, _ = self._rested.popitem(last=False)
            if arn not in self._touched:
                self._journals.pop(arn, None)

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

    def keep_until(self, row: Execution) -> None:
        """Watch the retention of an execution, if it is closed."""
        if row.expiry is not None and self.limits.retention:
            self.expiries.push(row.expiry, row.arn, "")

    # Remembering

    def _know(self, row: Execution) -> None:
        self._names[row.function, row.name] = row.arn
        self._ids[row.id] = row.arn

    def _adopt(self, row: Execution) -> None:
        """Take an open execution up from the store, with all that it waits for."""
        journal = Journal.load(row, self.store.operations(row.arn))
        self._journals[row.arn] = journal
        self.timeouts.push(row.deadline, row.arn, "")
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
        touched, self._touched = self._touched, {}
        for arn in touched:
            self._journals.pop(arn, None)
            self.ready = deque(item for item in self.ready if item[0] != arn)
            row = self.store.execution(arn)
            if row is not None:
                self.keep_until(row)
                if row.open:
                    self._adopt(row)

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
