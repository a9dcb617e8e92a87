"""What a test holds of an execution: how it stands, what it did, and how it goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen

from durable_gen._failure import rebuild
from durable_gen._model import ErrorObject
from durable_gen.errors import OperationFailed, UsageError
from durable_gen.testing._draw import drawn
from durable_gen.testing._play import Play
from durable_gen.testing._script import Fails
from durable_gen.testing._tree import Operation, find, parsed, tree, walk


@frozen
class Invocation:
    """One invocation of the function.

    Attributes:
        number: from 1.
        started: when it began.
        ended: when it ended.
        error: what it failed with; None when it did not.
        request_id: Lambda's id of it.
    """

    number: int
    started: datetime
    ended: datetime
    error: ErrorObject | None
    request_id: str


class Run:
    """One execution of a workflow."""

    def __init__(self, play: Play) -> None:
        self._play = play

    # --- how it stands ---------------------------------------------------------------------------

    @property
    def arn(self) -> str:
        """The execution's ARN."""
        return self._play.arn

    @property
    def status(self) -> str:
        """RUNNING, SUCCEEDED, FAILED, TIMED_OUT, STOPPED, PAUSING or PAUSED."""
        return self._play.service.status(self.arn)

    @property
    def result(self) -> Any:
        """What the workflow returned.

        Raises:
            BaseException: what it failed with.
            UsageError: it is not over; the text says what it waits for.
        """
        if self.status == "SUCCEEDED":
            return parsed(self._play.service.describe(self.arn).get("Result"))
        error = self.error
        if error is not None:
            raise error
        waiting = [one.path for one in self if one.ended is None and not one.children]
        msg = (
            f"the execution is {self.status} and has no result; it waits for: "
            f"{', '.join(waiting) or 'nothing'}\n{self}"
        )
        raise UsageError(msg)

    @property
    def error(self) -> BaseException | None:
        """What the execution failed with, an exception; None when it did not.

        Classes under `@durable_error` and those of this library are themselves; anything else is
        an `OperationFailed` with `error_type`, `message`, `data` and `stack_trace`.
        """
        found = self._play.service.describe(self.arn)
        if found["Status"] in {"RUNNING", "PAUSING", "PAUSED", "SUCCEEDED"}:
            return None
        recorded = ErrorObject.from_wire(found.get("Error") or {"ErrorType": found["Status"]})
        name = found["DurableExecutionName"]
        return rebuild(recorded, OperationFailed, name, (OperationFailed,))

    @property
    def operations(self) -> list[Operation]:
        """The operations of the handler, each with those that are inside it."""
        return tree(self._play.events)

    def __getitem__(self, path: str) -> Operation:
        """Find an operation by its path, as `payment/charge`; `ship#2` is the second of a name."""
        return find(self.operations, path)

    def __iter__(self) -> Iterator[Operation]:
        """List all operations, outer ones first."""
        return walk(self.operations)

    @property
    def history(self) -> Sequence[Mapping[str, Any]]:
        """The service's events, oldest first, in botocore's shape."""
        return tuple(self._play.events)

    @property
    def updates(self) -> Sequence[Mapping[str, Any]]:
        """Every update that the workflow sent, in botocore's shape."""
        return [update for sent in self._play.recorder.sent for update in sent]

    @property
    def checkpoints(self) -> Sequence[Sequence[Mapping[str, Any]]]:
        """The updates of each checkpoint."""
        return tuple(self._play.recorder.sent)

    @property
    def invocations(self) -> Sequence[Invocation]:
        """The invocations that have ended."""
        found: list[Invocation] = []
        for event in self._play.events:
            details = event.get("InvocationCompletedDetails")
            if details is None:
                continue
            raw = (details.get("Error") or {}).get("Payload")
            error = ErrorObject.from_wire(raw) if raw else None
            times = details["StartTimestamp"], details["EndTimestamp"]
            found.append(Invocation(len(found) + 1, *times, error, details["RequestId"]))
        return found

    @property
    def started(self) -> datetime:
        """When it was started, in its own time."""
        started: datetime = self._play.events[0]["EventTimestamp"]
        return started

    @property
    def now(self) -> datetime:
        """Its own time."""
        return self._play.service.now()

    @property
    def duration(self) -> timedelta:
        """How long it has taken, in its own time."""
        latest: datetime = self._play.events[-1]["EventTimestamp"]
        return latest - self.started

    def __str__(self) -> str:
        return drawn(self)

    def __repr__(self) -> str:
        return f"<run of {self.arn.split(':')[6]}: {self.status}>"

    # --- how it goes on --------------------------------------------------------------------------

    def go_on(self, until: str | datetime | None = None) -> Run:
        """Go on until the execution is over, or nothing but a test can bring it further.

        Args:
            until: the path of an operation, to stop when it is waited for; or an instant.

        Raises:
            LookupError: the execution ended, and the operation was never waited for.
        """
        self._play.go_on(until)
        return self

    def answer(self, path: str, value: Any = None) -> Run:
        """Answer an open callback. The workflow hears of it when it goes on.

        Args:
            path: the callback's.
            value: what with: JSON, an `Answer` or `Fails`.

        Raises:
            LookupError: no such callback is open.
        """
        self._play.send(self._play.pending(path).callback_id, value)
        return self

    def fail(self, path: str, message: str = "it failed", type: str = "CallbackError") -> Run:  # noqa: A002 - the wire's word
        """Answer an open callback with a failure.

        Args:
            path: the callback's.
            message: what is said of it.
            type: the class of the error, in words.
        """
        return self.answer(path, Fails(message, type))

    def heartbeat(self, path: str) -> Run:
        """Send a heartbeat to an open callback.

        Args:
            path: the callback's.
        """
        id_ = self._play.pending(path).callback_id
        self._play.service.client.send_durable_execution_callback_heartbeat(CallbackId=id_)
        return self

    def advance(
        self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> Run:
        """Go on for a span of the execution's time, and stop there.

        Args:
            seconds: how long; added to the other units.
            minutes: how long.
            hours: how long.
            days: how long.
        """
        span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        return self.go_on(self.now + span)

    def stop(self, message: str = "stopped") -> Run:
        """Stop the execution, as an operator does.

        Args:
            message: why.
        """
        self._play.service.client.stop_durable_execution(
            DurableExecutionArn=self.arn, Error={"ErrorMessage": message}
        )
        return self
