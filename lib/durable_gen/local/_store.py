"""Where executions are kept: in memory, or in a SQLite file that survives the process."""

from __future__ import annotations

import json
import sqlite3
import weakref
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike, fspath
from typing import Any, Protocol

import attrs

from durable_gen.local._facts import Change, Event, Execution, Operation

SCHEMA = """
CREATE TABLE IF NOT EXISTS executions (
    arn TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS operations (
    arn TEXT NOT NULL, place INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (arn, place));
CREATE TABLE IF NOT EXISTS events (
    arn TEXT NOT NULL, id INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (arn, id));
"""
REMOVALS = (
    "DELETE FROM executions WHERE arn = ?",
    "DELETE FROM operations WHERE arn = ?",
    "DELETE FROM events WHERE arn = ?",
)
VERSION = 1  # of the schema and of the rows' bodies


class StoreInUse(RuntimeError):  # noqa: N818  # a state of affairs, not a mistake
    """Another process, or another store in this one, has the file open."""


class Store(Protocol):
    """What the service asks of a store. `write` is one transaction: all of it is kept, or nothing."""

    def executions(self) -> Iterable[Execution]:
        """List all executions, oldest first."""

    def execution(self, arn: str) -> Execution | None:
        """Find one execution."""

    def operations(self, arn: str) -> Iterable[Operation]:
        """List an execution's operations in the order in which they were created."""

    def events(self, arn: str, first: int, last: int) -> Sequence[Event]:
        """List an execution's events from EventId first to last, both included."""

    def write(self, changes: Sequence[Change]) -> None:
        """Keep changes, all or none."""

    def close(self) -> None:
        """Let go of what is held."""


class MemoryStore:
    """A store that lives as long as it is referred to."""

    def __init__(self) -> None:
        self._executions: dict[str, Execution] = {}
        self._operations: dict[str, dict[int, Operation]] = {}
        self._events: dict[str, list[Event]] = {}

    def executions(self) -> list[Execution]:
        """List all executions, oldest first."""
        return list(self._executions.values())

    def execution(self, arn: str) -> Execution | None:
        """Find one execution."""
        return self._executions.get(arn)

    def operations(self, arn: str) -> list[Operation]:
        """List an execution's operations in the order in which they were created."""
        return list(self._operations.get(arn, {}).values())

    def events(self, arn: str, first: int, last: int) -> list[Event]:
        """List an execution's events from EventId first to last, both included."""
        return self._events.get(arn, [])[max(first - 1, 0) : last]

    def write(self, changes: Sequence[Change]) -> None:
        """Keep changes."""
        for change in changes:
            arn = change.execution.arn
            if change.removed:
                self._executions.pop(arn, None)
                self._operations.pop(arn, None)
                self._events.pop(arn, None)
                continue
            self._executions[arn] = change.execution
            rows = self._operations.setdefault(arn, {})
            for operation in change.operations:
                rows[operation.order] = operation
            self._events.setdefault(arn, []).extend(change.events)

    def close(self) -> None:
        """Do nothing: memory is let go with the store."""


class SqliteStore:
    """A store in a SQLite file: what a request was told is kept stays, whatever kills the process.

    The file belongs to one store at a time. The operating system frees it when its process ends,
    however it ends.

    Args:
        path: the file; made if it is not there.

    Raises:
        StoreInUse: the file is open elsewhere.
        ValueError: the file is a store of another version.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = fspath(path)
        # Steps may answer callbacks from other threads; the service lets in one at a time.
        self._sql = sqlite3.connect(
            self._path, timeout=0, isolation_level=None, check_same_thread=False
        )
        self._close = weakref.finalize(self, self._sql.close)
        try:
            self._open()
        except BaseException:
            self._close()
            raise

    def _open(self) -> None:
        try:
            self._sql.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._sql.execute("PRAGMA journal_mode = WAL")
            self._sql.execute("PRAGMA synchronous = FULL")
            self._sql.execute("BEGIN EXCLUSIVE")  # from here on the file is ours
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            msg = (
                f"expected {self._path!r} to be free, but another store has it open: end the "
                "process that runs on it, or close() that store, or use another file"
            )
            raise StoreInUse(msg) from error
        (found,) = self._sql.execute("PRAGMA user_version").fetchone()
        if found not in {0, VERSION}:
            msg = f"expected a store of version {VERSION} in {self._path!r}, found {found}: use another file"
            raise ValueError(msg)
        for statement in SCHEMA.split(";"):
            self._sql.execute(statement)
        self._sql.execute(f"PRAGMA user_version = {VERSION}")
        self._sql.execute("COMMIT")

    def executions(self) -> Iterator[Execution]:
        """List all executions, oldest first."""
        for (body,) in self._sql.execute("SELECT body FROM executions ORDER BY rowid").fetchall():
            yield Execution(**json.loads(body))

    def execution(self, arn: str) -> Execution | None:
        """Find one execution."""
        row = self._sql.execute("SELECT body FROM executions WHERE arn = ?", (arn,)).fetchone()
        return None if row is None else Execution(**json.loads(row[0]))

    def operations(self, arn: str) -> Iterator[Operation]:
        """List an execution's operations in the order in which they were created."""
        query = "SELECT body FROM operations WHERE arn = ? ORDER BY place"
        for (body,) in self._sql.execute(query, (arn,)).fetchall():
            yield Operation(**json.loads(body))

    def events(self, arn: str, first: int, last: int) -> list[Event]:
        """List an execution's events from EventId first to last, both included."""
        query = "SELECT body FROM events WHERE arn = ? AND id BETWEEN ? AND ? ORDER BY id"
        return [
            Event(**json.loads(body)) for (body,) in self._sql.execute(query, (arn, first, last))
        ]

    def write(self, changes: Sequence[Change]) -> None:
        """Keep changes in one transaction."""
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            for change in changes:
                self._put(change)
            self._sql.execute("COMMIT")
        except BaseException:
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")
            raise

    def _put(self, change: Change) -> None:
        arn = change.execution.arn
        if change.removed:
            for statement in REMOVALS:
                self._sql.execute(statement, (arn,))
            return
        self._sql.execute(
            "INSERT INTO executions VALUES (?, ?) ON CONFLICT (arn) DO UPDATE SET body = excluded.body",
            (arn, _text(change.execution)),
        )
        self._sql.executemany(
            "INSERT OR REPLACE INTO operations VALUES (?, ?, ?)",
            [(arn, operation.order, _text(operation)) for operation in change.operations],
        )
        self._sql.executemany(
            "INSERT INTO events VALUES (?, ?, ?)",
            [(arn, event.id, _text(event)) for event in change.events],
        )

    def close(self) -> None:
        """Give the file free."""
        self._close()


def _text(row: Any) -> str:
    return json.dumps(attrs.asdict(row, recurse=False), separators=(",", ":"))
