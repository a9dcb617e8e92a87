"""What surely fits the API's model: shapes compiled to a quick yes, so that only a doubt costs a report."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

Fits = Callable[[Any], bool]

UNJUDGED = frozenset({"CheckpointToken", "Payload", "Result"})
"""Members that have rules of their own: an unparsable token is a bad one, payloads count in bytes."""


@cache
def pattern(text: str) -> re.Pattern[str]:
    """Compile a pattern of the model's."""
    return re.compile(text)


def fitting(shape: Any) -> Fits:
    """Compile a shape.

    Args:
        shape: botocore's; it does not contain itself.

    Returns:
        What tells whether a value surely fits: with a no, the value is to be looked at closely.
    """
    match shape.type_name:
        case "structure":
            return _structure(shape)
        case "list":
            item, (low, high) = fitting(shape.member), _bounds(shape)
            return lambda value: (
                type(value) is list and low <= len(value) <= high and all(map(item, value))
            )
        case "string":
            return _string(shape)
        case "integer" | "long":
            low, high = _bounds(shape)
            return lambda value: type(value) is int and low <= value <= high
        case "boolean":
            return lambda value: type(value) is bool
        case "timestamp":
            return lambda value: type(value) is datetime
        case "blob":
            return lambda value: type(value) is bytes
        case _:
            return lambda _: False


def _structure(shape: Any) -> Fits:
    members = {
        name: _plain(member) if name in UNJUDGED else fitting(member)
        for name, member in shape.members.items()
    }
    required = frozenset(shape.required_members)
    if getattr(shape, "is_tagged_union", False):
        return lambda _: False

    def fits(value: Any) -> bool:
        if type(value) is not dict or not required <= value.keys():
            return False
        for name, item in value.items():
            member = members.get(name)
            if member is None or not member(item):
                return False
        return True

    return fits


def _plain(shape: Any) -> Fits:
    """Compile a member that has rules of its own: something of its type."""
    kind = {"string": str, "blob": bytes}.get(shape.type_name)
    return lambda value: type(value) is kind and bool(value)


def _string(shape: Any) -> Fits:
    (low, high), words = _bounds(shape), frozenset(shape.enum)
    text = shape.metadata.get("pattern")
    if words:
        return lambda value: type(value) is str and value in words and low <= len(value) <= high
    if text is not None:
        matches = pattern(text).fullmatch
        return lambda value: (
            type(value) is str and low <= len(value) <= high and matches(value) is not None
        )
    return lambda value: type(value) is str and low <= len(value) <= high


def _bounds(shape: Any) -> tuple[float, float]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    return float("-inf") if least is None else least, float("inf") if most is None else most
