"""Requirement 7-15."""

from typing import Any

from durable_gen import Context, Flow, durable


def ask(callback_id: str) -> str:
    """Tell somebody where to answer."""
    return f"answer with {callback_id}"


@durable
def handler(name: str, ctx: Context) -> Flow[Any]:
    """Wait for an answer that says nothing."""
    return (yield from ctx.wait_for_callback(name, ask))
