"""Logs of workflows by the standard library's logging: structured, and silent while they replay."""

from __future__ import annotations

import logging
from typing import Any

from durable_gen._messages import repeats, where
from durable_gen._ops import Child, Op
from durable_gen._scope import Scope

OPERATIONS = logging.getLogger("durable_gen.operations")
BUDGET = logging.getLogger("durable_gen.budget")
WORKFLOW = logging.getLogger("durable_gen.workflow")
LEVELS = logging.getLevelNamesMapping()
OURS = ("exc_info", "stack_info", "stacklevel", "extra")  # keywords that logging has a meaning for
FRAMES = 3  # between the user's line and the logger: the message's method, `_log`, `message`


class ReplayFilter(logging.Filter):
    """Drops what a flow logs again while it replays, and says of the rest where it was logged.

    Add it to a handler, `handler.addFilter(ReplayFilter())`, and it sees the records of all loggers; on
    a logger it sees those of that logger alone. A record gets `executionArn`, and where there is
    one `operationId`, `operationName`, `attempt` and `parentId`; it keeps what it has of them already.
    Outside an invocation nothing changes.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is to be logged."""
        if repeats() or not super().filter(record):
            return False
        for name, value in where().items():
            record.__dict__.setdefault(name, value)
        return True


def kind(op: Op[Any]) -> str:
    """Name what an operation is, as `op.type` has it."""
    if isinstance(op, Child):
        match op.sub_type:
            case "Compensation":
                return "compensation"
            case "WaitForCallback":
                return "wait_for_callback"
            case "MapItem":
                return "map_item"
            case "ParallelBranch":
                return "parallel_branch"
        return "child_context"
    return op.noun


class Logs:
    """Hears of operations and messages, and logs them.

    Each operation is logged once, when it is first come to: one record `durable_operation` at level
    DEBUG of the logger `durable_gen.operations`, with op.name, op.type, op.id, op.path and parent.
    """

    def operation(self, scope: Scope, op: Op[Any], id: str, parent_id: str | None) -> None:  # noqa: A002
        """Log an operation that is come to for the first time."""
        if OPERATIONS.isEnabledFor(logging.DEBUG):
            extra = {
                "op.name": op.name,
                "op.type": kind(op),
                "op.id": id,
                "op.path": scope.path_of(op.name),
                "parent": parent_id,
                "executionArn": scope.execution.arn,
            }
            OPERATIONS.debug("durable_operation", extra=extra)

    def message(
        self, level: int | str, message: str, args: tuple[Any, ...], data: dict[str, Any]
    ) -> None:
        """Log what a workflow says."""
        number = LEVELS[level.upper()] if isinstance(level, str) else level
        if WORKFLOW.isEnabledFor(number):
            own = {name: data.pop(name) for name in OURS if name in data}
            extra = {
                **where(),
                **({"data": data} if data else {}),
                **(own.pop("extra", None) or {}),
            }
            stacklevel = FRAMES + own.pop("stacklevel", 1)
            WORKFLOW.log(number, message, *args, extra=extra, stacklevel=stacklevel, **own)

    def budget(self, arn: str, what: str, used: int, limit: int, share: float, path: str) -> None:
        """Warn that an execution comes near to a limit."""
        text = {
            "operations": f"the execution has {used} of the {limit} operations that it may have",
            "payload": f"its payload takes {used} of the {limit} bytes that it may take",
        }[what]
        data = {"what": what, "used": used, "limit": limit, "share": share, "op.path": path}
        BUDGET.warning("%s: %s", path, text, extra={"executionArn": arn, **data})
