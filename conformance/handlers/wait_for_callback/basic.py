"""Requirement 7-1."""

from typing import Any

from durable_gen import Context, Flow, durable


def ask(callback_id: str) -> str:
    """Tell somebody where to answer."""
    return f"answer with {callback_id}"


@durable
def handler(name: str, ctx: Context) -> Flow[Any]:
    """Ask somebody, and wait for the answer."""
    return (yield from ctx.wait_for_callback(name, ask))
