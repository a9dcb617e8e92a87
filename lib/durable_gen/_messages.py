"""What a workflow logs: structured, and silent while it replays what it did before."""

from __future__ import annotations

from typing import Any

from durable_gen._effects import running
from durable_gen._scope import Scope, invoked


class ContextLog:
    """Logs what a workflow does; silent while it replays what it did before.

    The keywords of `logging` (exc_info, stack_info, stacklevel, extra) mean what they mean there; all
    others are structured data, together in the record's `data`.
    """

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def debug(self, message: str, /, *args: Any, **data: Any) -> None:
        """Log a message with structured data, for those who look closely."""
        self._log("debug", message, args, data)

    def info(self, message: str, /, *args: Any, **data: Any) -> None:
        """Log a message with structured data."""
        self._log("info", message, args, data)

    def warning(self, message: str, /, *args: Any, **data: Any) -> None:
        """Log a message with structured data about something to look into."""
        self._log("warning", message, args, data)

    def error(self, message: str, /, *args: Any, **data: Any) -> None:
        """Log a message with structured data about something that went wrong."""
        self._log("error", message, args, data)

    def critical(self, message: str, /, *args: Any, **data: Any) -> None:
        """Log a message with structured data about something that must be looked into now."""
        self._log("critical", message, args, data)

    def exception(self, message: str, /, *args: Any, **data: Any) -> None:
        """Log a message with structured data and the exception being handled."""
        self._log("error", message, args, {"exc_info": True, **data})

    def log(self, level: int | str, message: str, /, *args: Any, **data: Any) -> None:
        """Log a message with structured data at any level, a number or a name of `logging`."""
        self._log(level, message, args, data)

    def _log(
        self, level: int | str, message: str, args: tuple[Any, ...], data: dict[str, Any]
    ) -> None:
        listener = self._scope.execution.listener
        if listener is not None and not repeats():
            listener.message(level, message, args, data)


def repeats() -> bool:
    """Tell whether what runs here ran before: the code of a flow that replays."""
    if running.get() is not None:  # a step that runs is no replay
        return False
    execution = invoked.get()
    return execution is not None and execution.floor is not None and execution.floor.replaying()


def where() -> dict[str, Any]:
    """Say where in a workflow this is, as log records have it; nothing outside an invocation.

    Returns:
        `executionArn` always; in a step its `operationId`, `operationName` and `attempt`; in the flow
        of a context its `operationName`. `parentId` is the id of the context that the step, or
        the line of the flow, is in; at the root there is none.
    """
    step, execution = running.get(), invoked.get()
    if step is not None:
        fields = {
            "executionArn": step.execution_arn,
            "operationId": step.operation_id,
            "operationName": step.name,
            "attempt": step.attempt,
            "parentId": step.parent_id,
        }
    elif execution is None:
        return {}
    elif execution.floor is None:
        return {"executionArn": execution.arn}
    else:
        scope = execution.floor
        fields = {
            "executionArn": execution.arn,
            "operationName": scope.name or None,
            "parentId": scope.parent_id,
        }
    return {name: value for name, value in fields.items() if value is not None}
