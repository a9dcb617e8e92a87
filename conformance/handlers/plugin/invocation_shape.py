"""Requirement 10-19."""

from durable_gen import Context, Flow, durable
from durable_gen.plugins import InvocationEnd, InvocationStart
from plugin.records import invocation, say


class Shape:
    """Says all that is told of an invocation."""

    def on_invocation_start(self, info: InvocationStart) -> None:
        """Say all that is told at its start."""
        updated = len(info.updated)
        members = invocation(info)
        say(info.execution_arn, "invocation-start", **members, updatedOperationsCount=updated)

    def on_invocation_end(self, info: InvocationEnd) -> None:
        """Say all that is told at its end."""
        say(
            info.execution_arn,
            "invocation-end",
            **invocation(info),
            status=info.status,
            terminal=info.status in ("SUCCEEDED", "FAILED"),
            executionError=info.error and info.error.message,
        )


@durable(plugins=[Shape()])
def handler(text: str, ctx: Context) -> Flow[str]:
    """Wait two seconds, in two invocations."""
    yield from ctx.wait("pause", seconds=2)
    return f"done-{text}"
