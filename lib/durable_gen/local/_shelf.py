"""Executions at hand: those that are open, and the latest of the closed ones, kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict

from durable_gen.local._facts import Execution
from durable_gen.local._journal import Journal
from durable_gen.local._store import Gate

RESTED = 64  # closed executions that are kept in memory


class Shelf:
    """The executions of a store, found by ARN, by id or by name.

    Args:
        store: where those are that are not at hand.
    """

    def __init__(self, store: Gate) -> None:
        self.store = store
        self.lock = threading.RLock()  # steps may answer callbacks from other threads
        self._journals: dict[str, Journal] = {}
        self._rested: OrderedDict[str, None] = OrderedDict()  # the closed ones among them
        self._names: dict[tuple[str, str], str] = {}
        self._ids: dict[str, str] = {}

    def find(self, arn: str) -> Journal | None:
        """Find an execution."""
        with self.lock:
            journal = self._journals.get(arn)
            if journal is None and (row := self.row(arn)) is not None:
                journal = self._journals[arn] = Journal.load(row, self.store.operations(arn))
                self._rest(journal)
            return journal

    def row(self, arn: str) -> Execution | None:
        """Find an execution's row alone."""
        journal = self._journals.get(arn)
        if journal is not None:
            return journal.row
        return self.store.execution(arn) if self.knows(arn) else None

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

    def _know(self, row: Execution) -> None:
        self._names[row.function, row.name] = row.arn
        self._ids[row.id] = row.arn

    def _unknow(self, row: Execution) -> None:
        self._journals.pop(row.arn, None)
        self._rested.pop(row.arn, None)
        self._ids.pop(row.id, None)
        if self._names.get((row.function, row.name)) == row.arn:
            del self._names[row.function, row.name]

    def _rest(self, journal: Journal) -> None:
        """Keep only the latest of the closed executions in memory."""
        row = journal.row
        if row.open or row.running:
            return
        self._rested[row.arn] = None
        self._rested.move_to_end(row.arn)
        while len(self._rested) > RESTED:
            arn = next(iter(self._rested))
            oldest = self._journals.get(arn)
            batch = oldest.batch if oldest is not None else None
            if oldest is not None and (oldest.noted or not (batch is None or batch.over)):
                return  # the store does not have it as it is
            self._journals.pop(arn, None)
            del self._rested[arn]
