"""Requirement 4-8."""

from typing import Any

from durable_gen import Context, Flow, durable


def ask(callback_id: str) -> str:
    """Tell somebody where to answer."""
    return f"answer with {callback_id}"


@durable
def handler(name: str, ctx: Context) -> Flow[Any]:
    """Run a step, and wait for an answer that does not come."""
    callback = yield from ctx.callback(name, timeout=5)
    yield from ctx.step(ask, callback.id)
    return (yield from callback.result())
