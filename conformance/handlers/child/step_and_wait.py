"""Requirement 3-10."""

from durable_gen import Context, Flow, durable


def same(text: str) -> str:
    """Give back what it is given."""
    return text


def work(ctx: Context, text: str) -> Flow[str]:
    """Run one step, and wait."""
    once = yield from ctx.step(same, text)
    yield from ctx.wait("pause", seconds=1)
    return once


@durable
def handler(text: str, ctx: Context) -> Flow[str]:
    """Wait within a child."""
    return (yield from ctx.child("work", work, text))
