"""Requirement 3-3."""

from durable_gen import Context, Flow, durable


def same(text: str) -> str:
    """Give back what it is given."""
    return text


def work(ctx: Context, text: str) -> Flow[str]:
    """Run two steps, the second on what the first one gave."""
    once = yield from ctx.step("first", same, text)
    return (yield from ctx.step("second", same, once))


@durable
def handler(text: str, ctx: Context) -> Flow[str]:
    """Run a flow of two steps in a context of its own."""
    return (yield from ctx.child("work", work, text))
