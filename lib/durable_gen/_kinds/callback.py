"""CALLBACK: an id by which the outside answers, and the answer."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from durable_gen._decisions import Block, Decision, Emit, Resolve, failed
from durable_gen._dialect import Dialect
from durable_gen._kinds._unknown import unknown_status
from durable_gen._model import Action, Change, Record, Status, Type
from durable_gen._ops import CallbackResult, CreateCallback
from durable_gen._outcome import Outcome
from durable_gen.errors import CallbackFailed, CallbackTimedOut, CheckpointFailed, UsageError

KNOWN = frozenset(Status)


class _Create:
    type = Type.CALLBACK

    def sub_type(self, op: CreateCallback[object], dialect: Dialect) -> str:  # noqa: ARG002
        return "Callback"

    def decide(self, op: CreateCallback[object], record: Record | None, now: datetime) -> Decision:  # noqa: ARG002
        if record is None:
            times = {"TimeoutSeconds": op.timeout, "HeartbeatTimeoutSeconds": op.heartbeat}
            return Emit(Change(Action.START, options={"CallbackOptions": times}))
        if record.status not in KNOWN:
            raise unknown_status(record, "callback")
        if not record.callback_id:
            msg = f"the service's answer has no callback id for callback {op.name!r}"
            raise CheckpointFailed(msg)
        return Resolve(record.callback_id)  # whatever became of it, its result() tells

    def settle(
        self,
        op: CreateCallback[object],
        attempt: int,
        outcome: Outcome,
        text: str | None,
        draw: float,
    ) -> Change:
        raise AssertionError(op, attempt, outcome, text, draw)  # the outside ends a callback


class _Result(_Create):
    def decide(self, op: CallbackResult[object], record: Record | None, now: datetime) -> Decision:  # type: ignore[override]  # noqa: ARG002
        if record is None:
            msg = (
                f"the log has nothing of callback {op.callback.name!r}: was it made in a context that "
                "is over? A callback is awaited in the flow that made it, or in one inside it"
            )
            raise UsageError(msg)
        lost = partial(CallbackFailed, callback_id=op.callback.id)
        late = partial(CallbackTimedOut, callback_id=op.callback.id)
        match record.status:
            case Status.SUCCEEDED:
                return Resolve(record.result)
            case Status.STARTED | Status.PENDING | Status.READY:
                return Block()
            case Status.TIMED_OUT:
                return failed(record, late, None)
            case Status.FAILED | Status.CANCELLED | Status.STOPPED:
                return failed(record, lost, None)
        raise unknown_status(record, "callback")


KIND = _Create()
RESULT = _Result()
