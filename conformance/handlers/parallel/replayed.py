"""Requirement 8-14."""

from durable_gen import Context, Flow, durable


def work(ctx: Context) -> Flow[str]:
    """Run one step."""
    return (yield from ctx.step("work", lambda: "b0"))


def pause(ctx: Context) -> Flow[str]:
    """Wait two seconds."""
    yield from ctx.wait("pause", seconds=2)
    return "b1"


@durable
def handler(_event: None, ctx: Context) -> Flow[list[str]]:
    """Find a branch's value again after another one's wait."""
    batch = yield from ctx.parallel("replay", [work, pause], max_concurrency=1)
    return batch.values
