"""When a fan-out is over: how many branches must succeed, and how many may fail."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from attrs import frozen

from durable_gen import _check
from durable_gen.errors import UsageError


class Reason(StrEnum):
    """Why a fan-out was over."""

    ALL_COMPLETED = "ALL_COMPLETED"
    MIN_SUCCESSFUL_REACHED = "MIN_SUCCESSFUL_REACHED"
    FAILURE_TOLERANCE_EXCEEDED = "FAILURE_TOLERANCE_EXCEEDED"
    PREDICATE_SATISFIED = "PREDICATE_SATISFIED"


@frozen
class Progress:
    """How far a fan-out is: what a completion predicate is given.

    Attributes:
        succeeded: branches that ended with a value.
        failed: branches that ended with an error.
        total: all branches.
    """

    succeeded: int
    failed: int
    total: int

    @property
    def completed(self) -> int:
        """Branches that ended either way."""
        return self.succeeded + self.failed


@frozen(kw_only=True)
class Completion:
    """When a fan-out is over before all its branches are. By default none of this: all run.

    Args:
        min_successful: over as soon as this many succeeded.
        tolerated_failures: over as soon as more than this many failed.
        tolerated_percentage: over as soon as more than this share failed, from 0 to 100.
        predicate: over as soon as this says so of the `Progress`; it must be a pure function.

    Raises:
        UsageError: a number is out of range.
    """

    min_successful: int | None = None
    tolerated_failures: int | None = None
    tolerated_percentage: float | None = None
    predicate: Callable[[Progress], bool] | None = None

    def __attrs_post_init__(self) -> None:
        if self.min_successful is not None:
            _check.whole("Completion(min_successful=...)", self.min_successful)
        if self.tolerated_failures is not None:
            _check.whole("Completion(tolerated_failures=...)", self.tolerated_failures, 0)
        share = self.tolerated_percentage
        number = isinstance(share, int | float) and not isinstance(share, bool)
        if share is not None and not (number and 0 <= share <= 100):
            msg = f"Completion(tolerated_percentage=...) must be from 0 to 100, not {share!r:.80}"
            raise UsageError(msg)
        if self.predicate is not None:
            _check.function("Completion(predicate=...)", self.predicate)


def over(completion: Completion, progress: Progress) -> Reason | None:
    """Decide whether a fan-out is over, and why.

    Failures beyond what is tolerated come first, then the predicate, then that all are done, then
    that enough succeeded.
    """
    failed, total = progress.failed, progress.total
    if completion.tolerated_failures is not None and failed > completion.tolerated_failures:
        return Reason.FAILURE_TOLERANCE_EXCEEDED
    share = completion.tolerated_percentage
    if share is not None and total and failed * 100 > share * total:
        return Reason.FAILURE_TOLERANCE_EXCEEDED
    if completion.predicate is not None and completion.predicate(progress):
        return Reason.PREDICATE_SATISFIED
    if progress.completed == total:
        return Reason.ALL_COMPLETED
    least = completion.min_successful
    if least is not None and progress.succeeded >= least:
        return Reason.MIN_SUCCESSFUL_REACHED
    return None
