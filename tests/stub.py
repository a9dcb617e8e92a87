"""A backend of a few lines, and the events that go with it: what the tests of the core stand on."""

from __future__ import annotations

import json
from typing import Any

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:orders:1/durable-execution/order-7/run-1"
STARTED = 1_700_000_000_000  # milliseconds since the epoch


class Stub:
    """Records every checkpoint and hands out tokens t1, t2, ...; refuses a token that is not the last.

    Args:
        answers: what the service says of operations, for each checkpoint in turn.
        pages: the pages of state that follow a marker.
    """

    def __init__(self, *answers: list[dict], pages: dict[str, dict] | None = None) -> None:
        self.answers = list(answers)
        self.pages = pages or {}
        self.calls: list[dict[str, Any]] = []
        self.token = "t0"

    def checkpoint_durable_execution(self, **request: Any) -> dict[str, Any]:
        assert request["CheckpointToken"] == self.token, "a spent token"
        self.calls.append(request)
        self.token = f"t{len(self.calls)}"
        operations = self.answers.pop(0) if self.answers else []
        return {"CheckpointToken": self.token, "NewExecutionState": {"Operations": operations}}

    def get_durable_execution_state(self, **request: Any) -> dict[str, Any]:
        return self.pages[request["Marker"]]

    @property
    def updates(self) -> list[dict[str, Any]]:
        """Every update, in order."""
        return [update for call in self.calls for update in call["Updates"]]

    @property
    def stream(self) -> list[str]:
        """Every update in short, and the ends of checkpoints: `STEP START charge`."""
        lines = []
        for call in self.calls:
            lines += [short(update) for update in call["Updates"]]
            lines.append("--")
        return lines


def short(update: dict[str, Any]) -> str:
    words = [update["Type"], update["Action"], update.get("Name", "-")]
    if "Payload" in update:
        words.append(update["Payload"])
    if "Error" in update:
        words.append(update["Error"].get("ErrorType", "?"))
    return " ".join(words)


def event(*operations: dict, payload: Any = None, marker: str = "") -> dict[str, Any]:
    """Make the event of an invocation, as the service sends it."""
    execution = {
        "Id": "run-1",
        "Name": "order-7",
        "Type": "EXECUTION",
        "Status": "STARTED",
        "StartTimestamp": STARTED,
        "ExecutionDetails": {"InputPayload": json.dumps(payload)},
    }
    return {
        "DurableExecutionArn": ARN,
        "CheckpointToken": "t0",
        "InitialExecutionState": {"Operations": [execution, *operations], "NextMarker": marker},
    }


def result(envelope: dict[str, Any]) -> Any:
    """Read the result of an envelope that says SUCCEEDED."""
    assert envelope["Status"] == "SUCCEEDED", envelope
    return json.loads(envelope["Result"])


def logged(update: dict[str, Any], status: str, **details: Any) -> dict[str, Any]:
    """Make the record that the service keeps of an operation, from an update of it."""
    member = {
        "STEP": "StepDetails",
        "WAIT": "WaitDetails",
        "CALLBACK": "CallbackDetails",
        "CHAINED_INVOKE": "ChainedInvokeDetails",
        "CONTEXT": "ContextDetails",
    }[update["Type"]]
    keep = ("Id", "ParentId", "Name", "Type", "SubType")
    record = {key: update[key] for key in keep if key in update}
    return {**record, "Status": status, "StartTimestamp": STARTED, member: details}
