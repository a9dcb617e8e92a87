"""Requirement 1-12."""

from durable_gen import Context, Flow, Retry, durable

RETRY = Retry(max_attempts=4, initial=1, backoff=1, jitter="none")


def fail() -> None:
    """Fail at every attempt."""
    msg = "never"
    raise ConnectionError(msg)


@durable
def handler(_event: None, ctx: Context) -> Flow[None]:
    """Give a step up after its fourth attempt."""
    yield from ctx.step(fail, retry=RETRY)
