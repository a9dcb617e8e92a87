"""Requirement 1-5."""

from durable_gen import Context, Flow, durable


def nothing() -> None:
    """Give nothing."""


@durable
def handler(_event: None, ctx: Context) -> Flow[None]:
    """Keep that a step gave nothing."""
    return (yield from ctx.step(nothing))
