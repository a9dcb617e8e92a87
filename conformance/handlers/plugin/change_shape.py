"""Requirement 10-22."""

from durable_gen import Context, Flow, durable
from durable_gen.plugins import OperationChange
from plugin.records import of_type, operation, say


class Shape:
    """Says all that is told of a change."""

    def on_operation_change(self, info: OperationChange) -> None:
        """Say all of each step that changed."""
        for op in of_type(info.updated.values(), "STEP"):
            say(
                info.execution_arn,
                "operation-change",
                executionArn=info.execution_arn,
                updatedOperationsCount=len(info.updated),
                operationsCount=len(info.operations),
                inFullMap=op.id in info.operations,
                **operation(op),
            )


@durable(plugins=[Shape()])
def handler(_event: None, ctx: Context) -> Flow[str]:
    """Run one step."""
    return (yield from ctx.step("greet", lambda: "task-a"))
