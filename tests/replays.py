"""What tests of whole handlers share: places in the tests' own source, and the log of the next invocation."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from stub import STARTED, Stub, logged

STATUSES = {"START": "STARTED", "SUCCEED": "SUCCEEDED", "FAIL": "FAILED", "RETRY": "PENDING"}


def place(function: Any, text: str = "") -> str:
    """Name the first line of a function that holds a text, as errors name it."""
    function = getattr(function, "flow", function)
    lines, first = inspect.getsourcelines(function)
    line = next(first + i for i, source in enumerate(lines) if text in source)
    return f"{Path(function.__code__.co_filename).name}:{line}, in {function.__code__.co_qualname}"


def log(stub: Stub, *over: str) -> list[dict[str, Any]]:
    """Make the records that the service keeps of what a stub was sent.

    Args:
        stub: the stub.
        over: names of operations that the service has ended meanwhile: waits, and steps to try again.
    """
    records: dict[str, dict[str, Any]] = {}
    for update in stub.updates:
        status = STATUSES[update["Action"]]
        details: dict[str, Any] = {"Attempt": 1} if update["Type"] == "STEP" else {}
        if "Payload" in update:
            details["Result"] = update["Payload"]
        if "Error" in update:
            details["Error"] = update["Error"]
        details.update(update.get("ContextOptions") or {})
        if update.get("Name") in over and update["Type"] == "WAIT":
            status = "SUCCEEDED"
        elif update.get("Name") in over and status == "PENDING":
            status = "READY"
        records[update["Id"]] = {**logged(update, status, **details), "EndTimestamp": STARTED}
    return list(records.values())


def failure(envelope: dict[str, Any]) -> tuple[str, str]:
    """Read the class and the text of the error in an envelope that says FAILED."""
    assert envelope["Status"] == "FAILED", envelope
    return envelope["Error"]["ErrorType"], envelope["Error"]["ErrorMessage"]
