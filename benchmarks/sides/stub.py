"""What the Python sides share: a service that answers at once, Lambda's context, events, the clock.

The service stands in the place of the SDK's boto3 client, so each SDK does all that it does up to there.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:bench"
ARN = f"{FUNCTION}:1/durable-execution/bench/run"
NOW = 1_700_000_000_000  # milliseconds since the epoch
Fact = dict[str, Any]


class Stub:
    """A service that takes in updates, and answers after `latency` seconds.

    Args:
        latency: seconds that each call takes.
        keep: whether the updates are kept.
    """

    def __init__(self, latency: float = 0.0, *, keep: bool = False) -> None:
        self.latency = latency
        self.keep = keep
        self.calls = self.count = self.threads = 0
        self.updates: list[dict[str, Any]] = []

    def checkpoint_durable_execution(self, **request: Any) -> dict[str, Any]:
        """Take in updates."""
        self.calls += 1
        self.count += len(request["Updates"])
        self.threads = max(self.threads, threading.active_count())
        if self.keep:
            self.updates += request["Updates"]
        if self.latency:
            time.sleep(self.latency)
        return {"CheckpointToken": f"t{self.calls}", "NewExecutionState": {"Operations": []}}

    def get_durable_execution_state(self, **_: Any) -> dict[str, Any]:
        """Have no more pages."""
        return {"Operations": []}


class LambdaContext:
    """What Lambda gives with an event, of an invocation that has 15 minutes left."""

    aws_request_id = "request"
    function_name = "bench"
    function_version = "1"
    invoked_function_arn = FUNCTION
    memory_limit_in_mb = 512
    log_group_name = log_stream_name = "bench"
    identity = client_context = tenant_id = None

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Tell how much time is left."""
        return 900_000


def event(count: int, log: str = "[]") -> dict[str, Any]:
    """Make an invocation's event, as it comes decoded from Lambda's JSON.

    Args:
        count: what the execution was started with.
        log: its operations' records, as JSON.
    """
    execution = {
        "Id": ARN.rpartition("/")[2],
        "Type": "EXECUTION",
        "Status": "STARTED",
        "StartTimestamp": NOW,
        "ExecutionDetails": {"InputPayload": json.dumps({"count": count})},
    }
    return {
        "DurableExecutionArn": ARN,
        "CheckpointToken": "t0",
        "InitialExecutionState": {"Operations": [execution, *json.loads(log)], "NextMarker": ""},
    }


DETAILS = {"STEP": "StepDetails", "CONTEXT": "ContextDetails"}


def log_of(updates: Iterable[dict[str, Any]]) -> str:
    """Make of updates the records that the service would keep, as JSON."""
    made: dict[str, dict[str, Any]] = {}
    for update in updates:
        record = made.setdefault(update["Id"], {"StartTimestamp": NOW, "Status": "STARTED"})
        kept = ("Id", "ParentId", "Type", "SubType", "Name")
        record |= {key: update[key] for key in kept if update.get(key)}
        if update["Action"] == "SUCCEED":
            details = {"Result": update.get("Payload"), **update.get("ContextOptions", {})}
            if update["Type"] == "STEP":
                details["Attempt"] = 1
            record |= {"Status": "SUCCEEDED", "EndTimestamp": NOW, DETAILS[update["Type"]]: details}
        if update["Type"] == "WAIT":
            record["WaitDetails"] = {"ScheduledEndTimestamp": NOW * 2}
    return json.dumps(list(made.values()))


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Take the seconds of a run, after the garbage of what was before it."""
    gc.collect()
    began = time.perf_counter()
    found = run()
    return time.perf_counter() - began, found


def serve(works: dict[str, Callable[..., Fact]]) -> None:
    """Do the works that are asked for on standard input, a line of JSON each, until it ends."""
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(works[asked.pop("work")](**asked)), file=out, flush=True)
