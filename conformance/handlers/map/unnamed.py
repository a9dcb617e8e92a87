"""Requirement 9-2."""

from durable_gen import Context, Flow, durable


@durable
def handler(numbers: list[int], ctx: Context) -> Flow[list[int]]:
    """Double each item, without a name."""
    batch = yield from ctx.map(None, numbers, lambda _, number: 2 * number, max_concurrency=1)
    return batch.values
