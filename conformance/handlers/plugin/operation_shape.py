"""Requirement 10-20."""

from durable_gen import Context, Flow, durable
from durable_gen.plugins import OperationInfo
from plugin.records import operation, say


class Shape:
    """Says all that is told of a step."""

    def on_operation_start(self, info: OperationInfo) -> None:
        """Say all that is told at its start."""
        if info.type == "STEP":
            say(info.execution_arn, "operation-start", **operation(info))

    def on_operation_end(self, info: OperationInfo) -> None:
        """Say all that is told at its end."""
        if info.type == "STEP":
            say(info.execution_arn, "operation-end", **operation(info))


@durable(plugins=[Shape()])
def handler(_event: None, ctx: Context) -> Flow[str]:
    """Run one step."""
    return (yield from ctx.step("greet", lambda: "task-a"))
