"""CHAINED_INVOKE: another function, run by the service."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from durable_gen._decisions import Block, Decision, Emit, Resolve, failed
from durable_gen._dialect import Dialect
from durable_gen._kinds._unknown import unknown_status
from durable_gen._model import Action, Change, Record, Status, Type
from durable_gen._ops import Invoke
from durable_gen._outcome import Outcome
from durable_gen.errors import InvokeFailed, InvokeStopped, InvokeTimedOut


class _Invoke:
    type = Type.CHAINED_INVOKE

    def sub_type(self, op: Invoke[object], dialect: Dialect) -> str:  # noqa: ARG002
        return "ChainedInvoke"

    def decide(self, op: Invoke[object], record: Record | None, now: datetime) -> Decision:  # noqa: ARG002
        match None if record is None else record.status:
            case Status.SUCCEEDED:
                assert record is not None
                return Resolve(record.result)
            case None:
                target: dict[str, Any] = {"FunctionName": op.function}
                if op.tenant_id is not None:
                    target["TenantId"] = op.tenant_id
                options = {"ChainedInvokeOptions": target}
                return Emit(Change(Action.START, options=options), payload=True)
            case Status.STARTED | Status.PENDING | Status.READY:
                return Block()
            case Status.FAILED | Status.CANCELLED:
                assert record is not None
                return failed(record, InvokeFailed, None)
            case Status.TIMED_OUT:
                assert record is not None
                return failed(record, InvokeTimedOut, None)
            case Status.STOPPED:
                assert record is not None
                return failed(record, InvokeStopped, None)
        assert record is not None
        raise unknown_status(record, "invoke")

    def settle(
        self, op: Invoke[object], attempt: int, outcome: Outcome, text: str | None, draw: float
    ) -> Change:
        raise AssertionError(op, attempt, outcome, text, draw)  # the other function ends it


KIND = _Invoke()
