"""What a plan expects of a flow: the words for its operations, and how they are compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from types import EllipsisType
from typing import Any

from attrs import field, frozen

from durable_gen import recipes
from durable_gen._log import noun
from durable_gen._ops import (
    CallbackResult,
    Child,
    Condition,
    CreateCallback,
    FanOut,
    Invoke,
    Map,
    Op,
    Step,
    Wait,
)
from durable_gen.errors import UsageError

Name = str | None | EllipsisType
COMBINED = {"ctx.all(...)": "all", "ctx.settled(...)": "settled", "ctx.any(...)": "any"}
COMBINED["ctx.race(...)"] = "race"


@frozen
class Word:
    """An operation, as far as a plan or a flow says what it is.

    Attributes:
        kind: what makes it: step, wait, ...
        name: its name; `...` for any.
        args: its arguments; `...` alone for any.
        options: its options; a plan's are those that count.
    """

    kind: str
    name: Name
    args: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(factory=dict)

    def __str__(self) -> str:
        parts = ["..." if self.name is ... else repr(self.name)]
        parts += [
            "..." if one is ... else str(one) if isinstance(one, Word) else repr(one)
            for one in self.args
        ]
        parts += [f"{key}={shown(value)}" for key, value in self.options.items()]
        return f"{self.kind}({', '.join(parts)})"

    def of(self, other: Word) -> Word:
        """Leave of another's options only those that this one has, if it is one of the same kind."""
        wanted = self.options if self.kind == other.kind else ()
        options = {key: other.options[key] for key in wanted if key in other.options}
        return Word(other.kind, other.name, other.args, options)


def shown(value: Any) -> str:
    """Write a value as code would have it: functions by their names."""
    return getattr(value, "__qualname__", None) or repr(value)


def read(op: Op[Any]) -> Word:
    """Say what an operation of a flow is."""
    match op:
        case Step():
            return Word("step", op.name, op.args, _options(op, "args"))
        case Wait():
            return Word("wait", op.name, (), {"seconds": op.seconds, "until": op.until})
        case Condition():
            return Word("wait_for_condition", op.name, (), _options(op))
        case CreateCallback():
            return Word("callback", op.name, (), _options(op))
        case CallbackResult():
            return Word("callback_result", op.name)
        case Invoke():
            options = _options(op, "function", "payload")
            return Word("invoke", op.name, (op.function, op.payload), options)
        case Child() if op.flow is recipes.wait_for_callback:
            _, submit, how, retry = op.args
            return Word("wait_for_callback", op.name, (), {**how, "submit": submit, "retry": retry})
        case Child():
            kind = "child" if op.sub_type is None else noun("CONTEXT", op.sub_type)
            kind = kind if kind == "compensation" else "child"
            args = () if kind == "compensation" else op.args
            return Word(kind, op.name, args, _options(op, "args"))
        case Map():
            items = [one.args[0] for one in op.flows]
            options = {**_options(op, "flows"), "flow": op.flows[0].flow if op.flows else None}
            return Word("map", op.name, (items,), options)
        case FanOut() if op.call in COMBINED:
            return Word(COMBINED[op.call], op.name, tuple(map(_branch, op.flows)), {})
        case FanOut():
            return Word("parallel", op.name, tuple(one.name for one in op.flows), _options(op))
    return Word(op.noun, op.name)


def _options(op: Op[Any], *less: str) -> dict[str, Any]:
    names = [one.name for one in type(op).__attrs_attrs__ if not one.kw_only]
    return {name: getattr(op, name) for name in names if name not in ("name", *less)}


def _branch(child: Child[Any]) -> Word:
    if child.flow is recipes.once:
        return read(child.args[0])
    return Word("child", child.name, (), {"flow": child.flow})


def misfits(expected: Word, found: Word, where: str = "") -> Iterator[str]:
    """List what differs between what a plan expects and what a flow has yielded.

    Args:
        expected: the plan's word.
        found: the flow's.
        where: what to put before each line.
    """
    if expected.kind != found.kind:
        yield f"{where}kind: expected {expected.kind}, came {found.kind}"
        return
    if expected.name is not ... and expected.name != found.name:
        yield f"{where}name: expected {expected.name!r}, came {found.name!r}"
    if expected.args != (...,):
        if len(expected.args) != len(found.args):
            yield f"{where}arguments: expected {len(expected.args)}, came {len(found.args)}"
        for place, (one, other) in enumerate(zip(expected.args, found.args, strict=False), 1):
            what = f"{where}argument {place}"
            if isinstance(one, Word) and isinstance(other, Word):
                yield from misfits(one, other, f"{what}: ")
            elif one is not ... and one != other:
                yield f"{what}: expected {one!r}, came {other!r}"
    for key, value in expected.options.items():
        if key not in found.options:
            known = ", ".join(sorted(found.options)) or "none"
            msg = f"plan: {expected.kind}(...) has no option {key!r}; there are: {known}"
            raise UsageError(msg)
        if value is not ... and value != found.options[key]:
            yield f"{where}{key}: expected {shown(value)}, came {shown(found.options[key])}"


def seconds_of(units: Mapping[str, float | timedelta | None]) -> int:
    """Add up a span of time: seconds, minutes, hours and days."""
    named = {key: value for key, value in units.items() if value and key != "duration"}
    span = timedelta(**named)  # type: ignore[arg-type]
    duration = units.get("duration") or 0
    return round(
        (
            span + (duration if isinstance(duration, timedelta) else timedelta(seconds=duration))
        ).total_seconds()
    )


def names_of(flows: Iterable[Any]) -> tuple[Any, ...]:
    """Name the branches of a `parallel`: those of a list are numbered."""
    return tuple(f"parallel-branch-{one}" if isinstance(one, int) else one for one in flows)
