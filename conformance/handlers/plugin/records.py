"""Plugins print what they are told: one line of JSON for each hook, with the execution's ARN."""

import json
import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from durable_gen.plugins import (
    AttemptInfo,
    FunctionInfo,
    InvocationEnd,
    InvocationStart,
    OperationInfo,
)


def say(arn: str, hook: str, *, plugin: str = "CONFPLUGIN", **members: Any) -> None:
    """Print what a hook is told; members that are None are left out."""
    record = {"plugin": plugin, "hook": hook, **members, "durableExecutionArn": arn}
    line = json.dumps({key: plain(value) for key, value in record.items() if value is not None})
    sys.stdout.write(f"{line}\n")


def plain(value: Any) -> Any:
    """Make a timestamp text."""
    return value.isoformat() if isinstance(value, datetime) else value


def of_type(infos: Iterable[OperationInfo], type_: str) -> list[OperationInfo]:
    """Pick the operations of a type."""
    return [info for info in infos if info.type == type_]


def invocation(info: InvocationStart | InvocationEnd) -> dict[str, Any]:
    """Say what both of an invocation's hooks are told."""
    return {
        "isFirstInvocation": info.is_first,
        "requestId": info.request_id,
        "operationsCount": len(info.operations),
        "executionStartTimestamp": info.started,
    }


def identity(info: OperationInfo) -> dict[str, Any]:
    """Say which operation it is."""
    return {
        "id": info.id,
        "name": info.name,
        "type": info.type,
        "subType": info.sub_type,
        "parentId": info.parent_id,
        "isReplay": info.is_replay,
    }


def operation(info: OperationInfo) -> dict[str, Any]:
    """Say all of an operation."""
    return {
        **identity(info),
        "status": info.status,
        "startTimestamp": info.started,
        "endTimestamp": info.ended,
        "error": info.error and info.error.message,
        "attempt": info.attempt,
    }


def ran(info: AttemptInfo | FunctionInfo) -> dict[str, Any]:
    """Say all of what ran: an attempt of a step, or the flow of a context."""
    return {
        **identity(info.operation),
        "startTimestamp": info.started,
        "endTimestamp": info.ended,
        "outcome": info.outcome,
        "error": info.error and info.error.message,
    }
