"""Requirement 10-23."""

from durable_gen import Context, Flow, durable
from durable_gen.plugins import FunctionInfo, OperationInfo
from plugin.records import operation, ran, say


class Shape:
    """Says all that is told of a context, and of its flow."""

    def on_operation_start(self, info: OperationInfo) -> None:
        """Say all that is told of the context at its start."""
        if info.type == "CONTEXT":
            say(info.execution_arn, "operation-start", **operation(info))

    def on_function_start(self, info: FunctionInfo) -> None:
        """Say all that is told of its flow at its start."""
        arn, again = info.operation.execution_arn, info.is_replaying_children
        say(arn, "fn-start", **ran(info), isReplayingChildren=again)


def first(ctx: Context) -> Flow[str]:
    """Run one step, and wait."""
    yield from ctx.step("inner", lambda: "x")
    yield from ctx.wait("pause", seconds=2)
    return "a-done"


@durable(plugins=[Shape()])
def handler(_event: None, ctx: Context) -> Flow[list[str]]:
    """Run a branch in two invocations, and one after it in one."""
    branches = {"branch-a": first, "branch-b": lambda _: "b-done"}
    batch = yield from ctx.parallel("ctx", branches, max_concurrency=1)
    return batch.values
