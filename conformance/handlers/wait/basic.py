"""Requirement 2-1."""

from durable_gen import Context, Flow, durable


@durable
def handler(_event: None, ctx: Context) -> Flow[None]:
    """Wait two seconds."""
    yield from ctx.wait("pause", seconds=2)
