"""Requirement 7-7."""

from typing import Any

from durable_gen import Context, Flow, Retry, durable

RETRY = Retry(max_attempts=2, initial=1, jitter="none")


def ask(_callback_id: str) -> None:
    """Fail to tell anybody."""
    msg = "nobody is there"
    raise ConnectionError(msg)


@durable
def handler(name: str, ctx: Context) -> Flow[Any]:
    """Fail when nobody can be asked, at two attempts."""
    return (yield from ctx.wait_for_callback(name, ask, retry=RETRY))
