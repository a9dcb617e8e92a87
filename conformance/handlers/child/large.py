"""Requirement 3-11."""

import logging

from durable_gen import Context, Flow, durable

LOGGER = logging.getLogger(__name__)


def same(text: str) -> str:
    """Give back what it is given."""
    return text


def work(ctx: Context, text: str) -> Flow[str]:
    """Make a large value of a small one; say so each time that it is made."""
    LOGGER.info(text, extra={"executionArn": ctx.execution_arn})
    once = yield from ctx.step(same, text)
    return once * 40_000


@durable
def handler(text: str, ctx: Context) -> Flow[int]:
    """Make a child's value again from its steps, since it is too large to be kept."""
    value = yield from ctx.child("work", work, text)
    yield from ctx.wait("pause", seconds=1)
    return len(value)
