"""Requirement 10-3."""

from durable_gen import Context, Flow, Retry, current_step, durable
from durable_gen.plugins import AttemptInfo
from plugin.records import say


class Attempts:
    """Says when an attempt of a step begins and has ended."""

    def on_attempt_start(self, info: AttemptInfo) -> None:
        """Say which attempt it is."""
        op = info.operation
        say(op.execution_arn, "attempt-start", n=info.attempt, op=op.id)

    def on_attempt_end(self, info: AttemptInfo) -> None:
        """Say how it ended."""
        op = info.operation
        say(op.execution_arn, "attempt-end", n=info.attempt, outcome=info.outcome, op=op.id)


def unreliable() -> str:
    """Fail at the first attempt."""
    if current_step().attempt == 1:
        msg = "not yet"
        raise ConnectionError(msg)
    return "Operation succeeded"


@durable(plugins=[Attempts()])
def handler(_event: None, ctx: Context) -> Flow[str]:
    """Try a step again that failed, each attempt told of."""
    return (yield from ctx.step(unreliable, retry=Retry(initial=1)))
