"""One kind for each thing on the wire: `decide` what to do, `settle` what came of it.

Both are pure and total over the statuses of a record; a status that is not in the service's model is
an error that names the kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from durable_gen import _ops
from durable_gen._decisions import Decision
from durable_gen._dialect import Dialect
from durable_gen._kinds import callback, condition, context, invoke, step, wait
from durable_gen._model import Change, Record, Type
from durable_gen._outcome import Outcome


class Kind(Protocol):
    """What the kernel knows of a kind of operation."""

    @property
    def type(self) -> Type:
        """The operation's type on the wire."""

    def sub_type(self, op: Any, dialect: Dialect) -> str:
        """Name its sub type."""

    def decide(self, op: Any, record: Record | None, now: datetime) -> Decision:
        """Say what to do about an operation, given its record."""

    def settle(
        self, op: Any, attempt: int, outcome: Outcome, text: str | None, draw: float
    ) -> Change:
        """Say what to send when its call or its flow has ended.

        Args:
            op: the operation.
            attempt: the attempt that ended, from 1.
            outcome: how.
            text: the encoded value of an `Ok`.
            draw: a number from 0 to 1 for jitter.
        """


# What a record that succeeded answers by itself: its type, its sub type, and the member that holds its
# value, if it has one. What `decide` says of such a record comes to the same. A child context's sub type
# is the user's word or the dialect's; its record answers unless its children are to be run again.
SHORTCUTS: Mapping[type[_ops.Op[Any]], tuple[str, str | None, Any]] = {
    _ops.Step: ("STEP", "Step", "StepDetails"),
    _ops.Condition: ("STEP", "WaitForCondition", "StepDetails"),
    _ops.Wait: ("WAIT", "Wait", None),
    _ops.Invoke: ("CHAINED_INVOKE", "ChainedInvoke", "ChainedInvokeDetails"),
    _ops.Child: ("CONTEXT", None, "ContextDetails"),
}

TABLE: Mapping[type[_ops.Op[Any]], Kind] = {
    _ops.Step: step.KIND,
    _ops.Condition: condition.KIND,
    _ops.Wait: wait.KIND,
    _ops.CreateCallback: callback.KIND,
    _ops.CallbackResult: callback.RESULT,
    _ops.Invoke: invoke.KIND,
    _ops.Child: context.CHILD,
    _ops.FanOut: context.FAN_OUT,
    _ops.Map: context.FAN_OUT,
}
