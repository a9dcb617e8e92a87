"""From an operation's result or fault to an HTTP response, by botocore's model of Lambda."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import frozen
from botocore.exceptions import ClientError

from durable_gen.local._clock import to_millis
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
        result: members of its output shape; others are dropped.
    """
    described = model().operation_model(operation)
    shape = described.output_shape
    status = described.http.get("responseCode", 200)
    headers: dict[str, str] = {"Content-Type": JSON}
    if shape is None:
        return Answered(status, headers, b"")
    payload = shape.serialization.get("payload")
    body: dict[str, Any] = {}
    raw: bytes | None = None
    for name, member in shape.members.items():
        value = result.get(name)
        if value is None:
            continue
        place = member.serialization
        match place.get("location"):
            case "header":
                headers[place.get("name", name)] = str(value)
            case "statusCode":
                status = value
            case None if name == payload and member.type_name == "blob":
                raw = value
            case None:
                body[place.get("name", name)] = _written(member, value)
            case _:
                pass
    if raw is None and payload is None and shape.members:
        raw = json.dumps(body, separators=(",", ":")).encode()
    return Answered(status, headers, raw or b"")


def _written(shape: Any, value: Any) -> Any:
    match shape.type_name:
        case "structure":
            return {
                member.serialization.get("name", name): _written(member, value[name])
                for name, member in shape.members.items()
                if value.get(name) is not None
            }
        case "list":
            return [_written(shape.member, item) for item in value]
        case "map":
            return {key: _written(shape.value, item) for key, item in value.items()}
        case "timestamp":
            return _instant(value, shape.serialization.get("timestampFormat", "unixTimestamp"))
        case "blob":
            return base64.b64encode(value).decode()
        case _:
            return value


def _instant(value: datetime, form: str) -> float | str:
    return to_millis(value) / 1000 if form == "unixTimestamp" else value.isoformat()


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
        return Answered(status, headers, json.dumps({"message": message}).encode())
    shape = model().shape_for(code)
    trait = shape.metadata["error"]
    member = "Message" if "Message" in shape.members else "message"
    body = {"Type": "User" if trait.get("senderFault") else "Service", member: message}
    return Answered(trait["httpStatusCode"], headers, json.dumps(body).encode())
