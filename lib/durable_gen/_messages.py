"""What a workflow logs: structured, and silent while it replays what it did before."""

from __future__ import annotations

from typing import Any

from durable_gen._scope import Scope


class ContextLog:
    """Logs what a workflow does; silent while it replays what it did before."""

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

    def exception(self, message: str, /, *args: Any, **data: Any) -> None:
        """Log a message with structured data and the exception being handled."""
        self._log("error", message, args, {**data, "exc_info": True})

    def _log(self, level: str, message: str, args: tuple[Any, ...], data: dict[str, Any]) -> None:
        listener = self._scope.execution.listener
        if listener is not None and not self._scope.replaying():
            listener.message(self._scope, level, message, args, data)
