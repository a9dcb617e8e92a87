"""Tasks that wait for the service: found by the operation that they wait for, and by its timer."""

from __future__ import annotations

from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Any

from durable_gen._fibers import Task
from durable_gen._model import instant


class Waiting:
    """The tasks of an invocation that wait.

    Attributes:
        timed: how many of them wait for a timer.
    """

    __slots__ = ("_due", "_new", "_tasks", "_ticks", "timed")

    def __init__(self) -> None:
        self._tasks: dict[str, tuple[Task, ...]] = {}
        self.timed = 0
        self._new: list[Task] = []  # with a timer that `_due` does not know of yet
        self._due: list[tuple[datetime, int, Any, Task]] = []
        self._ticks = count()  # tells timers of the same instant apart

    def add(self, task: Task, until: Any) -> None:
        """Let a task wait.

        Args:
            task: the task; it may wait already.
            until: when the service goes on with it, in any form of the wire's; None if nobody knows.
        """
        tasks = self._tasks.get(task.id, ())
        if task not in tasks:
            self._tasks[task.id] = (*tasks, task)
        self.time(task, until)

    def time(self, task: Task, until: Any) -> None:
        """Note when the service goes on with a task that waits; None if nobody knows."""
        if until is not None and task.until != until:
            self.timed += task.until is None
            task.until = until
            self._new.append(task)

    def remove(self, task: Task) -> None:
        """Let a task wait no more, if it did."""
        if task.until is not None:
            task.until = None
            self.timed -= 1
        tasks = self._tasks.pop(task.id, None)
        if tasks is not None and tasks != (task,):
            self._tasks[task.id] = tuple(one for one in tasks if one is not task)

    def of(self, id: str) -> tuple[Task, ...]:  # noqa: A002 - the wire's word
        """List those that wait for an operation, in the order in which they came."""
        return self._tasks.get(id, ())

    def next_timer(self) -> datetime | None:
        """Say when the next of the service's timers is due."""
        due, new, self._new = self._due, self._new, []
        for task in new:
            if (until := instant(task.until)) is not None:
                heappush(due, (until, next(self._ticks), task.until, task))
        while due and due[0][3].until != due[0][2]:  # it went on meanwhile
            heappop(due)
        return due[0][0] if due else None
