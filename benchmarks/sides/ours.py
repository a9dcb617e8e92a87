"""The works, done by durable_gen."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from benchmarks.sides.stub import Fact, LambdaContext, Stub, event, log_of, serve, timed
from durable_gen import Context, durable

logging.disable(logging.CRITICAL)
PENDING = {"Status": "PENDING"}


def handler_of(flow: Callable[..., Any], stub: Stub) -> Any:
    """Make a Lambda handler of a flow of a number."""
    return durable(backend=stub)(lambda given, ctx: flow(given["count"], ctx))


def invoked(flow: Callable[..., Any], given: Any, stub: Stub) -> tuple[float, dict[str, Any]]:
    """Time one invocation: its seconds, and its envelope."""
    handler = handler_of(flow, stub)
    return timed(lambda: handler(given, LambdaContext()))


def ended(envelope: dict[str, Any], result: Any) -> None:
    """Check how a workflow ended."""
    assert envelope == {"Status": "SUCCEEDED", "Result": str(result)}, envelope


def traced(flow: Callable[..., Any], given: Any, stub: Stub) -> tuple[float, dict[str, Any]]:
    """Measure the memory that one invocation takes at its highest beside its event: bytes."""
    handler = handler_of(flow, stub)
    tracemalloc.start()
    envelope = handler(given, LambdaContext())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, envelope


# --- steps, one after another ------------------------------------------------------------------------


def value(number: int) -> dict[str, Any]:
    """Do a step's work."""
    return {"i": number, "v": "x" * 20}


def steps(count: int, ctx: Context) -> Any:
    """Run so many steps, and look at what they gave."""
    seen = 0
    for number in range(count):
        found = yield ctx.step(f"s{number}", value, number)
        seen += found["i"] == number
    return seen


def batched(count: int, ctx: Context) -> Any:
    """Run so many steps whose checkpoints are shared."""
    with ctx.batch():
        return (yield from steps(count, ctx))


@functools.cache
def log_of_steps(count: int) -> str:
    """Run so many steps, and make the log of it."""
    stub = Stub(keep=True)
    ended(invoked(steps, event(count), stub)[1], count)
    return log_of(stub.updates)


def nothing() -> Fact:
    """Invoke a workflow that has nothing to do."""
    stub = Stub()
    seconds, envelope = invoked(steps, event(0), stub)
    ended(envelope, 0)
    assert stub.calls == 0
    return {"seconds": seconds}


def replay(count: int) -> Fact:
    """Replay so many steps."""
    stub = Stub()
    seconds, envelope = invoked(steps, event(count, log_of_steps(count)), stub)
    ended(envelope, count)
    assert stub.calls == 0
    return {"seconds": seconds}


def live(count: int, latency: float = 0.0, batch: bool = False) -> Fact:
    """Run so many steps."""
    stub = Stub(latency)
    seconds, envelope = invoked(batched if batch else steps, event(count), stub)
    ended(envelope, count)
    assert stub.count == 2 * count
    return {"seconds": seconds, "calls": stub.calls}


def memory(count: int) -> Fact:
    """Replay so many steps, and measure its memory beside that of the decoded event: bytes."""
    log = log_of_steps(count)
    tracemalloc.start()
    given = event(count, log)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    peak, envelope = traced(steps, given, Stub())
    ended(envelope, count)
    return {"event": size, "peak": size + peak}


# --- fan-outs -------------------------------------------------------------------------------------------


def fan_out(count: int, kind: str = "sync", latency: float = 0.0, working: float = 0.0) -> Fact:
    """Map so many items, with one step each."""

    def double(item: int) -> int:
        if working:
            time.sleep(working)
        return item * 2

    async def double_later(item: int) -> int:
        if working:
            await asyncio.sleep(working)
        return item * 2

    fn = double if kind == "sync" else double_later

    def one(child: Context, item: int) -> Any:
        return (yield child.step("double", fn, item))

    def flow(count: int, ctx: Context) -> Any:
        return sum((yield ctx.map("map", range(count), one)).values)

    stub = Stub(latency)
    seconds, envelope = invoked(flow, event(count), stub)
    ended(envelope, count * (count - 1))
    # The main thread is no worker.
    return {"seconds": seconds, "calls": stub.calls, "updates": stub.count} | {
        "threads": max(0, stub.threads - 1)
    }


