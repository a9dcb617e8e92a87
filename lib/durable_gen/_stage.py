"""The seam for tests: who answers a workflow's calls to the service, and what happens around its steps."""

from __future__ import annotations

import random
from contextvars import ContextVar
from datetime import UTC, datetime

from durable_gen._effects import Call
from durable_gen._workers import Workers
from durable_gen.backends import Backend


class Stage:
    """What an invocation that is made in it meets, whatever its handler says.

    Args:
        backend: answers its calls to the service.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def around(self, call: Call) -> None:
        """Look at a call that is about to be made; its function may be replaced."""

    def now(self) -> datetime:
        """Tell the time that the invocation lives in."""
        return datetime.now(UTC)

    def draw(self) -> float:
        """Draw what the jitter of a delay is made of, from 0 to 1."""
        return random.random()

    def workers(self, most: int) -> Workers:
        """Make what runs its calls.

        Args:
            most: threads at most.
        """
        return Workers(most)


staged: ContextVar[Stage | None] = ContextVar("durable_gen_stage", default=None)
