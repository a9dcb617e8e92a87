"""From an HTTP request to an operation's arguments, by botocore's model of Lambda."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any
from urllib.parse import unquote

from attrs import frozen
from botocore.utils import parse_to_aware_datetime

from durable_gen.local._json import read
from durable_gen.local._wire import check, model, surely_fits


class Malformed(Exception):  # noqa: N818  # it becomes the operation's own fault at the edge
    """A request that cannot be read as the model says."""


@frozen
class Asked:
    """What an HTTP request holds.

    Attributes:
        labels: the parts of the path that are arguments.
        query: the query's values by key, in order.
        headers: by name in lower case.
        body: bytes.
    """

    labels: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes


@frozen
class Route:
    """Where an operation is found."""

    operation: str
    method: str
    path: re.Pattern[str]
    tail: str  # what the path ends with that is no argument
    fixed: int  # characters of the path that are no arguments


@cache
def routes() -> tuple[Route, ...]:
    """List the operations that are served, the most particular paths first."""
    names = [name for name in model().operation_names if "DurableExecution" in name]
    found = []
    for name in [*names, "Invoke", "GetFunction", "ListFunctions"]:
        operation = model().operation_model(name)
        uri = operation.http["requestUri"].rstrip("/")
        parts = re.split(r"\{(\w+)\+?\}", uri)
        path = "".join(
            _label(operation.input_shape, part) if place % 2 else re.escape(part)
            for place, part in enumerate(parts)
        )
        fixed = sum(map(len, parts[::2]))
        method = operation.http["method"]
        found.append(Route(name, method, re.compile(f"{path}/?"), parts[-1], fixed))
    return tuple(sorted(found, key=lambda route: -route.fixed))


def _label(shape: Any, name: str) -> str:
    """Give a label's pattern; one whose values may hold a slash may also be sent unencoded."""
    (member,) = (m for key, m in shape.members.items() if m.serialization.get("name", key) == name)
    slashed = (
        "/" in member.metadata.get("pattern", "").replace("\\/", "/") and name != "FunctionName"
    )
    return f"(?P<{name}>{'.+' if slashed else '[^/]+'})"


@lru_cache(maxsize=256)  # an execution's path comes again and again
def find(method: str, path: str) -> tuple[str, Mapping[str, str]] | None:
    """Find an operation by a request's method and raw path.

    Args:
        method: GET, POST or DELETE.
        path: as it stands in the request line, without the query.

    Returns:
        The operation and its labels, decoded; None if there is none.
    """
    end = path.removesuffix("/")
    for route in routes():
        if route.method != method or not end.endswith(route.tail):
            continue
        match = route.path.fullmatch(path)
        if match is not None:
            return route.operation, {k: unquote(v) for k, v in match.groupdict().items()}
    return None


def arguments(operation: str, asked: Asked) -> dict[str, Any]:
    """Read an operation's arguments, and judge them.

    Args:
        operation: as the model spells it.
        asked: the request.

    Raises:
        Malformed: a value is not of its type, or the body is no JSON.
        ParamValidationError: the model does not take it.
        ClientError: the service does not.
    """
    found: dict[str, Any] = {}
    bodied: list[tuple[str, Any]] = []
    given: Any = None
    for name, member, place, key in _members(operation):
        match place:
            case "uri":
                found[name] = asked.labels[key]
            case "querystring":
                if key in asked.query:
                    found[name] = _queried(member, asked.query[key], name)
            case "header":
                if key in asked.headers:
                    found[name] = asked.headers[key]
            case _ if not asked.body:
                pass
            case "blob":
                found[name] = asked.body
            case "payload":
                found[name] = _typed(member, _json(asked.body), name)
            case _:
                given = _object(asked.body) if given is None else given
                if (value := given.get(name)) is not None:
                    found[name] = value
                    bodied.append((name, member))
    if not surely_fits(operation, found):  # what does needs no reading
        for name, member in bodied:
            found[name] = _typed(member, found[name], name)
        check(operation, found)
    return found


@cache
def _members(operation: str) -> list[tuple[str, Any, str, str]]:
    """List an operation's arguments: name, shape, where it stands, under which key."""
    shape = model().operation_model(operation).input_shape
    payload = shape.serialization.get("payload")
    found = []
    for name, member in shape.members.items():
        place = member.serialization.get("location", "body")
        key = member.serialization.get("name", name)
        if place == "header":
            key = key.lower()
        elif name == payload:
            place = "blob" if member.type_name == "blob" else "payload"
        found.append((name, member, place, key))
    return found


def _object(body: bytes) -> dict[str, Any]:
    given = _json(body)
    if not isinstance(given, dict):
        msg = "The body is expected to be a JSON object"
        raise Malformed(msg)
    return given


def _json(body: bytes) -> Any:
    try:
        return read(body)
    except (ValueError, RecursionError) as error:
        msg = f"Could not parse request body into json: {error}"
        raise Malformed(msg) from None


def _queried(shape: Any, values: Sequence[str], path: str) -> Any:
    if shape.type_name == "list":
        return [_queried(shape.member, [value], path) for value in values]
    text = values[0]
    try:
        match shape.type_name:
            case "boolean":
                return {"true": True, "false": False}[text.lower()]
            case "integer" | "long":
                return int(text)
            case "timestamp":
                return parse_to_aware_datetime(text)
            case _:
                return text
    except (KeyError, ValueError, OverflowError, RuntimeError):
        msg = f"{path} is {text!r:.100}, expected a value of type {shape.type_name}"
        raise Malformed(msg) from None


TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "double": (int, float),
    "float": (int, float),
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
}


def _typed(shape: Any, value: Any, path: str) -> Any:
    """Take a JSON value as a shape; members that the shape does not know are dropped, and null ones."""
    kind = shape.type_name
    fits = isinstance(value, TYPES.get(kind, (object,)))
    if not fits or (isinstance(value, bool) and kind != "boolean"):
        msg = f"{path} is {value!r:.100}, expected a value of type {kind}"
        raise Malformed(msg)
    match kind:
        case "structure":
            return {
                name: _typed(member, value[name], f"{path}.{name}")
                for name, member in shape.members.items()
                if value.get(name) is not None
            }
        case "list":
            return [
                _typed(shape.member, item, f"{path}[{place}]") for place, item in enumerate(value)
            ]
        case "map":
            return {k: _typed(shape.value, item, f"{path}.{k}") for k, item in value.items()}
        case _:
            return value
