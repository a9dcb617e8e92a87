"""What a run asks of its execution, wherever that lives: in this process or on AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from durable_gen.testing._tree import Event, tree, walk

Sent = Sequence[Sequence[Mapping[str, Any]]]


class Execution(Protocol):
    """One execution, and what carries it on."""

    @property
    def arn(self) -> str:
        """Its ARN."""

    @property
    def client(self) -> Any:
        """A botocore client for Lambda, or what has its methods for durable executions."""

    def events(self) -> Sequence[Event]:
        """Give its history, oldest event first, in botocore's shape."""

    def sent(self) -> Sent | None:
        """Give the updates of each of its checkpoints; None where they cannot be seen."""

    def now(self) -> datetime:
        """Tell its time."""

    def go_on(self, until: str | datetime | None) -> None:
        """Go on until it is over, or nothing but a test can bring it further.

        Args:
            until: the path of an operation, to stop when it is waited for; or an instant.

        Raises:
            LookupError: it ended, and the operation was never waited for.
        """

    def other(self, arn: str) -> Execution:
        """Give an execution that this one has invoked.

        Args:
            arn: its ARN.
        """

    def notes(self) -> Sequence[str]:
        """Say what a reader of it may want to know besides: lines."""


def missed(status: str, events: Sequence[Event], path: str) -> LookupError:
    """Make the error for an execution that ended, or rests, before an operation was waited for."""
    known = ", ".join(one.path for one in walk(tree(events))) or "none"
    msg = f"the execution is {status} and {path!r} was never waited for; there are: {known}"
    return LookupError(msg)
