"""CONTEXT: flows in an id space of their own, one or several at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from durable_gen._decisions import START, Decision, Resolve, Spawn, failed
from durable_gen._dialect import Dialect
from durable_gen._failure import describe
from durable_gen._kinds._unknown import unknown_status
from durable_gen._model import SUMMARY_ABOVE, Action, Change, Record, Status, Type, length
from durable_gen._ops import Child, FanOut, Op
from durable_gen._outcome import Err, Outcome
from durable_gen.errors import ChildContextFailed, OperationFailed


class _Context:
    type = Type.CONTEXT

    def decide(self, op: Op[Any], record: Record | None, now: datetime) -> Decision:  # noqa: ARG002
        match None if record is None else record.status:
            case None:
                return Spawn(START)
            case Status.STARTED | Status.PENDING | Status.READY:
                return Spawn()  # entered again, not started again
            case Status.SUCCEEDED:
                assert record is not None
                return Spawn(again=True) if record.replay_children else Resolve(record.result)
            case Status.FAILED | Status.CANCELLED | Status.TIMED_OUT | Status.STOPPED:
                assert record is not None
                passing = (OperationFailed,) if getattr(op, "transparent", False) else ()
                return failed(record, ChildContextFailed, passing)
        assert record is not None
        raise unknown_status(record, op.word or op.noun)

    def settle(
        self,
        op: Op[Any],  # noqa: ARG002
        attempt: int,  # noqa: ARG002
        outcome: Outcome,
        text: str | None,
        draw: float,  # noqa: ARG002
    ) -> Change:
        """Close the context; a result over the limit is left out, and found again by its children.

        The `Ok` of a fan-out holds the summary that stands for such a result.
        """
        if isinstance(outcome, Err):
            return Change(Action.FAIL, error=describe(outcome.error))
        large = text is not None and length(text) > SUMMARY_ABOVE
        payload = outcome.value if large else text
        return Change(
            Action.SUCCEED, payload, options={"ContextOptions": {"ReplayChildren": large}}
        )


class _Child(_Context):
    def sub_type(self, op: Child[object], dialect: Dialect) -> str:
        match op.sub_type:
            case None:
                return dialect.child
            case "Compensation":
                return dialect.compensation
            case "MapItem":
                return dialect.item
            case word:
                return word


class _FanOut(_Context):
    def sub_type(self, op: FanOut[object], dialect: Dialect) -> str:  # noqa: ARG002
        return op.sub_type


CHILD = _Child()
FAN_OUT = _FanOut()
