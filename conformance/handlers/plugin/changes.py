"""Requirement 10-8."""

from durable_gen import Context, Flow, durable
from durable_gen.plugins import OperationChange
from plugin.records import of_type, say


class Changes:
    """Says which steps have changed."""

    def on_operation_change(self, info: OperationChange) -> None:
        """Say how far each of them is."""
        for op in of_type(info.updated.values(), "STEP"):
            known = op.id in info.operations
            say(
                info.execution_arn,
                "operation-change",
                op=op.id,
                status=op.status,
                in_full_map=known,
            )


def greet(name: str) -> str:
    """Greet somebody."""
    return f"Hello, {name}!"


@durable(plugins=[Changes()])
def handler(name: str, ctx: Context) -> Flow[str]:
    """Run one step, its end told as a change."""
    return (yield from ctx.step(greet, name))
