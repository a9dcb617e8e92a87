"""Requirement 10-1."""

import logging

from durable_gen import Context, Flow, current_step, durable
from durable_gen.plugins import InvocationEnd, InvocationStart
from plugin.records import say

LOGGER = logging.getLogger(__name__)


class Invocations:
    """Says when an invocation begins and has ended."""

    def on_invocation_start(self, info: InvocationStart) -> None:
        """Say whether it is the first one."""
        say(info.execution_arn, "invocation-start", first=info.is_first)

    def on_invocation_end(self, info: InvocationEnd) -> None:
        """Say how it ended."""
        say(info.execution_arn, "invocation-end", status=info.status)


def greet(name: str) -> str:
    """Greet somebody, and say so."""
    arn = current_step().execution_arn
    LOGGER.info("Greeting step running for: %s", name, extra={"executionArn": arn})
    return f"Hello, {name}!"


@durable(plugins=[Invocations()])
def handler(name: str, ctx: Context) -> Flow[str]:
    """Run one step between the hooks of its invocation."""
    return (yield from ctx.step(greet, name))
