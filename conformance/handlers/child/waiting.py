"""Requirement 3-13."""

from durable_gen import Context, Flow, durable


def pause(ctx: Context, text: str) -> Flow[str]:
    """Wait, and do nothing else."""
    yield from ctx.wait("pause", seconds=1)
    return text


def same(text: str) -> str:
    """Give back what it is given."""
    return text


@durable
def handler(text: str, ctx: Context) -> Flow[str]:
    """Go on after a child that waited."""
    waited = yield from ctx.child("pause", pause, text)
    return (yield from ctx.step(same, waited))
