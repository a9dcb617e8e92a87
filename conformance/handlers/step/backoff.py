"""Requirement 1-14."""

from durable_gen import Context, Flow, Retry, current_step, durable

RETRY = Retry(max_attempts=5, initial=2, backoff=3, jitter="none")


def unreliable() -> int:
    """Fail at the first two attempts."""
    attempt = current_step().attempt
    if attempt < 3:
        msg = "not yet"
        raise ConnectionError(msg)
    return attempt


@durable
def handler(_event: None, ctx: Context) -> Flow[int]:
    """Try a step again after 2 seconds, then after 6."""
    return (yield from ctx.step(unreliable, retry=RETRY))
