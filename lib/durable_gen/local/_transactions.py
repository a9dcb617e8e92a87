"""Transactions over executions: all that is done in one is kept, or nothing; some wait for the disk together."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from durable_gen.local._clock import Clock
from durable_gen.local._commits import Batch, Commits
from durable_gen.local._facts import Change, Execution
from durable_gen.local._journal import Journal
from durable_gen.local._reports import EventAppended, Notice
from durable_gen.local._shelf import Shelf
from durable_gen.local._store import Gate
from durable_gen.local._wire import dated, event_item

LOGGER = logging.getLogger("durable_gen.local")
SHARE = 4  # seconds of work that may go together for each second of waiting for the disk
Result = TypeVar("Result")
Held = list[tuple[Batch, list[Change]]]


class Transactions(Shelf, ABC):
    """The executions of a store, changed by transactions.

    Args:
        store: where they are kept.
        clock: the time.
        observer: told of what has been kept.

    Attributes:
        clock: the time.
        woken: set when a sleeper is to look again.
        rouse: called when there is work, or an execution has ended.
        ready: what is to be called: ARN and "" or a chained invoke, or "" and a request id.
    """

    def __init__(
        self, store: Gate, clock: Clock, observer: Callable[[Notice], object] | None
    ) -> None:
        super().__init__(store)
        self.clock = clock
        self.woken = threading.Event()
        self.rouse: Callable[[], object] = self.woken.set
        self.ready: deque[tuple[str, str]] = deque()
        self._observer = observer
        self._latest = 0
        self._closing: dict[str, list[threading.Event]] = {}
        self._commits = Commits(self.store.write)
        self._depth = 0  # of transactions within one
        self._waited = 0.0  # seconds that `together` has waited for the disk, the latest time
        self._together = threading.local()  # what a thread's transactions are to wait for later
        self._touched: dict[str, Journal] = {}
        self._broken: dict[str, Execution] = {}  # what memory is to be read anew of

    @abstractmethod
    def _take_up(self, row: Execution) -> None:
        """Let an execution stand as the store has it."""

    def now(self) -> int:
        """Give the instant, in milliseconds; it never falls, whatever the machine's clock does."""
        self._latest = max(self._latest, self.clock.now())
        return self._latest

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
            news = self.ready or any(not change.execution.open for change in changes)
        if news:
            self.rouse()
        held: Held | None = getattr(self._together, "held", None)
        if held is None:
            self._keep(batch, changes)
        else:
            held.append((batch, changes))

    def together(self, acts: Sequence[Callable[[], Result]]) -> list[Result | Exception]:
        """Do several things whose transactions wait for the disk together, after the last one.

        How long it goes on is bound to how long the latest such wait took: when the disk is quick,
        nobody is kept waiting for company.

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
            if time.perf_counter() - began > SHARE * self._waited:
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

    def edit(self, journal: Journal) -> Journal:
        """Make an execution part of the transaction."""
        self._touched[journal.row.arn] = journal
        return journal

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

    def _forget(self) -> None:
        """Undo what a transaction has done that is given up."""
        if self._touched:
            self._broken |= {arn: journal.row for arn, journal in self._touched.items()}
            self._touched = {}
            self._commits.flush()  # others' changes to the same executions are to be kept
        self._mend()

    def _mend(self) -> None:
        """Let executions whose changes could not be kept stand as the store has them."""
        if not self._commits.failing and not self._broken:
            return
        self._broken |= {c.execution.arn: c.execution for c in self._commits.failed()}
        if self._broken:
            self.ready = deque(item for item in self.ready if item[0] not in self._broken)
        while self._broken:
            arn, row = next(iter(self._broken.items()))
            self._unknow(row)
            kept = self.store.execution(arn)
            if kept is not None:
                self._take_up(kept)
            del self._broken[arn]
