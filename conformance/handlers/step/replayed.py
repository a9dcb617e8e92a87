"""Requirement 1-9."""

import logging

from durable_gen import Context, Flow, current_step, durable

LOGGER = logging.getLogger(__name__)


def compute() -> str:
    """Say that it runs: once, however often the flow does."""
    LOGGER.info("step executed", extra={"executionArn": current_step().execution_arn})
    return "cached_value"


@durable
def handler(_event: None, ctx: Context) -> Flow[str]:
    """Do not run a step again when the flow is replayed."""
    value = yield from ctx.step(compute)
    yield from ctx.wait("pause", seconds=1)
    return value
