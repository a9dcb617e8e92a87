"""Requirement 1-16."""

from durable_gen import Context, Flow, Retry, durable


class TransientError(Exception):
    """It may pass, but this step does not care."""


RETRY = Retry(retry_if=lambda error: not isinstance(error, TransientError))


def fail() -> None:
    """Fail in the way that is not tried again."""
    msg = "not yet"
    raise TransientError(msg)


@durable
def handler(_event: None, ctx: Context) -> Flow[None]:
    """Do not try a step again because of what it raised."""
    yield from ctx.step(fail, retry=RETRY)
