"""Requirement 10-21."""

from durable_gen import Context, Flow, Retry, current_step, durable
from durable_gen.plugins import AttemptInfo
from plugin.records import ran, say


class Shape:
    """Says all that is told of an attempt."""

    def on_attempt_start(self, info: AttemptInfo) -> None:
        """Say all that is told at its start."""
        arn = info.operation.execution_arn
        say(arn, "attempt-start", **ran(info), attempt=info.attempt)

    def on_attempt_end(self, info: AttemptInfo) -> None:
        """Say all that is told at its end."""
        arn = info.operation.execution_arn
        say(arn, "attempt-end", **ran(info), attempt=info.attempt)


def unreliable() -> str:
    """Fail at the first attempt."""
    if current_step().attempt == 1:
        msg = "not yet"
        raise ConnectionError(msg)
    return "ok"


@durable(plugins=[Shape()])
def handler(_event: None, ctx: Context) -> Flow[str]:
    """Try a step again that failed."""
    return (yield from ctx.step("flaky", unreliable, retry=Retry(initial=1)))
