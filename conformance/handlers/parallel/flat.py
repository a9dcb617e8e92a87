"""Requirement 8-12."""

from functools import partial

from durable_gen import Context, Flow, durable


def work(ctx: Context, text: str) -> Flow[str]:
    """Run one step."""
    return (yield from ctx.step("work", lambda: text))


@durable
def handler(_event: None, ctx: Context) -> Flow[list[str]]:
    """Keep no records of the branches themselves."""
    branches = [partial(work, text="fa"), partial(work, text="fb")]
    batch = yield from ctx.parallel("flat", branches, max_concurrency=1, nesting="flat")
    return batch.values
