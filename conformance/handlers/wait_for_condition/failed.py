"""Requirement 6-7."""

from durable_gen import Context, Flow, durable


def look(_state: int) -> int:
    """Fail."""
    msg = "nothing to be seen"
    raise ConnectionError(msg)


@durable
def handler(_event: None, ctx: Context) -> Flow[None]:
    """Fail as a look does."""
    yield from ctx.wait_for_condition("looked", look, 0)
