"""Requirement 1-17."""

import logging
import os

from durable_gen import Context, Flow, Semantics, current_step, durable

LOGGER = logging.getLogger(__name__)


def crash(text: str) -> None:
    """Say something, and take the process down."""
    LOGGER.info(text, extra={"executionArn": current_step().execution_arn})
    os._exit(1)


@durable
def handler(text: str, ctx: Context) -> Flow[None]:
    """Do not run a step again that was cut off."""
    once = Semantics.AT_MOST_ONCE
    yield from ctx.step("at_most_once_flaky_step", crash, text, semantics=once)
