"""Requirement 3-5."""

from durable_gen import ChildContextFailed, Context, Flow, durable


def decline() -> None:
    """Fail."""
    msg = "no funds"
    raise ValueError(msg)


def charge(ctx: Context) -> Flow[None]:
    """Fail in a step."""
    yield from ctx.step(decline, retry=None)


def recover(text: str) -> str:
    """Give what the flow goes on with."""
    return text


@durable
def handler(text: str, ctx: Context) -> Flow[str]:
    """Catch the failure of a child, and go on."""
    try:
        yield from ctx.child("charge", charge)
    except ChildContextFailed:
        return (yield from ctx.step(recover, text))
    return "charged"
