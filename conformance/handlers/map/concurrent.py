"""Requirement 9-11."""

from durable_gen import Context, Flow, durable


@durable
def handler(_event: None, ctx: Context) -> Flow[list[str]]:
    """Go through two items at once, and keep the order of all three."""
    items = ["r0", "r1", "r2"]
    batch = yield from ctx.map("concurrent", items, lambda _, item: item, max_concurrency=2)
    return batch.values
