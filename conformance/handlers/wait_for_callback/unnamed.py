"""Requirement 7-3."""

from typing import Any

from durable_gen import Context, Flow, durable


@durable
def handler(_event: None, ctx: Context) -> Flow[Any]:
    """Ask without a name."""
    return (yield from ctx.wait_for_callback(None, lambda callback_id: f"to {callback_id}"))
