"""How an invocation ends: what the handler gave back, read as an envelope."""

from __future__ import annotations

import json
from typing import Any

from attrs import frozen

from durable_gen.local._facts import ErrorObject
from durable_gen.local._functions import Answer
from durable_gen.local._rules import size

NOTHING_PENDING = {
    "ErrorType": "InvalidParameterValueException",
    "ErrorMessage": "Cannot return PENDING status with no pending operations.",
}
EXITED = {
    "ErrorType": "Runtime.ExitError",
    "ErrorMessage": "The process ended before the invocation did.",
}


@frozen
class Ending:
    """An invocation's end.

    Attributes:
        kind: SUCCEEDED, FAILED or PENDING as the envelope says; MALFORMED if it is none;
            RAISED if the function raised.
        result: text, of a success.
        error: of what failed.
    """

    kind: str
    result: str | None = None
    error: ErrorObject | None = None


def read(answer: Answer, limit: int) -> Ending:
    """Read the answer of a durable function.

    Args:
        answer: what the call gave.
        limit: bytes that a result may have.
    """
    if answer.error is not None:
        return Ending("RAISED", error=answer.error)
    try:
        envelope = json.loads(answer.text)
    except (ValueError, RecursionError):
        fault: str | None = f"Expected JSON, the function returned {answer.text!r:.100}."
    else:
        fault = _fault(envelope, limit)
    if fault is not None:
        error = {"ErrorType": "InvalidParameterValueException", "ErrorMessage": fault}
        return Ending("MALFORMED", error=error)
    return Ending(envelope["Status"], envelope.get("Result"), envelope.get("Error"))


def _fault(envelope: Any, limit: int) -> str | None:
    if not isinstance(envelope, dict):
        return f"Expected an object with a Status, the function returned {envelope!r:.100}."
    status, result, error = (envelope.get(member) for member in ("Status", "Result", "Error"))
    if status not in ("SUCCEEDED", "FAILED", "PENDING"):
        return f"Expected Status SUCCEEDED, FAILED or PENDING, the function returned {status!r}."
    if result is not None and not isinstance(result, str):
        return f"Expected Result to be text, the function returned {result!r:.100}."
    if error is not None and not isinstance(error, dict):
        return f"Expected Error to be an object, the function returned {error!r:.100}."
    if status == "SUCCEEDED" and error is not None:
        return "A SUCCEEDED answer carries no Error."
    if status == "FAILED" and result is not None:
        return "A FAILED answer carries no Result."
    if size(result) > limit:
        return f"The Result has {size(result)} bytes, the limit is {limit}."
    return None
