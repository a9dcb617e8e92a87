"""The works, done by AWS's Python SDK."""

from __future__ import annotations

import functools
import json
import logging
import time
from collections.abc import Callable
from typing import Any

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import MapConfig

from benchmarks.sides.stub import Fact, LambdaContext, Stub, event, log_of, serve, timed

logging.disable(logging.CRITICAL)


def invoked(flow: Callable[..., Any], given: Any, stub: Stub, result: Any) -> float:
    """Time one invocation, and check how it ended."""
    handler = durable_execution(boto3_client=stub)(
        lambda given, context: flow(given["count"], context)
    )
    seconds, envelope = timed(lambda: handler(given, LambdaContext()))
    assert envelope["Status"] == "SUCCEEDED", envelope
    assert json.loads(envelope["Result"]) == result
    return seconds


def steps(count: int, context: Any) -> int:
    """Run so many steps, and look at what they gave."""
    seen = 0
    for number in range(count):
        found = context.step(lambda _, n=number: {"i": n, "v": "x" * 20}, name=f"s{number}")
        seen += found["i"] == number
    return seen


@functools.cache
def log_of_steps(count: int) -> str:
    """Run so many steps, and make the log of it: its values have an envelope of their own."""
    stub = Stub(keep=True)
    invoked(steps, event(count), stub, count)
    return log_of(stub.updates)


def nothing() -> Fact:
    """Invoke a workflow that has nothing to do."""
    return {"seconds": invoked(steps, event(0), Stub(), 0)}


def replay(count: int) -> Fact:
    """Replay so many steps."""
    stub = Stub()
    seconds = invoked(steps, event(count, log_of_steps(count)), stub, count)
    assert stub.count == 0
    return {"seconds": seconds}


def live(count: int) -> Fact:
    """Run so many steps."""
    stub = Stub()
    seconds = invoked(steps, event(count), stub, count)
    assert stub.count == 2 * count
    return {"seconds": seconds, "calls": stub.calls}


def fan_out(count: int, kind: str = "sync", latency: float = 0.0, working: float = 0.0) -> Fact:
    """Map so many items, with one step each; it has no async steps."""
    assert kind == "sync"

    def double(item: int) -> int:
        if working:
            time.sleep(working)
        return item * 2

    def flow(count: int, context: Any) -> int:
        def one(child: Any, item: int, _: int, __: Any) -> int:
            return child.step(lambda _: double(item), name="double")  # type: ignore[no-any-return]

        found = context.map(
            list(range(count)), one, name="map", config=MapConfig(max_concurrency=None)
        )
        return sum(found.get_results())

    stub = Stub(latency)
    seconds = invoked(flow, event(count), stub, count * (count - 1))
    facts = {"calls": stub.calls, "updates": stub.count, "threads": stub.threads - 1}
    return {"seconds": seconds, **facts}


if __name__ == "__main__":
    serve({"nothing": nothing, "replay": replay, "live": live, "map": fan_out})
