"""The log of what earlier invocations did: id to record, and does it match what the code does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from durable_gen import _dialect
from durable_gen._ids import deadline_id, operation_id
from durable_gen._model import TERMINAL, Raw, Record, Type, Update, applied

NOUNS = {
    Type.STEP: "step",
    Type.WAIT: "wait",
    Type.CALLBACK: "callback",
    Type.CHAINED_INVOKE: "invoke",
    Type.CONTEXT: "child context",
}
SUB_NOUNS = {
    "Parallel": "parallel",
    "Map": "map",
    "WaitForCondition": "wait_for_condition",
    "WaitForCallback": "wait_for_callback",
    "ParallelBranch": "branch",
    "MapItem": "item",
    "MapIteration": "item",
    "Compensation": "compensation",
}


OURS = {*SUB_NOUNS, "Context", "RunInChildContext"}


class Log:
    """The records of an execution's operations, by id.

    Attributes:
        records: every record, as it was last heard of.
        unread: those that the code has not come to yet.
        deadlines: how many invocations have come back because they ran out of time.
        before: how many records there were when it was read.
    """

    __slots__ = ("before", "deadlines", "records", "unread")

    def __init__(self, operations: Iterable[Raw]) -> None:
        every = list(operations)
        self.records: dict[str, Raw] = {raw["Id"]: raw for raw in every}
        if len(self.records) != len(every):  # some came twice, from a page that was old
            for raw in every:
                self.records[raw["Id"]] = newer(self.records[raw["Id"]], raw)
        execution = next((raw["Id"] for raw in every if raw.get("Type") == Type.EXECUTION), None)
        self.records.pop(execution or "", None)
        self.deadlines = 0
        while self.records.pop(deadline_id(self.deadlines + 1), None):
            self.deadlines += 1
        self.unread = dict(self.records)
        self.before = len(self.records)

    def read(self, id: str) -> Raw | None:  # noqa: A002 - the wire's word
        """Take the record that an operation finds when the code comes to it."""
        return self.unread.pop(id, None)

    def current(self, id: str) -> Record | None:  # noqa: A002
        """Return what is known of an operation now."""
        raw = self.records.get(id)
        return None if raw is None else Record(raw)

    def write(self, update: Update) -> None:
        """Note what an update makes of an operation."""
        self.records[update.id] = applied(self.records.get(update.id), update)

    def learn(self, raw: Raw) -> None:
        """Take over what the service says of an operation of the workflow's."""
        id = raw["Id"]  # noqa: A001
        raw = newer(raw, self.records.get(id))
        if id in self.unread or id not in self.records:
            self.unread[id] = raw
        self.records[id] = raw

    def leftovers(self, closed: Mapping[str, object]) -> Iterator[Record]:
        """List the records that no code came to, though it was there to come to them.

        Args:
            closed: ids of contexts whose insides need not be visited.
        """
        for raw in self.unread.values():
            parent = raw.get("ParentId")
            while parent in self.unread:
                parent = self.unread[parent].get("ParentId")
            if parent not in closed:
                yield Record(raw)


def newer(raw: Raw, other: Raw | None) -> Raw:
    """Choose between two records of one operation: what has ended stays ended."""
    if other is None or raw.get("Status") in TERMINAL or other.get("Status") not in TERMINAL:
        return raw
    return other


def differs(
    record: Record, type_: str, sub_type: str | None, name: str | None, parent_id: str | None
) -> bool:
    """Tell whether a record contradicts what the code does; what it does not say cannot."""
    raw = record.raw
    try:
        if (
            raw["Type"] == type_
            and raw["SubType"] == sub_type
            and raw["Name"] == name
            and raw["ParentId"] == parent_id
        ):
            return False
    except KeyError:  # it does not say all
        pass
    if raw.get("Type") != type_:
        return True
    found = raw.get("Name") or None
    if found != name and (found or raw.get("SubType")):  # a record with a sub type is a whole one
        return True
    found = raw.get("ParentId")
    if found != parent_id and found:
        return True
    found = raw.get("SubType")
    return bool(found) and found != sub_type and not _dialect.same(found, sub_type)


def noun(type_: str, sub_type: str | None) -> str:
    """Name a kind of operation as users know it."""
    return SUB_NOUNS.get(sub_type or "") or NOUNS.get(type_) or type_.lower()  # type: ignore[call-overload]


def title(type_: str, sub_type: str | None, name: str | None, path: str | None = None) -> str:
    """Say in a few words what an operation is: `step 'payment/charge'`.

    Args:
        type_: its type on the wire.
        sub_type: its sub type; shown where it is a word of the user's own.
        name: its name.
        path: its name with those of the contexts around it, to be shown instead.
    """
    word = noun(type_, sub_type)
    own = type_ == Type.CONTEXT and sub_type and sub_type not in OURS
    more = f" ({sub_type})" if own else ""
    return f"{word} {(path or name)!r}{more}" if name else f"{word} without a name{more}"


def titled(record: Record, path: str | None = None) -> str:
    """Say in a few words what a record is of."""
    return title(record.type, record.sub_type, record.name, path)


def around(log: Log, prefix: str | None, position: int, did: str) -> str:
    """Draw the records around a position, one line each, and what the code did there.

    Args:
        log: the log.
        prefix: the id space.
        position: the position in question, as its id has it.
        did: what the code did there.
    """
    rows = []
    for n in range(max(0, position - 2), position + 3):
        record = log.current(operation_id(prefix, n))
        here = n == position
        if record is None and not here:
            continue
        text = f"{titled(record)}, {record.status}" if record is not None else "(nothing)"
        rows.append(f"  {'>' if here else ' '} {n:>3}  {text}")
        if here:
            rows.append(f"         the code: {did}")
    return "\n".join(rows)


def is_over(record: Record) -> bool:
    """Tell whether an operation has ended."""
    return record.raw.get("Status") in TERMINAL
