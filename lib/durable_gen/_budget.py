"""What an execution uses of what the service allows, and when that is worth a warning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, inf
from typing import Any

from attrs import Attribute, define, field, frozen

from durable_gen import _check
from durable_gen._log import Log
from durable_gen._model import MAX_PAYLOAD
from durable_gen.errors import UsageError

MAX_OPERATIONS = 30_000  # of one execution (AWS's JavaScript SDK: the service's quota)


def _shares(_: Budget, attribute: Attribute[Any], value: Sequence[float]) -> None:
    what = f"Budget({attribute.name}=...)"
    for share in value:
        number = isinstance(share, int | float) and not isinstance(share, bool)
        if not number or not 0 < share <= 1:
            msg = (
                f"{what} must be shares above 0 and up to 1, such as (0.5, 0.8), not {share!r:.80}"
            )
            raise UsageError(msg)


def _tuple(value: Sequence[float]) -> tuple[float, ...]:
    if isinstance(value, int | float):
        value = (value,)
    return tuple(sorted(value))


@frozen
class Budget:
    """When to warn that an execution comes near to what the service allows.

    Each warning is one record of the logger `durable_gen.budget` and one call of the plugins' hook
    `on_budget_warning`, when a share is passed for the first time.

    Args:
        max_operations: operations that an execution may have; by default 30,000, the number in a
            comment of AWS's JavaScript SDK: your account's quota may differ.
        operations: the shares of it to warn at.
        payloads: the shares of 1 MiB, which one operation's payload may take, to warn at.

    Raises:
        UsageError: a share is not above 0 and up to 1.
    """

    max_operations: int = MAX_OPERATIONS
    operations: Sequence[float] = field(
        default=(0.5, 0.8, 0.95), converter=_tuple, validator=_shares
    )
    payloads: Sequence[float] = field(default=(0.8,), converter=_tuple, validator=_shares)

    def __attrs_post_init__(self) -> None:
        _check.whole("Budget(max_operations=...)", self.max_operations)


@frozen
class Usage:
    """What an execution has used, as far as this invocation knows.

    Attributes:
        operations: how many it has. Those in finished contexts are known only to the invocation
            that ran them: the service does not show them again.
        max_operations: how many it may have.
        replayed: how many this invocation found in the log.
        calls: calls of the service's API that this invocation made, repetitions too.
        bytes: what this invocation sent in checkpoints, encoded.
        largest: bytes of the largest payload among that.
    """

    operations: int
    max_operations: int
    replayed: int
    calls: int
    bytes: int
    largest: int


@define
class Meter:
    """Counts what one invocation uses.

    Attributes:
        budget: when to warn.
        calls: calls of the service's API.
        bytes: what was sent in checkpoints, encoded.
        largest: bytes of the largest payload.
        least: bytes of a payload from which on it is worth a warning.
        marks: by the number of the operation that passes it, the share that is passed.
    """

    budget: Budget = field(factory=Budget)
    calls: int = 0
    bytes: int = 0
    largest: int = 0
    least: float = field(init=False)
    marks: Mapping[int, float] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.least = min(self.budget.payloads, default=inf) * MAX_PAYLOAD
        self.marks = {
            ceil(share * self.budget.max_operations): share for share in self.budget.operations
        }

    def usage(self, log: Log) -> Usage:
        """Say what has been used so far, by the log as it is now."""
        return Usage(
            operations=len(log.records) + log.deadlines,
            max_operations=self.budget.max_operations,
            replayed=max(0, log.before - len(log.unread)),
            calls=self.calls,
            bytes=self.bytes,
            largest=self.largest,
        )

    def operations(self, count: int) -> float | None:
        """Say which share of the operations is passed by the last of so many, if one is."""
        return self.marks.get(count)

    def payload(self, size: int) -> float | None:
        """Note the size of a payload; say the highest share of what one may take that it passes."""
        self.largest = max(self.largest, size)
        if size < self.least:
            return None
        return max(share for share in self.budget.payloads if share * MAX_PAYLOAD <= size)
