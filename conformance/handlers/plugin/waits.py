"""Requirement 10-10."""

from durable_gen import Context, Flow, durable
from durable_gen.plugins import OperationInfo
from plugin.records import say


class Waits:
    """Says when a wait begins and is over."""

    def on_operation_start(self, info: OperationInfo) -> None:
        """Say which wait it is."""
        if info.type == "WAIT":
            say(info.execution_arn, "operation-start", op=info.id, type=info.type)

    def on_operation_end(self, info: OperationInfo) -> None:
        """Say how it ended."""
        if info.type == "WAIT":
            arn, status = info.execution_arn, info.status
            say(arn, "operation-end", op=info.id, type=info.type, status=status)


@durable(plugins=[Waits()])
def handler(_event: None, ctx: Context) -> Flow[None]:
    """Wait two seconds, told of at either end."""
    yield from ctx.wait("pause", seconds=2)
