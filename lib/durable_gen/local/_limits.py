"""How much the service takes, and how patient it is."""

from __future__ import annotations

from attrs import frozen

from durable_gen.local._rules import MIB


@frozen
class Limits:
    """How much the service takes, and how patient it is.

    Attributes:
        attempts: failed invocations in a row that fail an execution; None for no limit.
        delays: seconds before each further attempt; the last one repeats.
        idlings: invocations in a row that suspend with nothing pending, and fail an execution.
        operations: how many an execution may have.
        page: bytes of a page of the state.
        retention: whether closed executions are forgotten when their days are over.
        again: seconds before an asynchronous invocation that failed is made again: the first, the
            second time.
    """

    attempts: int | None = 5
    delays: tuple[float, ...] = (1, 2, 4, 8)
    idlings: int = 3
    operations: int = 30_000
    page: int = 5 * MIB
    retention: bool = True
    again: tuple[float, float] = (60, 120)  # as Lambda's documentation has it
