"""Requirement 7-8."""

from typing import Any

from durable_gen import Context, Flow, durable


def ask(callback_id: str) -> str:
    """Tell somebody where to answer."""
    return f"answer with {callback_id}"


def wrapper(ctx: Context, name: str) -> Flow[Any]:
    """Ask somebody, and wait for the answer."""
    return (yield from ctx.wait_for_callback(name, ask))


@durable
def handler(name: str, ctx: Context) -> Flow[Any]:
    """Ask in a child."""
    return (yield from ctx.child("wrapper", wrapper, name))
