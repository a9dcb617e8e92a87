"""Requirement 9-4."""

from typing import Any

from durable_gen import Context, Flow, durable


@durable
def handler(items: list[Any], ctx: Context) -> Flow[list[Any]]:
    """Go through no items."""
    batch = yield from ctx.map("empty", items, lambda _, item: item)
    return batch.values
