"""Requirement 1-3."""

from durable_gen import Context, Flow, durable


def one() -> str:
    """Begin."""
    return "first"


def two(before: str) -> str:
    """Go on from what the first step gave."""
    return f"{before}_second"


@durable
def handler(_event: None, ctx: Context) -> Flow[str]:
    """Run two steps, the second on what the first one gave."""
    before = yield from ctx.step(one)
    return (yield from ctx.step(two, before))
