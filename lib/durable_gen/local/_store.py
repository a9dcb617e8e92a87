"""Where executions are kept, and the store that keeps them in memory."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Protocol

from durable_gen.local._facts import Change, Event, Execution, Operation


class Store(Protocol):
    """What the service asks of a store, of which it lets in one thread at a time.

    `write` is one transaction: all of it is kept, or nothing.
    """

    def executions(self) -> Iterable[Execution]:
        """List all executions, oldest first."""

    def execution(self, arn: str) -> Execution | None:
        """Find one execution."""

    def listed(
        self, function: str, *, newest: bool, beyond: int | None, most: int
    ) -> Sequence[tuple[int, Execution]]:
        """List a function's executions, each with its place; inputs may be left out.

        Args:
            function: its name.
            newest: whether the newest come first, not the oldest.
            beyond: the place that the list begins after; at its begin if None.
            most: how many; fewer are given at the list's end only.
        """

    def operations(self, arn: str) -> Iterable[Operation]:
        """List an execution's operations in the order in which they were created."""

    def events(self, arn: str, first: int, last: int) -> Sequence[Event]:
        """List an execution's events from EventId first to last, both included."""

    def write(self, changes: Sequence[Change]) -> None:
        """Keep changes, all or none."""

    def close(self) -> None:
        """Let go of what is held."""


class Gate:
    """A store that any thread may use.

    Args:
        store: what lets in one thread at a time.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()

    def executions(self) -> list[Execution]:
        """List all executions, oldest first."""
        with self._lock:
            return list(self._store.executions())

    def execution(self, arn: str) -> Execution | None:
        """Find one execution."""
        with self._lock:
            return self._store.execution(arn)

    def listed(
        self, function: str, *, newest: bool, beyond: int | None, most: int
    ) -> Sequence[tuple[int, Execution]]:
        """List a function's executions, each with its place, as `Store.listed` says."""
        with self._lock:
            return self._store.listed(function, newest=newest, beyond=beyond, most=most)

    def operations(self, arn: str) -> list[Operation]:
        """List an execution's operations in the order in which they were created."""
        with self._lock:
            return list(self._store.operations(arn))

    def events(self, arn: str, first: int, last: int) -> Sequence[Event]:
        """List an execution's events from EventId first to last, both included."""
        with self._lock:
            return self._store.events(arn, first, last)

    def write(self, changes: Sequence[Change]) -> None:
        """Keep changes, all or none."""
        with self._lock:
            self._store.write(changes)

    def close(self) -> None:
        """Let go of what is held."""
        with self._lock:
            self._store.close()


class MemoryStore:
    """A store that lives as long as it is referred to."""

    def __init__(self) -> None:
        self._executions: dict[str, Execution] = {}
        self._operations: dict[str, dict[int, Operation]] = {}
        self._events: dict[str, list[Event]] = {}
        self._places = itertools.count(1)
        self._of: dict[str, dict[str, int]] = {}  # function -> ARN -> place, oldest first

    def executions(self) -> list[Execution]:
        """List all executions, oldest first."""
        return list(self._executions.values())

    def execution(self, arn: str) -> Execution | None:
        """Find one execution."""
        return self._executions.get(arn)

    def listed(
        self, function: str, *, newest: bool, beyond: int | None, most: int
    ) -> list[tuple[int, Execution]]:
        """List a function's executions, each with its place, as `Store.listed` says."""
        named = self._of.get(function, {})
        places = reversed(named.items()) if newest else iter(named.items())
        if beyond is not None:
            places = ((a, p) for a, p in places if (p < beyond if newest else p > beyond))
        return [(place, self._executions[arn]) for arn, place in islice(places, most)]

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
            named = self._of.setdefault(change.execution.function, {})
            if change.removed:
                named.pop(arn, None)
                self._executions.pop(arn, None)
                self._operations.pop(arn, None)
                self._events.pop(arn, None)
                continue
            if arn not in named:
                named[arn] = next(self._places)
            self._executions[arn] = change.execution
            rows = self._operations.setdefault(arn, {})
            for operation in change.operations:
                rows[operation.order] = operation
            self._events.setdefault(arn, []).extend(change.events)

    def close(self) -> None:
        """Do nothing: memory is let go with the store."""
