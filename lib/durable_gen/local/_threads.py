"""Threads that are kept for the next piece of work."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

SPARE = 30.0  # seconds after which a thread ends that has nothing to do


class Threads:
    """Threads that run what may take long, each at once. None keeps the process alive.

    Args:
        name: of the threads.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._idle = 0  # threads that wait, less the work that is promised to them
        self._closed = False
        self._work: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()

    def run(self, work: Callable[[], object]) -> None:
        """Have a thread do something, which must raise nothing."""
        with self._lock:
            waiting = self._idle > 0
            self._idle -= waiting
        if waiting:
            self._work.put(work)
        else:
            thread = threading.Thread(target=self._go, args=(work,), name=self._name, daemon=True)
            thread.start()

    def close(self) -> None:
        """Let the threads end that have nothing to do, and the others when they are done."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, 0
        for _ in range(idle):
            self._work.put(None)

    def _go(self, work: Callable[[], object] | None) -> None:
        while work is not None:
            work()
            work = None
            with self._lock:
                if self._closed:
                    return
                self._idle += 1
            try:
                work = self._work.get(timeout=SPARE)
            except queue.Empty:
                with self._lock:
                    if self._idle > 0:
                        self._idle -= 1
                        return
                work = self._work.get()  # it has been promised
