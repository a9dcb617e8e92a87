"""Requirement 4-5."""

from typing import Any

from durable_gen import Context, Flow, durable


@durable
def handler(name: str, ctx: Context) -> Flow[Any]:
    """Wait for an answer for as long as there are heartbeats."""
    callback = yield from ctx.callback(name, heartbeat=10)
    return (yield from callback.result())
