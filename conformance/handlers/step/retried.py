"""Requirement 1-11."""

from durable_gen import Context, Flow, Retry, current_step, durable


def unreliable() -> str:
    """Fail at the first attempt."""
    if current_step().attempt == 1:
        msg = "not yet"
        raise ConnectionError(msg)
    return "Operation succeeded"


@durable
def handler(_event: None, ctx: Context) -> Flow[str]:
    """Try a step again that failed."""
    return (yield from ctx.step(unreliable, retry=Retry(initial=1)))
