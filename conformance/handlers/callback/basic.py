"""Requirement 4-1."""

from typing import Any

from durable_gen import Context, Flow, durable


@durable
def handler(name: str, ctx: Context) -> Flow[Any]:
    """Wait for an answer from outside."""
    callback = yield from ctx.callback(name)
    return (yield from callback.result())
