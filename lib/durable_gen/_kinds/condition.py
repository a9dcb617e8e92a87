"""STEP of sub type WaitForCondition: a check that runs again and again until its state will do."""

from __future__ import annotations

from datetime import datetime

from durable_gen._decisions import START, Block, Decision, Resolve, Run, failed
from durable_gen._dialect import Dialect
from durable_gen._failure import describe
from durable_gen._kinds._unknown import unknown_status
from durable_gen._kinds.step import retry
from durable_gen._model import Action, Change, Record, Status, Type
from durable_gen._ops import Condition
from durable_gen._outcome import Err, Outcome
from durable_gen._schedule import poll_delay
from durable_gen.errors import ConditionFailed


class _Condition:
    type = Type.STEP

    def sub_type(self, op: Condition[object], dialect: Dialect) -> str:  # noqa: ARG002
        return "WaitForCondition"

    def decide(self, op: Condition[object], record: Record | None, now: datetime) -> Decision:  # noqa: ARG002
        match None if record is None else record.status:
            case Status.SUCCEEDED:
                assert record is not None
                return Resolve(record.result)
            case None:
                return Run(op.check, (op.initial,), START)
            case Status.READY | Status.STARTED:
                assert record is not None
                start = START if record.status == Status.READY else None
                return Run(op.check, (op.initial,), start, state=record.result)
            case Status.PENDING:
                assert record is not None
                return Block(record.next_attempt)
            case Status.FAILED | Status.CANCELLED | Status.TIMED_OUT | Status.STOPPED:
                assert record is not None
                return failed(record, ConditionFailed, (ConditionFailed,))
        assert record is not None
        raise unknown_status(record, "wait_for_condition")

    def settle(
        self, op: Condition[object], attempt: int, outcome: Outcome, text: str | None, draw: float
    ) -> Change:
        if isinstance(outcome, Err):
            return Change(Action.FAIL, error=describe(outcome.error))
        if op.poll.done(outcome.value):
            return Change(Action.SUCCEED, text)
        delay = poll_delay(op.poll, attempt, draw)
        if delay is None:
            gave_up = ConditionFailed(op.name or "", None, f"not met after {attempt} attempts")
            return Change(Action.FAIL, error=describe(gave_up))
        return retry(outcome, delay, text)


KIND = _Condition()
