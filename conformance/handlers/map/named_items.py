"""Requirement 9-13."""

from durable_gen import Context, Flow, durable


@durable
def handler(numbers: list[int], ctx: Context) -> Flow[list[int]]:
    """Name the items."""
    batch = yield from ctx.map(
        "named-items",
        numbers,
        lambda _, number: 10 * number,
        max_concurrency=1,
        item_name=lambda number, _: f"item-{number}",
    )
    return batch.values
