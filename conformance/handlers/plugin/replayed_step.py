"""Requirement 10-13."""

from durable_gen import Context, Flow, Retry, current_step, durable
from durable_gen.plugins import OperationInfo
from plugin.records import say


class Steps:
    """Says when a step is come to, whether an earlier invocation had, and when it is over."""

    def on_operation_start(self, info: OperationInfo) -> None:
        """Say which step it is."""
        if info.type == "STEP":
            say(info.execution_arn, "operation-start", op=info.id, replay=info.is_replay)

    def on_operation_end(self, info: OperationInfo) -> None:
        """Say how it ended."""
        if info.type == "STEP":
            say(info.execution_arn, "operation-end", op=info.id, status=info.status)


def reliable() -> str:
    """Succeed at once."""
    return "done"


def unreliable() -> str:
    """Fail at the first attempt."""
    if current_step().attempt == 1:
        msg = "not yet"
        raise ConnectionError(msg)
    return "Operation succeeded"


@durable(plugins=[Steps()])
def handler(_event: None, ctx: Context) -> Flow[str]:
    """Be told of a step again that is not over, and of none that is."""
    yield from ctx.step("a", reliable)
    return (yield from ctx.step("b", unreliable, retry=Retry(initial=1)))
