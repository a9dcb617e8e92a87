"""Requirement 10-2."""

from durable_gen import Context, Flow, durable
from durable_gen.plugins import OperationInfo
from plugin.records import say


class Steps:
    """Says when a step begins and is over."""

    def on_operation_start(self, info: OperationInfo) -> None:
        """Say which step it is."""
        if info.type == "STEP":
            say(info.execution_arn, "operation-start", op=info.id)

    def on_operation_end(self, info: OperationInfo) -> None:
        """Say how it ended."""
        if info.type == "STEP":
            say(info.execution_arn, "operation-end", op=info.id, status=info.status)


def greet(name: str) -> str:
    """Greet somebody."""
    return f"Hello, {name}!"


@durable(plugins=[Steps()])
def handler(name: str, ctx: Context) -> Flow[str]:
    """Run one step, told of once at either end."""
    return (yield from ctx.step(greet, name))
