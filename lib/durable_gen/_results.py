"""What operations give that is more than a value: batches and compensations."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Generic, TypeVar

from attrs import field, frozen

from durable_gen._failure import innermost, type_name
from durable_gen._policy import Reason
from durable_gen.errors import BatchFailed, CompensationFailed

T = TypeVar("T")


class ItemStatus(StrEnum):
    """How far a branch or item was when its batch was over."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    STARTED = "STARTED"
    NOT_STARTED = "NOT_STARTED"


@frozen
class BatchItem(Generic[T]):
    """What became of one branch or item.

    Attributes:
        index: its place in the input.
        name: its name.
        status: how far it was when the batch was over.
        value: what it gave, if it succeeded.
        error: what it failed with, if it failed.
    """

    index: int
    name: str | None
    status: ItemStatus
    value: T | None = None
    error: BaseException | None = field(default=None, eq=str)


@frozen
class Batch(Generic[T]):
    """What became of a fan-out.

    Attributes:
        items: one for each branch or item, in the order of the input.
        reason: why it was over.
    """

    items: tuple[BatchItem[T], ...]
    reason: Reason
    name: str | None = field(default=None, eq=False, repr=False)

    @property
    def values(self) -> list[T]:
        """What the successful ones gave, in the order of the input."""
        succeeded = ItemStatus.SUCCEEDED
        return [item.value for item in self.items if item.status == succeeded]  # type: ignore[misc]

    @property
    def errors(self) -> list[BaseException]:
        """What the failed ones failed with, in the order of the input."""
        return [item.error for item in self.items if item.error is not None]

    def raise_if_failed(self) -> Batch[T]:
        """Raise if a branch or item failed.

        Returns:
            The batch itself.

        Raises:
            BatchFailed: with the `errors`; the first of them is its cause.
        """
        errors = self.errors
        if errors:
            raise batch_failed(self.name, len(self.items), errors)
        return self

    def __iter__(self) -> Iterator[BatchItem[T]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> BatchItem[T]:
        return self.items[index]


def batch_failed(name: str | None, total: int, errors: list[BaseException]) -> BatchFailed:
    """Make the error that says how many of a batch failed, and how the first of them did."""
    first = errors[0]
    failed = BatchFailed(name or "", type_name(type(first)), innermost(first))
    kind = type(first).__name__
    failed.told = f"{len(errors)} of {total} failed, the first with {kind}: {first}"
    failed.errors = tuple(errors)
    failed.__cause__ = first
    return failed


@frozen
class CompensationItem:
    """What became of one compensation.

    Attributes:
        name: the name of the step that it undoes.
        error: what it failed with; None when it succeeded.
    """

    name: str | None
    error: BaseException | None = field(default=None, eq=str)


@frozen
class CompensationResult:
    """What became of all compensations.

    Attributes:
        items: in the order in which they ran, the last step's first.
    """

    items: tuple[CompensationItem, ...] = ()

    @property
    def all_succeeded(self) -> bool:
        """Whether none failed."""
        return all(item.error is None for item in self.items)

    def raise_if_failed(self) -> CompensationResult:
        """Raise if a compensation failed.

        Returns:
            The result itself.

        Raises:
            CompensationFailed: with this result; the first error is its cause.
        """
        failed = [item for item in self.items if item.error is not None]
        if failed:
            first, cause = failed[0], failed[0].error
            assert cause is not None
            error = CompensationFailed(first.name or "", type_name(type(cause)), innermost(cause))
            error.result = self
            error.__cause__ = cause
            raise error
        return self
