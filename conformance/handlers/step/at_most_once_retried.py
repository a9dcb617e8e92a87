"""Requirement 1-18."""

import logging
import os

from durable_gen import Context, Flow, Retry, Semantics, current_step, durable

LOGGER = logging.getLogger(__name__)


def crash(text: str) -> str:
    """Say something, and at the first attempt take the process down."""
    step = current_step()
    LOGGER.info(text, extra={"executionArn": step.execution_arn})
    if step.attempt == 1:
        os._exit(1)
    return "succeeded on second attempt"


@durable
def handler(text: str, ctx: Context) -> Flow[str]:
    """Make another attempt of a step that was cut off, because its policy says so."""
    once = Semantics.AT_MOST_ONCE
    return (yield from ctx.step(crash, text, semantics=once, retry=Retry(initial=1)))
