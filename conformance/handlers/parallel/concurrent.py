"""Requirement 8-11."""

from typing import Any

from durable_gen import Context, Flow, durable


@durable
def handler(_event: None, ctx: Context) -> Flow[list[Any]]:
    """Run two branches at once, and keep the order of all three."""
    branches = [lambda _, i=i: f"r{i}" for i in range(3)]
    batch = yield from ctx.parallel("concurrent", branches, max_concurrency=2)
    return batch.values
