"""From an operation's result or fault to an HTTP response, by botocore's model of Lambda."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from attrs import frozen
from botocore.exceptions import ClientError

from durable_gen.local._clock import to_datetime
from durable_gen.local._json import written
from durable_gen.local._wire import model

JSON = "application/json"


@frozen
class Answered:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def answered(operation: str, result: Mapping[str, Any]) -> Answered:
    """Write an operation's result.

    Args:
        operation: as the model spells it.
        result: members of its output shape, times in milliseconds; others are dropped.
    """
    status, bodied, members = _plan(operation)
    headers: dict[str, str] = {"Content-Type": JSON}
    body: dict[str, Any] = {}
    raw: bytes | None = None
    for name, place, key, write in members:
        value = result.get(name)
        if value is None:
            continue
        match place:
            case "header":
                headers[key] = str(value)
            case "statusCode":
                status = value
            case "blob":
                raw = value
            case _:
                body[key] = write(value)
    if raw is None and bodied:
        raw = written(body)
    return Answered(status, headers, raw or b"")


def _same(value: Any) -> Any:
    return value


def _writer(shape: Any) -> Callable[[Any], Any]:
    """Compile what writes a value of a shape as JSON has it."""
    match shape.type_name:
        case "structure":
            members = {
                name: (member.serialization.get("name", name), _writer(member))
                for name, member in shape.members.items()
            }
            return lambda value: {
                members[name][0]: members[name][1](item)
                for name, item in value.items()
                if item is not None and name in members
            }
        case "list":
            item = _writer(shape.member)
            return lambda value: list(map(item, value))
        case "map":
            item = _writer(shape.value)
            return lambda value: {key: item(one) for key, one in value.items()}
        case "timestamp":
            if shape.serialization.get("timestampFormat", "unixTimestamp") == "unixTimestamp":
                return lambda millis: millis / 1000
            return lambda millis: to_datetime(millis).isoformat()
        case "blob":
            return lambda value: base64.b64encode(value).decode()
        case _:
            return _same


@cache
def _plan(operation: str) -> tuple[int, bool, list[tuple[str, str, str, Callable[[Any], Any]]]]:
    """Give an answer's status, whether it has a body of JSON, and its members.

    Of each: name, where it stands, under which key, what writes it.
    """
    described = model().operation_model(operation)
    status, shape = described.http.get("responseCode", 200), described.output_shape
    if shape is None:
        return status, False, []
    payload = shape.serialization.get("payload")
    found = []
    for name, member in shape.members.items():
        place = member.serialization.get("location", "body")
        if name == payload and member.type_name == "blob":
            place = "blob"
        found.append((name, place, member.serialization.get("name", name), _writer(member)))
    return status, payload is None and bool(shape.members), found


def refused(error: ClientError) -> Answered:
    """Write a fault.

    Args:
        error: as a botocore client would raise it.
    """
    told = error.response["Error"]
    return faulty(told["Code"], told["Message"])


def faulty(code: str, message: str, status: int | None = None) -> Answered:
    """Write a fault by its code.

    Args:
        code: of the model; its shape says how it looks.
        message: what was wrong.
        status: the HTTP status of a code that the model does not have.
    """
    headers = {"Content-Type": JSON, "x-amzn-ErrorType": code}
    if status is not None:
        return Answered(status, headers, written({"message": message}))
    shape = model().shape_for(code)
    trait = shape.metadata["error"]
    member = "Message" if "Message" in shape.members else "message"
    body = {"Type": "User" if trait.get("senderFault") else "Service", member: message}
    return Answered(trait["httpStatusCode"], headers, written(body))
