"""One execution in hand: its row, its operations, what its state shows, and what is not yet written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from attrs import define, field

from durable_gen.local._commits import Batch
from durable_gen.local._facts import Change, Event, Execution, Operation, changed
from durable_gen.local._functions import Answer
from durable_gen.local._machine import Draft, Move
from durable_gen.local._wire import operation_text


@define(eq=False)
class Journal:
    """An execution that the service works on. Every change is noted for the store.

    Attributes:
        row: the execution as it stands.
        operations: all of its operations by id, in the order in which they were created.
        shown: what its state shows: id -> JSON, or None until someone asks for it; what finished
            contexts prune is missing.
        waiting: ids of the operations that something outside is to finish.
        replay: ClientToken and inbound token of the latest checkpoint, with its answer's JSON.
        news: the JSON of the operations in the latest checkpoint's answer, when it has pages.
        held: what plain functions answered while the invocation that called them still ran.
        noted: whether it has changes that are not drained yet.
        batch: what its latest change is written with, if it has been changed.
    """

    row: Execution
    operations: dict[str, Operation] = field(factory=dict)
    shown: dict[str, str | None] = field(factory=dict)
    waiting: dict[str, None] = field(factory=dict)
    replay: tuple[str, str, str] | None = None
    news: list[str] = field(factory=list)
    held: dict[str, Answer] = field(factory=dict)
    batch: Batch | None = None
    _below: dict[str, list[str]] = field(factory=dict)
    _changed: dict[str, Operation] = field(factory=dict)
    _events: list[Event] = field(factory=list)
    noted: bool = False
    _removed: bool = False

    @classmethod
    def load(cls, row: Execution, operations: Iterable[Operation]) -> Journal:
        """Take an execution up from the store."""
        journal = cls(row)
        for operation in operations:
            journal._index(operation)
        return journal

    def set(self, **changes: Any) -> None:
        """Change the row."""
        self.row = changed(self.row, **changes)
        self.noted = True

    def remove(self) -> None:
        """Take it away, with all that it has."""
        self.noted = self._removed = True

    def put(self, operation: Operation) -> None:
        """Keep an operation's next value."""
        self._changed[operation.id] = operation
        self.noted = True
        self._index(operation)

    def take(self, move: Move, now: int) -> None:
        """Keep a move: the operation and its events."""
        self.put(move.operation)
        for draft in move.events:
            self.append(draft, now, move.operation)

    def append(self, draft: Draft, now: int, operation: Operation | None) -> None:
        """Append an event.

        Args:
            draft: its type and details.
            now: milliseconds.
            operation: whose it is; None for an invocation's.
        """
        event = Event(
            id=self.row.events + len(self._events) + 1,
            type=draft.type,
            at=now,
            details=draft.details,
            operation=operation.id if operation else None,
            name=operation.name if operation else None,
            sub_type=operation.sub_type if operation else None,
            parent=operation.parent if operation else None,
        )
        self._events.append(event)
        self.noted = True

    def drain(self) -> Change | None:
        """Give what is not yet written, once."""
        if not self.noted:
            return None
        if self._events:
            latest = self._events[-1]
            self.row = changed(self.row, events=latest.id, touched=latest.at)
        change = Change(self.row, tuple(self._changed.values()), tuple(self._events), self._removed)
        self._changed, self._events, self.noted = {}, [], False
        return change

    @property
    def root(self) -> Operation:
        """The EXECUTION operation."""
        return self.operations[self.row.id]

    def path(self, operation: Operation) -> str:
        """Name an operation with the contexts that it stands in, outermost first."""
        names = [operation.name or operation.id]
        while operation.parent is not None:
            operation = self.operations[operation.parent]
            names.append(operation.name or operation.id)
        return "/".join(reversed(names))

    def text(self, operation: Operation) -> str:
        """Give an operation as JSON, also one that the state does not show."""
        text = self.shown.get(operation.id) or operation_text(operation)
        if operation.id in self.shown:
            self.shown[operation.id] = text
        return text

    def texts(self) -> Iterator[str]:
        """Give what the state shows as JSON, one operation after the other."""
        return (text or self.text(self.operations[id_]) for id_, text in self.shown.items())

    def in_order(self, ids: Iterable[str]) -> list[Operation]:
        """Put operations in the order in which they were created, each once."""
        return sorted((self.operations[id_] for id_ in set(ids)), key=lambda o: o.order)

    def _index(self, operation: Operation) -> None:
        if operation.id not in self.operations and operation.parent is not None:
            self._below.setdefault(operation.parent, []).append(operation.id)
        self.operations[operation.id] = operation
        if operation.waits:
            self.waiting[operation.id] = None
        else:
            self.waiting.pop(operation.id, None)
        above = operation.parent
        if above is None or (above in self.shown and not self.operations[above].prunes):
            self.shown[operation.id] = None
        if operation.prunes:
            self._hide(operation.id)

    def _hide(self, context: str) -> None:
        # What an inner context already hid is not walked again: each operation is hidden once.
        stack = [context]
        while stack:
            below = [id_ for id_ in self._below.get(stack.pop(), ()) if id_ in self.shown]
            for id_ in below:
                del self.shown[id_]
            stack += below


def cut(
    texts: Iterable[str], start: int, most: int | None, budget: int
) -> tuple[list[str], int | None]:
    """Cut a page out of a list of JSON texts.

    Args:
        texts: the whole list.
        start: where the page begins.
        most: how many it may hold; None for as many as fit.
        budget: bytes that it may have; one text is always taken.

    Returns:
        The page, and where the next begins, or None at the end.
    """
    page: list[str] = []
    for text in islice(texts, start, None):
        budget -= len(text)  # the texts are ASCII
        if page and (budget < 0 or (most is not None and len(page) >= most)):
            return page, start + len(page)
        page.append(text)
    return page, None