def parked(count: int, ctx: Context) -> Any:
    """Wait an hour in so many branches."""

    def branch(child: Context, item: int) -> Any:
        yield child.wait("hour", hours=1)
        return (yield child.step("after", value, item))

    yield ctx.map("parked", range(count), branch)


@functools.cache
def log_of_parked(count: int) -> str:
    """Park so many branches, and make the log of it: the wait of one is over."""
    stub = Stub(keep=True)
    assert invoked(parked, event(count), stub)[1] == PENDING
    log = json.loads(log_of(stub.updates))
    waits = [record for record in log if record["Type"] == "WAIT"]
    assert len(waits) == count
    waits[count // 2]["Status"] = "SUCCEEDED"
    return json.dumps(log)


def park(count: int) -> Fact:
    """Begin so many branches, which park; tell the memory at its highest, and what the records are of it: bytes."""
    kept = []

    def flow(count: int, ctx: Context) -> Any:
        kept.append(ctx.state)
        yield parked(count, ctx)

    handler, given = handler_of(flow, Stub()), event(count)
    tracemalloc.start()
    assert handler(given, LambdaContext()) == PENDING
    records, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept[0]) == 2 * count + 1
    return {"peak": peak, "records": records}


def resume(count: int, trace: bool = False) -> Fact:
    """Resume one of so many branches that wait: its step is run, and the others wait on."""
    stub, given = Stub(), event(count, log_of_parked(count))
    found, envelope = (traced if trace else invoked)(parked, given, stub)
    assert envelope == PENDING
    assert stub.count == 3  # the step's start and end, and the branch's end
    return {"bytes" if trace else "seconds": found}


# --- children -------------------------------------------------------------------------------------------


def child(ctx: Context, left: int) -> Any:
    """Run a child in a child, so deep."""
    if not left:
        return (yield ctx.step("last", value, 0))["i"]
    return 1 + (yield ctx.child("next", child, left - 1))


def deep(depth: int, ctx: Context) -> Any:
    """Run children in one another, so deep."""
    return 1 + (yield ctx.child("next", child, depth - 1))


def one_step(ctx: Context, number: int) -> Any:
    """Be a child of one step."""
    return (yield ctx.step("only", value, number))["i"]


def wide(count: int, ctx: Context) -> Any:
    """Run so many children, one after another."""
    seen = 0
    for number in range(count):
        seen += (yield ctx.child("child", one_step, number)) == number
    return seen


SHAPES = {"deep": deep, "wide": wide}


def children(count: int, shape: str) -> Fact:
    """Run so many children."""
    seconds, envelope = invoked(SHAPES[shape], event(count), Stub())
    ended(envelope, count)
    return {"seconds": seconds}


@functools.cache
def log_of_children(count: int, shape: str) -> str:
    """Run so many children, and make the log of it as if none had ended."""
    stub = Stub(keep=True)
    ended(invoked(SHAPES[shape], event(count), stub)[1], count)
    return log_of(one for one in stub.updates if one["Type"] == "STEP" or one["Action"] == "START")


def children_again(count: int, shape: str) -> Fact:
    """Replay so many children, none of which has ended."""
    given = event(count, log_of_children(count, shape))
    seconds, envelope = invoked(SHAPES[shape], given, Stub())
    ended(envelope, count)
    return {"seconds": seconds}


WORKS: dict[str, Callable[..., Fact]] = {
    "nothing": nothing,
    "replay": replay,
    "live": live,
    "memory": memory,
    "map": fan_out,
    "park": park,
    "resume": resume,
    "children": children,
    "children again": children_again,
}

if __name__ == "__main__":
    serve(WORKS)
