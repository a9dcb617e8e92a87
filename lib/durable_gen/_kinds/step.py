"""STEP: a function that runs once, is tried again when it fails, and whose result is kept."""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from durable_gen._decisions import START, Block, Decision, Resolve, Run, failed
from durable_gen._dialect import Dialect
from durable_gen._failure import describe
from durable_gen._kinds._unknown import unknown_status
from durable_gen._model import Action, Change, Record, Status, Type
from durable_gen._ops import Default, Semantics, Step
from durable_gen._outcome import Err, Outcome
from durable_gen._schedule import Retry, retry_delay
from durable_gen.errors import StepFailed, StepInterrupted


def interrupted(name: str) -> NoReturn:
    """Stand in for an at-most-once step that was begun and not seen to end."""
    message = "it was begun, and the invocation ended before its end was recorded"
    raise StepInterrupted(name, None, message)


def retry(change_of: Outcome, delay: int, payload: str | None = None) -> Change:
    """Make the change that schedules another attempt."""
    error = describe(change_of.error) if isinstance(change_of, Err) else None
    options = {"StepOptions": {"NextAttemptDelaySeconds": delay}}
    return Change(Action.RETRY, payload, error, options)


class _Step:
    type = Type.STEP

    def sub_type(self, op: Step[object], dialect: Dialect) -> str:  # noqa: ARG002
        return "Step"

    def decide(self, op: Step[object], record: Record | None, now: datetime) -> Decision:  # noqa: ARG002
        at_most_once = op.semantics is Semantics.AT_MOST_ONCE
        match None if record is None else record.status:
            case Status.SUCCEEDED:
                assert record is not None
                return Resolve(record.result)
            case None | Status.READY:
                return Run(op.fn, op.args, START, barrier=at_most_once)
            case Status.STARTED if at_most_once:
                return Run(interrupted, (op.name or "",))
            case Status.STARTED:
                return Run(op.fn, op.args)
            case Status.PENDING:
                assert record is not None
                return Block(record.next_attempt)
            case Status.FAILED | Status.CANCELLED | Status.TIMED_OUT | Status.STOPPED:
                assert record is not None
                return failed(record, StepFailed, (StepFailed,))
        assert record is not None
        raise unknown_status(record, "step")

    def settle(
        self, op: Step[object], attempt: int, outcome: Outcome, text: str | None, draw: float
    ) -> Change:
        if not isinstance(outcome, Err):
            return Change(Action.SUCCEED, text)
        policy = Retry() if isinstance(op.retry, Default) else op.retry
        delay = retry_delay(policy, attempt, outcome.error, draw)
        if delay is None:
            return Change(Action.FAIL, error=describe(outcome.error))
        return retry(outcome, delay)


KIND = _Step()
