"""What a run asks of its execution, wherever that lives: in this process or on AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from durable_gen.testing._tree import Event

Sent = Sequence[Sequence[Mapping[str, Any]]]


class Execution(Protocol):
    """One execution, and what carries it on.

    Attributes:
        arn: its ARN.
        client: a botocore client for Lambda, or what has its methods for durable executions.
    """

    arn: str
    client: Any

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
