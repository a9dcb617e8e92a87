"""Requirement 8-5."""

from typing import Any

from durable_gen import Context, Flow, durable


@durable
def handler(_event: None, ctx: Context) -> Flow[list[Any]]:
    """Run no branches."""
    batch = yield from ctx.parallel("empty", [])
    return batch.values
