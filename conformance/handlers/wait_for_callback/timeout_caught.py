"""Requirement 7-14."""

from typing import Any

from durable_gen import CallbackTimedOut, Context, Flow, durable


def ask(callback_id: str) -> str:
    """Tell somebody where to answer."""
    return f"answer with {callback_id}"


@durable
def handler(name: str, ctx: Context) -> Flow[Any]:
    """Go on when nobody answers in three seconds."""
    try:
        return (yield from ctx.wait_for_callback(name, ask, timeout=3))
    except CallbackTimedOut:
        return "timed-out-handled"
