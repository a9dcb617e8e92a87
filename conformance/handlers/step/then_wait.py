"""Requirement 1-8."""

from durable_gen import Context, Flow, durable


def compute() -> str:
    """Compute something."""
    return "computed"


@durable
def handler(_event: None, ctx: Context) -> Flow[str]:
    """Find a step's value again after a wait."""
    value = yield from ctx.step(compute)
    yield from ctx.wait("pause", seconds=2)
    return value
