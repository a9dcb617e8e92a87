"""Requirement 3-15."""

from durable_gen import Context, Flow, durable


def fail(_ctx: Context) -> None:
    """Fail without having done anything."""
    msg = "no funds"
    raise ValueError(msg)


@durable
def handler(_event: None, ctx: Context) -> Flow[None]:
    """Fail as a child does."""
    yield from ctx.child("fail", fail)
