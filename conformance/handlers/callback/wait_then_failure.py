"""Requirement 4-10."""

from typing import Any

from durable_gen import Context, Flow, durable


@durable
def handler(name: str, ctx: Context) -> Flow[Any]:
    """Wait, and find a failure that came meanwhile."""
    callback = yield from ctx.callback(name)
    yield from ctx.wait("pause", seconds=5)
    return (yield from callback.result())
