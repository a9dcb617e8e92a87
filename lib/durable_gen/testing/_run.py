"""What a test holds of an execution that it carries on: it looks, answers and goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from durable_gen.errors import UsageError
from durable_gen.testing._cues import send
from durable_gen.testing._execution import Execution, Sent
from durable_gen.testing._history import History
from durable_gen.testing._script import Fails, matches
from durable_gen.testing._tree import Event, Operation, named


class Run(History):
    """One execution of a workflow, wherever it lives.

    Args:
        execution: the execution.
    """

    def __init__(self, execution: Execution) -> None:
        super().__init__(())
        self._execution = execution

    # --- how it stands ---------------------------------------------------------------------------

    @property
    def history(self) -> Sequence[Event]:
        """The service's events, oldest first, in botocore's shape."""
        return self._execution.events()

    @property
    def arn(self) -> str:
        """The execution's ARN."""
        return self._execution.arn

    def describe(self) -> Mapping[str, Any]:
        """Describe it, as GetDurableExecution does."""
        found: Mapping[str, Any] = self._execution.client.get_durable_execution(
            DurableExecutionArn=self.arn
        )
        return found

    @property
    def status(self) -> str:
        """RUNNING, SUCCEEDED, FAILED, TIMED_OUT, STOPPED, PAUSING or PAUSED."""
        return str(self.describe()["Status"])

    def _text(self) -> str | None:
        return self.describe().get("Result")  # whole, where the history cuts it

    def _unfinished(self) -> str:
        opened = [named(one) for one in self._open()]
        add = "".join(
            f"\nanswer it: callbacks={{{path!r}: Answer(...)}}, or run.answer({path!r}, ...).go_on()"
            for path in opened
        )
        return super()._unfinished() + add

    @property
    def updates(self) -> Sequence[Mapping[str, Any]]:
        """Every update that the workflow sent, in botocore's shape.

        Raises:
            UsageError: the execution is on AWS, where nobody sees them.
        """
        return [update for sent in self.checkpoints for update in sent]

    @property
    def checkpoints(self) -> Sent:
        """The updates of each checkpoint.

        Raises:
            UsageError: the execution is on AWS, where nobody sees them.
        """
        sent = self._execution.sent()
        if sent is None:
            msg = f"the updates of {self.arn} cannot be seen from outside: read run.history"
            raise UsageError(msg)
        return sent

    @property
    def now(self) -> datetime:
        """Its own time."""
        return self._execution.now()

    @property
    def invoked(self) -> Invoked:
        """The executions that it has invoked, by the paths of its invokes, or by function."""
        return Invoked(self, self._execution)

    def _notes(self) -> Sequence[str]:
        return self._execution.notes()

    # --- how it goes on --------------------------------------------------------------------------

    def go_on(self, until: str | datetime | None = None) -> Run:
        """Go on until the execution is over, or nothing but the test can bring it further.

        Args:
            until: the path of an operation, to stop when it is waited for; or an instant.

        Raises:
            LookupError: the execution ended, and the operation was never waited for.
        """
        if isinstance(until, datetime) and until.tzinfo is None:
            msg = f"until={until!r} must have a time zone: datetime(..., tzinfo=UTC)"
            raise UsageError(msg)
        self._execution.go_on(until)
        return self

    def _open(self) -> list[Operation]:
        return [one for one in self if one.kind == "callback" and one.ended is None]

    def _callback(self, path: str) -> str:
        """Find the id of an open callback by its path.

        Raises:
            LookupError: there is none; the text names those that are open.
        """
        opened = self._open()
        for one in opened:
            if one.callback_id and (matches(named(one), path) or matches(one.path, path)):
                return one.callback_id
        known = ", ".join(named(one) for one in opened) or "none"
        msg = f"no callback {path!r} is open; there are: {known}"
        raise LookupError(msg)

    def answer(self, path: str, value: Any = None) -> Run:
        """Answer an open callback. The workflow hears of it when it goes on.

        Args:
            path: the callback's.
            value: what with: JSON, an `Answer` or `Fails`.

        Raises:
            LookupError: no such callback is open.
        """
        send(self._execution.client, self._callback(path), value)
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
        self._execution.client.send_durable_execution_callback_heartbeat(
            CallbackId=self._callback(path)
        )
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
        self._execution.client.stop_durable_execution(
            DurableExecutionArn=self.arn, Error={"ErrorMessage": message}
        )
        return self


class Invoked(Mapping[str, Run]):
    """The executions that a run has invoked, by the paths of its invokes.

    Args:
        run: the run.
        execution: its execution.
    """

    def __init__(self, run: Run, execution: Execution) -> None:
        invokes = [one for one in run if "DurableExecutionArn" in one.details]
        self._execution = execution
        self._paths = {one.path: one for one in invokes}

    def __getitem__(self, name: str) -> Run:
        """Find one by the path of its invoke, or by its function if that was invoked once.

        Raises:
            LookupError: there is none, or several; the text names those that are there.
        """
        found = [one for path, one in self._paths.items() if path == name]
        found = found or [
            one
            for one in self._paths.values()
            if name in (one.function, (one.function or "").partition(":")[0])
        ]
        if len(found) == 1:
            return Run(self._execution.other(found[0].details["DurableExecutionArn"]))
        known = ", ".join(f"{path} ({one.function})" for path, one in self._paths.items()) or "none"
        many = "several executions were" if found else "no execution was"
        msg = f"{many} invoked as {name!r}; there are: {known}"
        raise LookupError(msg)

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)
