"""Requirement 2-5."""

from durable_gen import Context, Flow, durable


@durable
def handler(_event: None, ctx: Context) -> Flow[None]:
    """Wait an hour, unbilled."""
    yield from ctx.wait("pause", hours=1)
