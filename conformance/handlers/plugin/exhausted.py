"""Requirement 10-15."""

from durable_gen import Context, Flow, Retry, durable
from durable_gen.plugins import AttemptInfo, OperationInfo
from plugin.records import say


class Attempts:
    """Says when an attempt of a step begins and has ended, and when the step is over."""

    def on_attempt_start(self, info: AttemptInfo) -> None:
        """Say which attempt it is."""
        op = info.operation
        say(op.execution_arn, "attempt-start", n=info.attempt, op=op.id)

    def on_attempt_end(self, info: AttemptInfo) -> None:
        """Say how it ended."""
        op = info.operation
        say(op.execution_arn, "attempt-end", n=info.attempt, outcome=info.outcome, op=op.id)

    def on_operation_end(self, info: OperationInfo) -> None:
        """Say how the step ended."""
        if info.type == "STEP":
            say(info.execution_arn, "operation-end", op=info.id, status=info.status)


def fail() -> None:
    """Fail at every attempt."""
    msg = "never"
    raise ConnectionError(msg)


@durable(plugins=[Attempts()])
def handler(_event: None, ctx: Context) -> Flow[None]:
    """Give a step up after its second attempt."""
    yield from ctx.step(fail, retry=Retry(max_attempts=2, initial=1, jitter="none"))
