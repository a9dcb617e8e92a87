"""Requirement 8-3."""

from typing import Any

from durable_gen import Context, Flow, durable


@durable
def handler(_event: None, ctx: Context) -> Flow[list[Any]]:
    """Name the branches."""
    branches = {"first": lambda _: "one", "second": lambda _: "two"}
    batch = yield from ctx.parallel("named", branches, max_concurrency=1)
    return batch.values
