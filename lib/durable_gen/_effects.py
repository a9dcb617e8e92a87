"""What the kernel asks of whoever drives it: Calls, Flush, Idle, Park or Done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from attrs import define, field, frozen

from durable_gen._model import Update
from durable_gen._outcome import Outcome


@frozen
class StepInfo:
    """What a running step may know of itself.

    Attributes:
        name: the step's name.
        path: its name with those of the contexts around it.
        operation_id: its id in the log.
        attempt: the attempt that runs, from 1.
        execution_arn: the execution's ARN.
        parent_id: the id of the context that it is in; None at the root.
    """

    name: str | None
    path: str
    operation_id: str
    attempt: int
    execution_arn: str
    parent_id: str | None = None

    @property
    def idempotency_key(self) -> str:
        """A key that is the same for every attempt of this step and for no other step."""
        return f"{self.execution_arn.rpartition('/')[2]}-{self.operation_id}"


# The step that runs here, if one does: a step makes no operations.
running: ContextVar[StepInfo | None] = ContextVar("durable_gen_step", default=None)


@define(eq=False)
class Call:
    """A function of the user's to run.

    Attributes:
        task: whose call it is; hand the call back to `Kernel.resolve`.
        fn: the function, perhaps `async def`.
        args: its arguments.
        timeout: seconds after which it is given up.
        info: what it may know of itself.
        context: the context variables that it runs with, once it is begun.
    """

    task: Any = field(repr=False)
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    timeout: float | None
    info: StepInfo
    context: Any = field(default=None, repr=False)


@frozen
class Calls:
    """Run these calls; each ends with `Kernel.resolve`.

    Attributes:
        calls: the calls.
        alone: whether it is one call without a timeout, and nothing else can go on before it ends.
    """

    calls: Sequence[Call]
    alone: bool


@frozen
class Flush:
    """Send these updates; then `Kernel.absorb` the answer."""

    updates: Sequence[Update]


@frozen
class Idle:
    """Wait for a call in flight to end.

    Attributes:
        until: when a timer of the service's is due; then `Kernel.refresh`.
    """

    until: datetime | None


@frozen
class Park:
    """Nothing can run until the service calls again."""


@frozen
class Done:
    """The workflow has ended."""

    outcome: Outcome


Effect = Calls | Flush | Idle | Park | Done
