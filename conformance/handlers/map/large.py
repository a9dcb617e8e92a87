"""Requirement 9-16."""

from durable_gen import Context, Flow, durable


def produce(_ctx: Context, number: int) -> str:
    """Give a text of some 70 kB."""
    return str(number) * 70_000


@durable
def handler(_event: None, ctx: Context) -> Flow[dict[str, int]]:
    """Make more values than can be kept together."""
    batch = yield from ctx.map("large", range(4), produce, max_concurrency=1)
    return {"successCount": len(batch.values), "totalCount": len(batch)}
