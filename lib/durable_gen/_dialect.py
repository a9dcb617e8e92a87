"""The wire's words, which differ between durable-lambda-core and AWS's SDKs."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from durable_gen._ids import operation_id
from durable_gen._model import Raw, Type
from durable_gen.errors import UsageError


@frozen
class Dialect:
    """One vocabulary.

    Attributes:
        name: how users choose it.
        child: the sub type of a child context.
        item: the sub type of a map's item.
        compensation: the sub type of a compensation.
        first: the number of the first branch or item in its id.
        brief: whether an operation's failure is recorded with the message of its first cause alone.
    """

    name: str
    child: str
    item: str
    compensation: str
    first: int
    brief: bool


CORE = Dialect("core", "Context", "MapItem", "Compensation", 1, brief=False)
AWS = Dialect("aws", "RunInChildContext", "MapIteration", "RunInChildContext", 0, brief=True)
DIALECTS = {dialect.name: dialect for dialect in (CORE, AWS)}

# Words that mean the same, so that either vocabulary can be read.
SAME = {
    AWS.child: CORE.child,
    AWS.item: CORE.item,
    CORE.compensation: CORE.child,
}


def named(name: str) -> Dialect:
    """Find a dialect by its name.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in DIALECTS:
        msg = f"dialect {name!r} is unknown: write dialect='core' or dialect='aws'"
        raise UsageError(msg)
    return DIALECTS[name]


def same(one: str | None, other: str | None) -> bool:
    """Tell whether two sub types mean the same."""
    return one == other or (
        one is not None and other is not None and SAME.get(one, one) == SAME.get(other, other)
    )


def recorded(records: Mapping[str, Raw]) -> Dialect | None:
    """Tell which dialect an execution began with, if its records show it."""
    for raw in records.values():
        if raw.get("Type") != Type.CONTEXT:
            continue
        match raw.get("SubType"):
            case AWS.child | AWS.item:
                return AWS
            case CORE.child | CORE.item | CORE.compensation:
                return CORE
            case "Parallel" | "Map":
                for dialect in (AWS, CORE):  # core's first is AWS's second: AWS is asked first
                    first = operation_id(raw["Id"], dialect.first)
                    if first in records or operation_id(first, 1) in records:
                        return dialect
    return None
