"""A store in a SQLite file that survives the process, whatever ends it."""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from os import PathLike, fspath

from durable_gen.local._facts import Change, Event, Execution, Operation, changed
from durable_gen.local._json import ascii_text, read

SCHEMA = """
CREATE TABLE IF NOT EXISTS executions (
    place INTEGER PRIMARY KEY, arn TEXT NOT NULL UNIQUE, function TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS executions_of_function ON executions (function, place);
CREATE TABLE IF NOT EXISTS operations (
    execution INTEGER, place INTEGER, body TEXT NOT NULL, PRIMARY KEY (execution, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    execution INTEGER, id INTEGER, body TEXT NOT NULL, PRIMARY KEY (execution, id)) WITHOUT ROWID;
"""
REMOVALS = (
    "DELETE FROM executions WHERE place = ?",
    "DELETE FROM operations WHERE execution = ?",
    "DELETE FROM events WHERE execution = ?",
)
EXECUTIONS = """
SELECT e.body, o.body FROM executions e JOIN operations o ON o.execution = e.place AND o.place = 0
"""  # the input is kept once, with the EXECUTION operation: an execution's row is written often
NEWEST = """
SELECT place, body FROM executions WHERE function = ? AND place < ? ORDER BY place DESC LIMIT ?
"""
OLDEST = """
SELECT place, body FROM executions WHERE function = ? AND place > ? ORDER BY place LIMIT ?
"""
VERSION = 2  # of the schema and of the rows' bodies


class StoreInUse(RuntimeError):  # noqa: N818  # a state of affairs, not a mistake
    """Another process, or another store in this one, has the file open."""


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
        for body, root in self._sql.execute(f"{EXECUTIONS} ORDER BY e.place").fetchall():
            yield _execution(body, root)

    def execution(self, arn: str) -> Execution | None:
        """Find one execution."""
        found = self._sql.execute(f"{EXECUTIONS} WHERE e.arn = ?", (arn,)).fetchone()
        return None if found is None else _execution(*found)

    def listed(
        self, function: str, *, newest: bool, beyond: int | None, most: int
    ) -> list[tuple[int, Execution]]:
        """List a function's executions, each with its place, as `Store.listed` says."""
        beyond = (2**63 - 1 if newest else 0) if beyond is None else beyond
        found = self._sql.execute(NEWEST if newest else OLDEST, (function, beyond, most))
        return [(place, Execution(**read(body))) for place, body in found]

    def operations(self, arn: str) -> Iterator[Operation]:
        """List an execution's operations in the order in which they were created."""
        query = (
            "SELECT o.body FROM executions e JOIN operations o ON o.execution = e.place "
            "WHERE e.arn = ? ORDER BY o.place"
        )
        for (body,) in self._sql.execute(query, (arn,)).fetchall():
            yield Operation(**read(body))

    def events(self, arn: str, first: int, last: int) -> list[Event]:
        """List an execution's events from EventId first to last, both included."""
        query = (
            "SELECT v.body FROM executions e JOIN events v ON v.execution = e.place "
            "WHERE e.arn = ? AND v.id BETWEEN ? AND ? ORDER BY v.id"
        )
        return [Event(**read(body)) for (body,) in self._sql.execute(query, (arn, first, last))]

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
        sql, row = self._sql, change.execution
        found = sql.execute("SELECT place FROM executions WHERE arn = ?", (row.arn,)).fetchone()
        if change.removed:
            for statement in REMOVALS if found is not None else ():
                sql.execute(statement, found)
            return
        body = _text(changed(row, input=None))
        if found is not None:
            place = found[0]
            sql.execute("UPDATE executions SET body = ? WHERE place = ?", (body, place))
        else:
            new = "INSERT INTO executions (arn, function, body) VALUES (?, ?, ?)"
            place = sql.execute(new, (row.arn, row.function, body)).lastrowid
        sql.executemany(
            "INSERT OR REPLACE INTO operations VALUES (?, ?, ?)",
            [(place, operation.order, _text(operation)) for operation in change.operations],
        )
        sql.executemany(
            "INSERT INTO events VALUES (?, ?, ?)",
            [(place, event.id, _text(event)) for event in change.events],
        )

    def close(self) -> None:
        """Give the file free."""
        self._close()


def _text(row: Execution | Operation | Event) -> str:
    return ascii_text(row.__dict__)


def _execution(body: str, root: str) -> Execution:
    return Execution(**{**read(body), "input": read(root)["input"]})
