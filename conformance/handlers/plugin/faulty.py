"""Requirement 10-4."""

from typing import NoReturn

from durable_gen import Context, Flow, durable
from durable_gen.plugins import AttemptInfo, InvocationEnd, InvocationStart, OperationInfo
from plugin.records import say


def refuse(arn: str, hook: str) -> NoReturn:
    """Say that a hook was called, and raise."""
    say(arn, hook, plugin="CONFPLUGIN-FAULTY")
    msg = f"{hook} does not work"
    raise RuntimeError(msg)


class Faulty:
    """Raises in every hook."""

    def on_invocation_start(self, info: InvocationStart) -> None:
        """Raise."""
        refuse(info.execution_arn, "invocation-start")

    def on_invocation_end(self, info: InvocationEnd) -> None:
        """Raise."""
        refuse(info.execution_arn, "invocation-end")

    def on_operation_start(self, info: OperationInfo) -> None:
        """Raise."""
        refuse(info.execution_arn, "operation-start")

    def on_operation_end(self, info: OperationInfo) -> None:
        """Raise."""
        refuse(info.execution_arn, "operation-end")

    def on_attempt_start(self, info: AttemptInfo) -> None:
        """Raise."""
        refuse(info.operation.execution_arn, "attempt-start")

    def on_attempt_end(self, info: AttemptInfo) -> None:
        """Raise."""
        refuse(info.operation.execution_arn, "attempt-end")


def greet(name: str) -> str:
    """Greet somebody."""
    return f"Hello, {name}!"


@durable(plugins=[Faulty()])
def handler(name: str, ctx: Context) -> Flow[str]:
    """Run one step as if no plugin had raised."""
    return (yield from ctx.step(greet, name))
