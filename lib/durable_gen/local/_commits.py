"""Group commit: what requests have done queues up, and one of those that wait writes all of it at once.

The laws. A request is answered when what it did, and what it saw of others, is on disk. What has queued is
written in the order in which it was done, as one transaction of the store: all of it, or nothing. What cannot
be kept takes with it all that has been done on top of it: everyone who waits is refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from attrs import define, field

from durable_gen.local._facts import Change


class NotKept(RuntimeError):  # noqa: N818  # what became of a request
    """What a request did was not kept, because a write failed that came before it or held it."""


@define(eq=False)
class Batch:
    """Changes that are written together.

    Attributes:
        news: told to those who wait for it.
        changes: in the order in which they were made.
        over: whether they have been written, or cannot be.
        error: why not.
    """

    news: threading.Condition
    changes: list[Change] = field(factory=list)
    over: bool = False
    error: BaseException | None = None


class Commits:
    """The queue in front of a store.

    Args:
        write: keeps changes, all or none.
    """

    def __init__(self, write: Callable[[Sequence[Change]], None]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._open = self._batch()  # what the next write takes
        self._latest = self._batch(over=True)  # what holds the latest change
        self._writing = False
        self._failed: list[Batch] = []

    def put(self, changes: Sequence[Change]) -> Batch:
        """Queue changes.

        Args:
            changes: what a request has done, perhaps nothing.

        Returns:
            What to wait for: once it is over, all that has been done until now is on disk.

        Raises:
            NotKept: a write has failed, and what it was to keep has not been undone.
        """
        with self._lock:
            if self._failed:
                raise NotKept from self._failed[0].error
            if changes:
                self._open.changes += changes
                self._latest = self._open
            return self._latest

    def wait(self, batch: Batch) -> None:
        """Return when a batch is on disk; if nobody writes, this thread does.

        Args:
            batch: what `put` gave.

        Raises:
            NotKept: it cannot be kept; the thread that wrote gets the store's own error.
        """
        while not batch.over:
            self._advance(batch)
        if batch.error is not None:
            raise NotKept from batch.error

    def flush(self) -> None:
        """Return when all that has queued is on disk, or has failed."""
        with suppress(Exception):  # `failed` tells
            self.wait(self._latest)

    @property
    def failing(self) -> bool:
        """Whether there are changes that could not be kept."""
        return bool(self._failed)

    def failed(self) -> list[Change]:
        """Give the changes that could not be kept, once; from then on others are taken again."""
        with self._lock:
            failed, self._failed = self._failed, []
            if failed:
                self._latest = self._batch(over=True)
        return [change for batch in failed for change in batch.changes]

    def _batch(self, *, over: bool = False) -> Batch:
        return Batch(threading.Condition(self._lock), over=over)

    def _advance(self, batch: Batch) -> None:
        """Wait while somebody writes; if nobody does, write what has queued."""
        taken: Batch | None = None
        try:
            with self._lock:
                batch.news.wait_for(lambda: batch.over or not self._writing)
                if batch.over:
                    return
                taken, self._open, self._writing = self._open, self._batch(), True
            self._write(taken.changes)
        except BaseException as error:
            with self._lock:
                if taken is None:
                    batch.news.notify()  # another one may have to write
                else:
                    taken.error = error
            raise
        finally:
            if taken is not None:
                self._end(taken)

    def _end(self, taken: Batch) -> None:
        with self._lock:
            taken.over, self._writing = True, False
            if taken.error is not None:
                later, self._open = self._open, self._batch()
                later.over, later.error = True, taken.error
                later.news.notify_all()
                self._failed += [taken, later]
            taken.news.notify_all()
            self._open.news.notify()  # one of them writes
