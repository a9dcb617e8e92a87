"""The service's API with a botocore client's methods, arguments, answers and exceptions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from durable_gen.local import _acts, _lives, _reads
from durable_gen.local._checkpoints import checkpoint
from durable_gen.local._control import Conflict
from durable_gen.local._engine import Engine
from durable_gen.local._reads import Request
from durable_gen.local._rules import Refused
from durable_gen.local._wire import check, dated, exceptions, fault, metadata

Result = TypeVar("Result")
CODES: Mapping[type[Exception], str] = {
    Refused: "InvalidParameterValueException",
    _reads.Missing: "ResourceNotFoundException",
    _acts.Late: "CallbackTimeoutException",
    Conflict: "ResourceConflictException",
}


ACTS: Mapping[str, Callable[[Engine, Request], dict[str, Any]]] = {
    "CheckpointDurableExecution": checkpoint,
    "GetDurableExecutionState": _reads.state,
    "GetDurableExecution": _reads.describe,
    "GetDurableExecutionHistory": _reads.history,
    "ListDurableExecutionsByFunction": _reads.listed,
    "StopDurableExecution": _acts.stop,
    "PauseDurableExecution": _acts.pause,
    "ResumeDurableExecution": _acts.resume,
    "DeleteDurableExecution": _acts.delete,
    "SendDurableExecutionCallbackSuccess": _acts.succeed,
    "SendDurableExecutionCallbackFailure": _acts.fail,
    "SendDurableExecutionCallbackHeartbeat": _acts.heartbeat,
}


TOGETHER = frozenset(
    {
        "CheckpointDurableExecution",
        "GetDurableExecution",
        "GetDurableExecutionState",
        "SendDurableExecutionCallbackSuccess",
        "SendDurableExecutionCallbackFailure",
        "SendDurableExecutionCallbackHeartbeat",
    }
)
"""Operations that wait only at their end, for the disk: they do not read from the store."""


class Client:
    """What `boto3.client("lambda")` would be, for the durable executions of one service.

    Every method takes the keyword arguments that botocore's takes, and raises what it raises:
    ParamValidationError, or a ClientError with the model's code.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def exceptions(self) -> Any:
        """The classes of the faults, as a botocore client has them."""
        return exceptions()

    def checkpoint_durable_execution(self, **request: Any) -> dict[str, Any]:
        """Take in updates (service model: CheckpointDurableExecution)."""
        return self._perform("CheckpointDurableExecution", request)

    def get_durable_execution_state(self, **request: Any) -> dict[str, Any]:
        """Give a page of the state (service model: GetDurableExecutionState)."""
        return self._perform("GetDurableExecutionState", request)

    def get_durable_execution(self, **request: Any) -> dict[str, Any]:
        """Describe an execution (service model: GetDurableExecution)."""
        return self._perform("GetDurableExecution", request)

    def get_durable_execution_history(self, **request: Any) -> dict[str, Any]:
        """Give a page of the history (service model: GetDurableExecutionHistory)."""
        return self._perform("GetDurableExecutionHistory", request)

    def list_durable_executions_by_function(self, **request: Any) -> dict[str, Any]:
        """List a function's executions (service model: ListDurableExecutionsByFunction)."""
        return self._perform("ListDurableExecutionsByFunction", request)

    def stop_durable_execution(self, **request: Any) -> dict[str, Any]:
        """Stop an execution (service model: StopDurableExecution)."""
        return self._perform("StopDurableExecution", request)

    def pause_durable_execution(self, **request: Any) -> dict[str, Any]:
        """Pause an execution (service model: PauseDurableExecution)."""
        return self._perform("PauseDurableExecution", request)

    def resume_durable_execution(self, **request: Any) -> dict[str, Any]:
        """Resume an execution (service model: ResumeDurableExecution)."""
        return self._perform("ResumeDurableExecution", request)

    def delete_durable_execution(self, **request: Any) -> dict[str, Any]:
        """Delete an execution (service model: DeleteDurableExecution)."""
        return self._perform("DeleteDurableExecution", request)

    def send_durable_execution_callback_success(self, **request: Any) -> dict[str, Any]:
        """Answer a callback (service model: SendDurableExecutionCallbackSuccess)."""
        return self._perform("SendDurableExecutionCallbackSuccess", request)

    def send_durable_execution_callback_failure(self, **request: Any) -> dict[str, Any]:
        """Fail a callback (service model: SendDurableExecutionCallbackFailure)."""
        return self._perform("SendDurableExecutionCallbackFailure", request)

    def send_durable_execution_callback_heartbeat(self, **request: Any) -> dict[str, Any]:
        """Keep a callback alive (service model: SendDurableExecutionCallbackHeartbeat)."""
        return self._perform("SendDurableExecutionCallbackHeartbeat", request)

    def perform(self, operation: str, request: Request) -> dict[str, Any]:
        """Perform what the model has passed; the times of its result are milliseconds.

        Args:
            operation: as the model spells it.
            request: its arguments.

        Raises:
            ClientError: with one of the model's codes.
        """
        try:
            if operation != "CheckpointDurableExecution":  # it fires what is due after its updates
                _lives.settle(self._engine)
            return ACTS[operation](self._engine, request)
        except tuple(CODES) as error:
            raise fault(CODES[type(error)], str(error), operation) from None

    def together(self, acts: Sequence[Callable[[], Result]]) -> list[Result | Exception]:
        """Do several things that wait for the disk together.

        Args:
            acts: each performs one of the operations in TOGETHER.

        Returns:
            Of the first ones, at least one, what each gave, or why what it did was not kept.
        """
        return self._engine.together(acts)

    def _perform(self, operation: str, request: Request) -> dict[str, Any]:
        check(operation, request)
        response = dated(self.perform(operation, request))
        return {**response, "ResponseMetadata": metadata(operation)}
