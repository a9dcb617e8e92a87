"""Requirement 10-9."""

from durable_gen import Context, Flow, durable
from durable_gen.plugins import InvocationStart
from plugin.records import of_type, say


class Updated:
    """Says which waits have ended since the last invocation."""

    def on_invocation_start(self, info: InvocationStart) -> None:
        """Say how each of them ended."""
        for op in of_type(info.updated.values(), "WAIT"):
            say(
                info.execution_arn,
                "updated-on-invoke",
                op=op.id,
                status=op.status,
                first=info.is_first,
            )


@durable(plugins=[Updated()])
def handler(_event: None, ctx: Context) -> Flow[None]:
    """Wait two seconds, and be told that they are over."""
    yield from ctx.wait("pause", seconds=2)
