"""The works, done by durable_gen."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from benchmarks.sides.stub import LambdaContext, Stub, event, records, serve, timed
from durable_gen import Context, durable

logging.disable(logging.CRITICAL)


def invoked(flow: Callable[..., Any], given: Any, stub: Stub) -> tuple[float, dict[str, Any]]:
    """Time one invocation."""
    handler = durable(backend=stub)(flow)
    seconds, envelope = timed(lambda: handler(given, LambdaContext()))
    return seconds, envelope


def ended(envelope: dict[str, Any], result: Any) -> None:
    """Check how a workflow ended."""
    assert envelope == {"Status": "SUCCEEDED", "Result": str(result)}, envelope


# Steps, one after another


def value(number: int) -> dict[str, Any]:
    """Do a step's work."""
    return {"i": number, "v": "x" * 20}


def steps(count: int, ctx: Context) -> Any:
    """Run so many steps."""
    seen = 0
    for number in range(count):
        found = yield ctx.step(f"s{number}", value, number)
        seen += found["i"] == number
    return seen


def batched(count: int, ctx: Context) -> Any:
    """Run so many steps, whose checkpoints are shared."""
    with ctx.batch():
        return (yield from steps(count, ctx))


@functools.cache
def log_of(count: int) -> list[dict[str, Any]]:
    """Run so many steps, and keep the records."""
    stub = Stub()
    ended(invoked(steps, event(count), stub)[1], count)
    return records(stub.updates)


def nothing() -> dict[str, Any]:
    """Invoke a workflow that has nothing to do."""
    stub = Stub()
    seconds, envelope = invoked(steps, event(0), stub)
    ended(envelope, 0)
    assert stub.calls == 0
    return {"seconds": seconds}


def replay(count: int) -> dict[str, Any]:
    """Replay so many steps."""
    stub = Stub()
    seconds, envelope = invoked(steps, event(count, log_of(count)), stub)
    ended(envelope, count)
    assert stub.calls == 0
    return {"seconds": seconds}


def live(count: int, latency: float = 0.0, batch: bool = False) -> dict[str, Any]:
    """Run so many steps."""
    stub = Stub(latency)
    seconds, envelope = invoked(batched if batch else steps, event(count), stub)
    ended(envelope, count)
    assert len(stub.updates) == 2 * count
    return {"seconds": seconds, "calls": stub.calls}


# A map


def fan_out(count: int, kind: str, latency: float = 0.0, working: float = 0.0) -> dict[str, Any]:
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

    def flow(count: int, ctx: Context) -> Any:
        def one(child: Context, item: int) -> Any:
            return (yield child.step("double", fn, item))

        found = yield ctx.map("map", range(count), one)
        return sum(found.values)

    stub = Stub(latency)
    seconds, envelope = invoked(flow, event(count), stub)
    ended(envelope, count * (count - 1))
    facts = {"calls": stub.calls, "updates": len(stub.updates), "threads": stub.threads - 1}
    return {"seconds": seconds, **facts}


# What waits


def parked(count: int, ctx: Context) -> Any:
    """Wait an hour in so many branches."""

    def branch(child: Context, item: int) -> Any:
        yield child.wait("hour", hours=1)
        return (yield child.step("after", value, item))

    yield ctx.map("parked", range(count), branch)


@functools.cache
def log_of_parked(count: int) -> tuple[dict[str, Any], ...]:
    stub = Stub()
    assert invoked(parked, event(count), stub)[1] == {"Status": "PENDING"}
    return tuple(records(stub.updates))


def resume(count: int, traced: bool = False) -> dict[str, Any]:
    """Resume one of so many branches that wait; its step is run, and the rest wait on."""
    log = log_of_parked(count)
    given = event(count, log)
    hour = [raw for raw in given["InitialExecutionState"]["Operations"] if raw["Type"] == "WAIT"]
    assert len(hour) == count
    hour[count // 2]["Status"] = "SUCCEEDED"
    stub = Stub()
    if traced:
        tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    seconds, envelope = invoked(parked, given, stub)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert envelope == {"Status": "PENDING"}, envelope
    facts = {"calls": stub.calls, "operations": len(log)}
    return {"seconds": seconds, "bytes": peak / count if traced else 0, **facts}


def begin(count: int, traced: bool = False) -> dict[str, Any]:
    stub = Stub()
    given = event(count)
    if traced:
        tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    seconds, envelope = invoked(parked, given, stub)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return {"seconds": seconds, "bytes": peak / count, "calls": stub.calls}


# Nested children


def nested(depth: int) -> dict[str, Any]:
    """Run children in one another, so deep."""

    def child(ctx: Context, left: int) -> Any:
        if not left:
            return (yield ctx.step("last", value, 0))["i"]
        return 1 + (yield ctx.child("next", child, left - 1))

    def flow(depth: int, ctx: Context) -> Any:
        return (yield ctx.child("next", child, depth))

    stub = Stub()
    seconds, envelope = invoked(flow, event(depth), stub)
    ended(envelope, depth)
    again = Stub()
    back, envelope = invoked(flow, event(depth, records(stub.updates)), again)
    ended(envelope, depth)
    return {"seconds": seconds, "replay": back}


def wide(count: int) -> dict[str, Any]:
    """Run so many children one after another."""

    def child(ctx: Context, number: int) -> Any:
        return (yield ctx.step("only", value, number))["i"]

    def flow(count: int, ctx: Context) -> Any:
        seen = 0
        for number in range(count):
            seen += (yield ctx.child("child", child, number)) == number
        return seen

    stub = Stub()
    seconds, envelope = invoked(flow, event(count), stub)
    ended(envelope, count)
    again = Stub()
    back, envelope = invoked(flow, event(count, records(stub.updates)), again)
    ended(envelope, count)
    return {"seconds": seconds, "replay": back}


def memory(count: int) -> dict[str, Any]:
    """Replay so many steps, and take the memory at its highest beside the event's."""
    tracemalloc.start()
    log = log_of(count)
    before = tracemalloc.get_traced_memory()[0]
    given = event(count, log)
    size = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.reset_peak()
    envelope = durable(backend=Stub())(steps)(given, LambdaContext())
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    ended(envelope, count)
    return {"event": size, "peak": peak}


WORKS: dict[str, Callable[..., dict[str, Any]]] = {
    "nothing": nothing,
    "replay": replay,
    "live": live,
    "map": fan_out,
    "resume": resume,
    "begin": begin,
    "nested": nested,
    "wide": wide,
    "memory": memory,
}

if __name__ == "__main__":
    serve(WORKS)
