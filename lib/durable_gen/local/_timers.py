"""What is due when: a heap whose entries are dropped late, when they come up and no longer stand."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable


class Timers:
    """Instants at which something of an execution is due.

    Args:
        stands: tells whether an entry (instant, ARN, operation id or "") still means something.
        woken: set when there is a new first one.
    """

    def __init__(self, stands: Callable[[int, str, str], bool], woken: threading.Event) -> None:
        self._stands, self._woken = stands, woken
        self._heap: list[tuple[int, int, str, str]] = []
        self._count = itertools.count()  # what falls due together comes in the order of its start

    def push(self, instant: int, arn: str, id_: str) -> None:
        """Set a timer, in milliseconds."""
        self.next()  # lets go of what came up and no longer stands
        entry = (instant, next(self._count), arn, id_)
        heapq.heappush(self._heap, entry)
        if self._heap[0] is entry:
            self._woken.set()

    def due(self, now: int) -> bool:
        """Tell whether one may be due, without a closer look."""
        return bool(self._heap) and self._heap[0][0] <= now

    def next(self) -> int | None:
        """Tell when the next one is due."""
        while self._heap:
            instant, _, arn, id_ = self._heap[0]
            if self._stands(instant, arn, id_):
                return instant
            heapq.heappop(self._heap)
        return None

    def pop(self) -> tuple[str, str]:
        """Take the next one: ARN and operation id. Only after `next` has told of it."""
        _, _, arn, id_ = heapq.heappop(self._heap)
        return arn, id_
