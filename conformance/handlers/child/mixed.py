"""Requirement 3-18."""

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
    """Run a step and wait, in a child and after it."""
    inner = yield from ctx.child("work", work, text)
    outer = yield from ctx.step(same, inner)
    yield from ctx.wait("pause", seconds=1)
    return outer
