"""The outbox: updates in the order in which they were emitted, each with what becomes of who sent it.

Delivery is data: NOTE (no one waits), RESUME (a task is looked at again when the update is acknowledged),
BARRIER (a call may run when it is).
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any, Literal

from durable_gen._model import MAX_CHECKPOINT, MAX_UPDATES, Action, Update

Delivery = Literal["note", "resume", "barrier"]
NOTE: Delivery = "note"
RESUME: Delivery = "resume"
BARRIER: Delivery = "barrier"

Entry = tuple[Update | None, Delivery, Any, int]


class Outbox:
    """Updates that are to be sent.

    Attributes:
        answers: how many of them someone waits for.
    """

    __slots__ = ("answers", "entries", "size")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.size = 0
        self.answers = 0

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, update: Update | None, delivery: Delivery, who: Any) -> None:
        """Add an update; None adds only someone who waits for those before."""
        size = 0 if update is None else update.size
        self.entries.append((update, delivery, who, size))
        self.size += size
        self.answers += delivery is not NOTE

    def full(self) -> bool:
        """Tell whether it holds as much as one checkpoint takes."""
        return len(self.entries) >= MAX_UPDATES or self.size >= MAX_CHECKPOINT

    def take(self) -> list[Entry]:
        """Take as many as one checkpoint takes; at least one, in order."""
        if self.size <= MAX_CHECKPOINT and len(self.entries) <= MAX_UPDATES:
            taken, self.entries = self.entries, []
            self.size = self.answers = 0
            return taken
        size = count = 0
        for entry in self.entries:
            size += entry[3]
            if count and (size > MAX_CHECKPOINT or count >= MAX_UPDATES):
                size -= entry[3]
                break
            count += 1
        taken, self.entries = self.entries[:count], self.entries[count:]
        self.size -= size
        self.answers -= sum(delivery is not NOTE for _, delivery, _, _ in taken)
        return taken

    def starting(self) -> list[Any]:
        """List the calls that wait for their start to be acknowledged."""
        return [who for _, delivery, who, _ in self.entries if delivery is BARRIER]

    def withdraw(self, ids: Container[str]) -> None:
        """Take back the starts of operations that have not begun."""
        entries, self.entries = self.entries, []
        self.size = self.answers = 0
        for update, delivery, who, _ in entries:
            if update is None or update.change.action is not Action.START or update.id not in ids:
                self.add(update, delivery, who)

    def updates(self) -> Iterator[Update]:
        """List the updates that are not sent yet."""
        for update, _, _, _ in self.entries:
            if update is not None:
                yield update
