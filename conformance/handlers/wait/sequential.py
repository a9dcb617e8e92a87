"""Requirement 2-3."""

from durable_gen import Context, Flow, durable


@durable
def handler(_event: None, ctx: Context) -> Flow[dict[str, int]]:
    """Wait twice."""
    for name in ("wait-1", "wait-2"):
        yield from ctx.wait(name, seconds=2)
    return {"completedWaits": 2}
