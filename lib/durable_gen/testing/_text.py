"""Values as text that is the same wherever they are equal: without addresses, and with sets in order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from functools import partial
from types import BuiltinMethodType, FunctionType, GeneratorType, MethodType
from typing import Any

from attrs import fields

from durable_gen._ops import Child, Op, label
from durable_gen.context import Context

DEEPEST = 8  # levels of a value that are looked at
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
SAID = {"name", "pick"}  # what an operation's title says, and what says nothing


def text(value: Any, depth: int = 0) -> str:
    """Write a value.

    Args:
        value: anything.
        depth: how many levels it stands inside another.
    """
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return str(value) if isinstance(value, Enum) else repr(value)
    if depth > DEEPEST:
        return "…"
    below = depth + 1
    if isinstance(value, Mapping):
        items = sorted(f"{text(key, below)}: {text(value[key], below)}" for key in value)
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list):
        return f"[{', '.join(text(one, below) for one in value)}]"
    if isinstance(value, tuple):
        return f"({', '.join(text(one, below) for one in value)}{',' * (len(value) == 1)})"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(text(one, below) for one in value))}}}"
    return _other(value, below)


def _other(value: Any, depth: int) -> str:
    name = type(value).__qualname__
    if isinstance(value, Op):
        return f"{label(value)} {_members(said(value), depth)}".rstrip()
    if isinstance(value, BaseException):
        return f"{name}({', '.join(text(one, depth) for one in value.args)})"
    if isinstance(value, partial):
        return f"{text(value.func, depth)}{text(value.args, depth)}"
    if isinstance(value, MethodType | BuiltinMethodType) and not isinstance(value.__self__, type):
        return f"{type(value.__self__).__qualname__}.{value.__name__}"
    if isinstance(value, Context):
        return "ctx"
    if isinstance(value, FunctionType | type | BuiltinMethodType):
        return value.__qualname__
    if isinstance(value, GeneratorType):
        return f"generator {value.__qualname__}"
    own: Any = type(value).__repr__
    if own is not object.__repr__:
        return ADDRESS.sub("", repr(value))
    return f"{name}({_members(getattr(value, '__dict__', {}), depth)})"


def _members(members: Mapping[str, Any], depth: int) -> str:
    return ", ".join(f"{name}={text(one, depth)}" for name, one in members.items())


def said(op: Op[Any]) -> dict[str, Any]:
    """List what an operation says besides its name: the options that are not left out."""
    found: dict[str, Any] = {}
    for one in fields(type(op)):
        if one.name in SAID or one.eq is False:
            continue
        value = getattr(op, one.name)
        default = one.default
        plain = getattr(default, "factory", None)
        if value == (plain() if callable(plain) else default):
            continue
        if one.name == "flows":
            value = [_branch(flow) for flow in value]
        found[one.name] = value
    return found


def _branch(flow: Child[Any]) -> tuple[Any, ...]:
    return (flow.name, flow.flow, *flow.args)
