"""Hypothesis strategies for workflows: events, logs and crashes."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, Required, Unpack

import orjson
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from durable_gen._serde import converter, problem
from durable_gen.errors import UsageError
from durable_gen.testing._breaks import Scene
from durable_gen.testing._deterministic import Comparing
from durable_gen.testing._durable import Durable
from durable_gen.testing._moments import moments
from durable_gen.testing._ordeal import Circumstances
from durable_gen.testing._replay import Log

__all__ = ["crashes", "events", "logs"]

WHOLE = st.integers(-(2**63), 2**64 - 1)  # what JSON's encoder here takes
BROKEN = st.floats(allow_nan=False, allow_infinity=False)
SCALARS: Mapping[Any, SearchStrategy[Any]] = {
    None: st.none(),
    type(None): st.none(),
    bool: st.booleans(),
    int: WHOLE,
    float: BROKEN,
    str: st.text(),
}


def json() -> SearchStrategy[Any]:
    """Draw any JSON."""
    leaves = st.one_of(st.none(), st.booleans(), WHOLE, BROKEN, st.text())
    return st.recursive(
        leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
    )


def events(like: Any = Any) -> SearchStrategy[Any]:
    """Draw what an execution can be started with: JSON, as an event arrives.

    Args:
        like: a type: of JSON, a TypedDict, a dataclass, an attrs or pydantic class, an Enum, a date,
            and lists, dicts, unions and literals of these; a dict of names to such, for an object
            with these members; a list of one, for a list; or a strategy.

    Returns:
        A strategy of JSON values: objects of classes come as what they are in JSON.

    Raises:
        UsageError: nothing is known of a type.
    """
    return _drawn(like).map(_plain)


def _plain(value: Any) -> Any:
    """Make JSON of a value."""
    found = orjson.loads(orjson.dumps(converter().unstructure(value)))
    fault = problem(found)
    assert fault is None, fault
    return found


def _drawn(like: Any) -> SearchStrategy[Any]:
    if isinstance(like, SearchStrategy):
        return like
    if like is Any or like is object:
        return json()
    if isinstance(like, dict):
        return st.fixed_dictionaries({name: _drawn(one) for name, one in like.items()})
    if isinstance(like, list) and len(like) == 1:
        return st.lists(_drawn(like[0]))
    if not isinstance(like, list) and like in SCALARS:
        return SCALARS[like]
    origin, args = typing.get_origin(like), typing.get_args(like)
    if origin is list or like is list:
        return st.lists(_drawn(args[0] if args else Any))
    if origin is dict or like is dict:
        return st.dictionaries(st.text(), _drawn(args[1] if args else Any))
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(_drawn, args))
    if origin is Literal:
        return st.sampled_from(args)
    if isinstance(like, type) and issubclass(like, enum.Enum):
        return st.sampled_from(like)
    if typing.is_typeddict(like):
        return _typed(like)
    names = _fields(like)
    if names is not None:
        return st.builds(like, **names)
    return _other(like)


def _typed(like: Any) -> SearchStrategy[Any]:
    hints = {name: _bare(one) for name, one in typing.get_type_hints(like).items()}
    needed = {name: _drawn(one) for name, one in hints.items() if name in like.__required_keys__}
    others = {name: _drawn(one) for name, one in hints.items() if name not in needed}
    return st.fixed_dictionaries(needed, optional=others)


def _bare(hint: Any) -> Any:
    marked = typing.get_origin(hint) in (Required, typing.NotRequired)
    return typing.get_args(hint)[0] if marked else hint


def _fields(like: Any) -> dict[str, SearchStrategy[Any]] | None:
    """List what a dataclass, an attrs or a pydantic class is made of; None for another type."""
    if hasattr(like, "model_fields"):
        parts = like.model_fields.items()
        return {one.alias or name: _drawn(one.annotation) for name, one in parts}
    if hasattr(like, "__attrs_attrs__"):
        names = {one.name: one.alias for one in like.__attrs_attrs__ if one.init}
    elif hasattr(like, "__dataclass_fields__"):
        names = {one.name: one.name for one in like.__dataclass_fields__.values() if one.init}
    else:
        return None
    hints = typing.get_type_hints(like)
    return {alias: _drawn(hints[name]) for name, alias in names.items()}


def _other(like: Any) -> SearchStrategy[Any]:
    try:
        found: SearchStrategy[Any] = st.from_type(like)
        found.validate()
    except Exception as error:
        msg = (
            f"events({like!r:.80}) must be a type, a dict of names to types, a list of one type or a "
            f"strategy: {error}"
        )
        raise UsageError(msg) from error
    return found


def logs(
    handler: Callable[..., Any], event: Any = None, **scene: Unpack[Scene]
) -> SearchStrategy[Log]:
    """Draw the states of an execution's log, as the service would invoke the function with them.

    Args:
        handler: the Lambda handler; it is run once, when the first is drawn.
        event: what it is started with.
        scene: what `durable(handler, event, ...)` takes besides.

    Returns:
        A strategy of Lambda events; `durable.replay(handler, log)` shows what comes of one.
    """

    def recorded() -> SearchStrategy[Log]:
        make = Durable()._make(handler, event, scene)
        return st.sampled_from(Comparing(handler, make, ()).recorded()[2])

    return st.deferred(recorded)


def crashes(
    handler: Callable[..., Any],
    event: Any = None,
    *,
    most: int = 3,
    faults: bool = True,
    **scene: Unpack[Scene],
) -> SearchStrategy[list[str]]:
    """Draw what can go wrong in a run, for `durable(handler, event, crash=...)`.

    Args:
        handler: the Lambda handler; it is run once, when the first is drawn.
        event: what it is started with.
        most: how many things may go wrong in one run.
        faults: whether calls to the service may fail in passing, too.
        scene: what `durable(handler, event, ...)` takes besides.

    Returns:
        A strategy of lists of moments, in words. What goes wrong first may keep others from coming.
    """

    def found() -> SearchStrategy[list[str]]:
        met = Circumstances()
        Durable()._make(handler, event, scene)(met)
        every = [str(one) for one in moments(met.fate.points, faults=faults)]
        return st.lists(st.sampled_from(every), max_size=most, unique=True)

    return st.deferred(found)
