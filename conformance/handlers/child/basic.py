"""Requirement 3-1."""

from durable_gen import Context, Flow, durable


def same(text: str) -> str:
    """Give back what it is given."""
    return text


def work(ctx: Context, text: str) -> Flow[str]:
    """Run one step."""
    return (yield from ctx.step(same, text))


@durable
def handler(text: str, ctx: Context) -> Flow[str]:
    """Run a flow in a context of its own."""
    return (yield from ctx.child("work", work, text))
