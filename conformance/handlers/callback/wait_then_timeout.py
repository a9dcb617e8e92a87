"""Requirement 4-11."""

from typing import Any

from durable_gen import Context, Flow, durable


@durable
def handler(name: str, ctx: Context) -> Flow[Any]:
    """Wait, and find that the time for an answer is over."""
    callback = yield from ctx.callback(name, timeout=3)
    yield from ctx.wait("pause", seconds=6)
    return (yield from callback.result())
