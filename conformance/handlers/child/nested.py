"""Requirement 3-6."""

from durable_gen import Context, Flow, durable


def same(text: str) -> str:
    """Give back what it is given."""
    return text


def inner(ctx: Context, text: str) -> Flow[str]:
    """Run one step."""
    return (yield from ctx.step(same, text))


def outer(ctx: Context, text: str) -> Flow[str]:
    """Run one step, and a child."""
    once = yield from ctx.step(same, text)
    return (yield from ctx.child("inner", inner, once))


@durable
def handler(text: str, ctx: Context) -> Flow[str]:
    """Run a child in a child."""
    return (yield from ctx.child("outer", outer, text))
