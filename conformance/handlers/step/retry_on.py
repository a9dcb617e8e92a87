"""Requirement 1-15."""

from durable_gen import Context, Flow, Retry, current_step, durable


class TransientError(Exception):
    """It may pass."""


RETRY = Retry(retry_on=TransientError, initial=1, jitter="none")


def unreliable() -> str:
    """Fail at the first attempt."""
    if current_step().attempt == 1:
        msg = "not yet"
        raise TransientError(msg)
    return "succeeded"


@durable
def handler(_event: None, ctx: Context) -> Flow[str]:
    """Try a step again because of what it raised."""
    return (yield from ctx.step(unreliable, retry=RETRY))
