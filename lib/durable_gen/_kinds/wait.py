"""WAIT: the service's timer."""

from __future__ import annotations

import math
from datetime import datetime

from durable_gen._decisions import Block, Decision, Emit, Resolve, failed
from durable_gen._dialect import Dialect
from durable_gen._kinds._unknown import unknown_status
from durable_gen._model import MAX_DURATION, Action, Change, Record, Status, Type
from durable_gen._ops import Wait
from durable_gen._outcome import Outcome
from durable_gen.errors import WaitFailed


def seconds(op: Wait, now: datetime) -> int:
    """Say how long a wait that begins now is, in whole seconds."""
    if op.until is None:
        return op.seconds
    left = math.ceil((op.until - now).total_seconds())
    return max(1, min(left, MAX_DURATION))


class _Wait:
    type = Type.WAIT

    def sub_type(self, op: Wait, dialect: Dialect) -> str:  # noqa: ARG002
        return "Wait"

    def decide(self, op: Wait, record: Record | None, now: datetime) -> Decision:
        match None if record is None else record.status:
            case Status.SUCCEEDED:
                return Resolve()
            case None:
                options = {"WaitOptions": {"WaitSeconds": seconds(op, now)}}
                return Emit(Change(Action.START, options=options))
            case Status.STARTED | Status.PENDING | Status.READY:
                assert record is not None
                return Block(record.scheduled_end)
            case Status.FAILED | Status.CANCELLED | Status.TIMED_OUT | Status.STOPPED:
                assert record is not None
                return failed(record, WaitFailed)
        assert record is not None
        raise unknown_status(record, "wait")

    def settle(
        self, op: Wait, attempt: int, outcome: Outcome, text: str | None, draw: float
    ) -> Change:
        raise AssertionError(op, attempt, outcome, text, draw)  # the service ends a wait


KIND = _Wait()
