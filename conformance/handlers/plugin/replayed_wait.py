"""Requirement 10-18."""

from durable_gen import Context, Flow, durable
from durable_gen.plugins import OperationInfo
from plugin.records import say


class Waits:
    """Says when a wait is come to, whether an earlier invocation had, and when it is over."""

    def on_operation_start(self, info: OperationInfo) -> None:
        """Say which wait it is."""
        if info.type == "WAIT":
            say(
                info.execution_arn,
                "operation-start",
                type=info.type,
                name=info.name,
                replay=info.is_replay,
                pending=info.ended is None,
            )

    def on_operation_end(self, info: OperationInfo) -> None:
        """Say how it ended."""
        if info.type == "WAIT":
            arn, status = info.execution_arn, info.status
            say(arn, "operation-end", type=info.type, name=info.name, status=status)


def short(ctx: Context) -> Flow[str]:
    """Wait two seconds."""
    yield from ctx.wait("short", seconds=2)
    return "short-done"


def long(ctx: Context) -> Flow[str]:
    """Wait eight seconds."""
    yield from ctx.wait("long", seconds=8)
    return "long-done"


@durable(plugins=[Waits()])
def handler(_event: None, ctx: Context) -> Flow[list[str]]:
    """Be told again of a wait that still runs when another one has ended."""
    batch = yield from ctx.parallel("waits", [short, long], max_concurrency=2)
    return batch.values
