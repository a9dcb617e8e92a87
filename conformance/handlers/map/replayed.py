"""Requirement 9-15."""

from durable_gen import Context, Flow, durable


def work(ctx: Context, item: str) -> Flow[str]:
    """Run one step, after a wait for every item but the first."""
    if ctx.index:
        yield from ctx.wait("pause", seconds=1)
    return (yield from ctx.step("work", lambda: item))


@durable
def handler(_event: None, ctx: Context) -> Flow[list[str]]:
    """Find an item's value again after another one's wait."""
    batch = yield from ctx.map("suspend", ["r0", "r1"], work, max_concurrency=1)
    return batch.values
