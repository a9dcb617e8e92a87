"""Requirement 3-7."""

from durable_gen import Context, Flow, Retry, current_step, durable


def unreliable(text: str) -> str:
    """Fail at the first attempt."""
    if current_step().attempt == 1:
        msg = "not yet"
        raise ConnectionError(msg)
    return text


def work(ctx: Context, text: str) -> Flow[str]:
    """Try a step again that failed."""
    return (yield from ctx.step(unreliable, text, retry=Retry(initial=1)))


@durable
def handler(text: str, ctx: Context) -> Flow[str]:
    """Come back into a child for the second attempt of its step."""
    return (yield from ctx.child("work", work, text))
