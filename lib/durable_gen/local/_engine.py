"""The service's state in motion: functions, timers, wake-ups, what is taken up from the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from durable_gen.local._clock import Clock
from durable_gen.local._facts import Execution, Operation
from durable_gen.local._functions import Function, Name
from durable_gen.local._journal import Journal
from durable_gen.local._limits import Limits
from durable_gen.local._machine import Move
from durable_gen.local._reports import Notice
from durable_gen.local._store import Gate, Store
from durable_gen.local._timers import Timers
from durable_gen.local._transactions import Transactions

if TYPE_CHECKING:
    from durable_gen.local._queue import Queued


class Engine(Transactions):
    """All executions of one store, their functions, and what is due."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        limits: Limits,
        observer: Callable[[Notice], object] | None,
        ids: Callable[[], str],
    ) -> None:
        super().__init__(Gate(store), clock, observer)
        self.limits, self.ids = limits, ids
        self.functions: dict[str, dict[str, Function]] = {}
        self.gone: set[str] = set()
        self.queued: dict[str, Queued] = {}  # asynchronous invocations of plain functions
        self.lost: list[str] = []  # executions whose invocation left through a BaseException
        self.timers = Timers(self._timer_stands, self.woken)  # of operations, and "" for a retry
        self.timeouts = Timers(self._timeout_stands, self.woken)  # of executions
        self.expiries = Timers(lambda _, arn, __: self.knows(arn), self.woken)  # of closed ones
        for row in self.store.executions():
            self._latest = max(self._latest, row.touched)
            self._take_up(row)
        clock.not_before(self._latest)

    # Looking

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

    def due(self) -> bool:
        """Tell whether time alone has made something due."""
        with self.lock:
            self._mend()
            return self.maybe_due(self.now())

    def maybe_due(self, now: int) -> bool:
        """Tell whether a clock may have run out, without a closer look."""
        return any(one.due(now) for one in (self.timers, self.timeouts, self.expiries))

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

    def _take_up(self, row: Execution) -> None:
        """Let an execution stand as the store has it, with all that it waits for if it is open."""
        self._know(row)
        self.keep_until(row)
        if not row.open:
            return
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
