"""What an invocation is made in: the service, the time, what runs its steps, its kernel. A test puts another there."""

from __future__ import annotations

import random
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from durable_gen._effects import Call
from durable_gen._kernel import Kernel
from durable_gen._workers import Workers
from durable_gen.backends import Backend


class Stage:
    """What an invocation that is made in it meets, whatever its handler says.

    Args:
        backend: answers its calls to the service; None for the handler's own.
    """

    def __init__(self, backend: Backend | None = None) -> None:
        self.backend = backend

    def kernel(self, *args: Any, **options: Any) -> Kernel:
        """Make its kernel, of what `Kernel` takes."""
        return Kernel(*args, **options)

    def around(self, call: Call) -> None:
        """Look at a call that is about to be made; its function may be replaced."""

    def workers(self, most: int) -> Workers:
        """Make what runs its calls.

        Args:
            most: threads at most.
        """
        return Workers(most)

    def now(self) -> datetime:
        """Tell the time."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait before a call to the service is made again."""
        time.sleep(seconds)

    def draw(self) -> float:
        """Draw a number from 0 to 1 for the jitter of a retry."""
        return random.random()


staged: ContextVar[Stage] = ContextVar("durable_gen_stage", default=Stage())  # noqa: B039 - it holds nothing
