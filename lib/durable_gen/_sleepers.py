"""Branches that stand at one of the service's timers: they are not entered before it ends.

To run such a branch's flow would replay it up to that operation, and send nothing. That is certain where all that is
open inside is one chain of contexts, no fan-out among them, which ends at a wait, or at a step that is to be tried
again: a flow goes past neither. So one of 10,000 branches goes on at the price of its own replay.
"""

from __future__ import annotations

from collections.abc import Sequence

from durable_gen._fibers import Task
from durable_gen._log import Log
from durable_gen._model import TERMINAL, Raw

TIMERS = (("WAIT", "STARTED"), ("STEP", "PENDING"))
NONE: Sequence[str] = ()
FAN_OUTS = ("Parallel", "Map")  # sub types of contexts in which several flows run


class Sleepers:
    """The branches of an invocation that were not entered.

    Args:
        log: what earlier invocations did.
    """

    __slots__ = ("_asleep", "_inside", "_log")

    def __init__(self, log: Log) -> None:
        self._log = log
        self._inside: dict[str | None, list[str]] | None = None  # context -> what is open in it
        self._asleep: dict[str, tuple[Task, Raw]] = {}  # timer -> branch

    def timer(self, id: str) -> Raw | None:  # noqa: A002 - the wire's word
        """Find the timer at which the flow of a context stands; None if that is not certain.

        Args:
            id: the context's.

        Returns:
            The record of a wait, or of a step that is to be tried again.
        """
        if self._inside is None:
            self._inside = {}
            for raw in self._log.unread.values():
                if raw.get("Status") not in TERMINAL:
                    self._inside.setdefault(raw.get("ParentId"), []).append(raw["Id"])
        while len(found := self._inside.get(id, NONE)) == 1:
            raw = self._log.records[found[0]]
            state = raw.get("Type"), raw.get("Status")
            if state in TIMERS:
                return raw
            if state != ("CONTEXT", "STARTED") or raw.get("SubType") in (None, "", *FAN_OUTS):
                break
            id = raw["Id"]  # noqa: A001 - the one inside
        return None

    def add(self, timer: Raw, branch: Task, raw: Raw) -> None:
        """Let a branch sleep until what is known of a timer changes."""
        self._asleep[timer["Id"]] = branch, raw

    def wake(self, id: str) -> tuple[Task, Raw] | None:  # noqa: A002
        """Take the branch, and its record, that sleeps until an operation changes."""
        return self._asleep.pop(id, None)
