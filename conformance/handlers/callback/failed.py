"""Requirement 4-6."""

from typing import Any

from durable_gen import Context, Flow, durable


@durable
def handler(name: str, ctx: Context) -> Flow[Any]:
    """Fail as the answer does."""
    callback = yield from ctx.callback(name)
    return (yield from callback.result())
