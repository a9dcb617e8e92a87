"""Requirement 8-1."""

from functools import partial

from durable_gen import Context, Flow, durable


def work(ctx: Context, number: int) -> Flow[str]:
    """Run one step."""
    return (yield from ctx.step("task", lambda: f"task-{number}"))


@durable
def handler(_event: None, ctx: Context) -> Flow[list[str]]:
    """Run two branches, one after the other."""
    branches = [partial(work, number=1), partial(work, number=2)]
    batch = yield from ctx.parallel("parallel", branches, max_concurrency=1)
    return batch.values
