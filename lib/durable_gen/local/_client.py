"""The service's API with a botocore client's methods, arguments, answers and exceptions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from durable_gen.local import _acts, _lives, _reads
from durable_gen.local._checkpoints import checkpoint
from durable_gen.local._control import Conflict
from durable_gen.local._engine import Engine
from durable_gen.local._reads import Request
from durable_gen.local._rules import Refused
from durable_gen.local._wire import check, exceptions, fault, metadata

CODES: Mapping[type[Exception], str] = {
    Refused: "InvalidParameterValueException",
    _reads.Missing: "ResourceNotFoundException",
    _acts.Late: "CallbackTimeoutException",
    Conflict: "ResourceConflictException",
}


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
        return self._perform("CheckpointDurableExecution", request, checkpoint)

    def get_durable_execution_state(self, **request: Any) -> dict[str, Any]:
        """Give a page of the state (service model: GetDurableExecutionState)."""
        return self._perform("GetDurableExecutionState", request, _reads.state)

    def get_durable_execution(self, **request: Any) -> dict[str, Any]:
        """Describe an execution (service model: GetDurableExecution)."""
        return self._perform("GetDurableExecution", request, _reads.describe)

    def get_durable_execution_history(self, **request: Any) -> dict[str, Any]:
        """Give a page of the history (service model: GetDurableExecutionHistory)."""
        return self._perform("GetDurableExecutionHistory", request, _reads.history)

    def list_durable_executions_by_function(self, **request: Any) -> dict[str, Any]:
        """List a function's executions (service model: ListDurableExecutionsByFunction)."""
        return self._perform("ListDurableExecutionsByFunction", request, _reads.listed)

    def stop_durable_execution(self, **request: Any) -> dict[str, Any]:
        """Stop an execution (service model: StopDurableExecution)."""
        return self._perform("StopDurableExecution", request, _acts.stop)

    def pause_durable_execution(self, **request: Any) -> dict[str, Any]:
        """Pause an execution (service model: PauseDurableExecution)."""
        return self._perform("PauseDurableExecution", request, _acts.pause)

    def resume_durable_execution(self, **request: Any) -> dict[str, Any]:
        """Resume an execution (service model: ResumeDurableExecution)."""
        return self._perform("ResumeDurableExecution", request, _acts.resume)

    def delete_durable_execution(self, **request: Any) -> dict[str, Any]:
        """Delete an execution (service model: DeleteDurableExecution)."""
        return self._perform("DeleteDurableExecution", request, _acts.delete)

    def send_durable_execution_callback_success(self, **request: Any) -> dict[str, Any]:
        """Answer a callback (service model: SendDurableExecutionCallbackSuccess)."""
        return self._perform("SendDurableExecutionCallbackSuccess", request, _acts.succeed)

    def send_durable_execution_callback_failure(self, **request: Any) -> dict[str, Any]:
        """Fail a callback (service model: SendDurableExecutionCallbackFailure)."""
        return self._perform("SendDurableExecutionCallbackFailure", request, _acts.fail)

    def send_durable_execution_callback_heartbeat(self, **request: Any) -> dict[str, Any]:
        """Keep a callback alive (service model: SendDurableExecutionCallbackHeartbeat)."""
        return self._perform("SendDurableExecutionCallbackHeartbeat", request, _acts.heartbeat)

    def _perform(
        self, operation: str, request: Request, act: Callable[[Engine, Request], dict[str, Any]]
    ) -> dict[str, Any]:
        check(operation, request)
        try:
            if act is not checkpoint:  # which fires what is due after its updates, not before
                _lives.settle(self._engine)
            response = act(self._engine, request)
        except tuple(CODES) as error:
            raise fault(CODES[type(error)], str(error), operation) from None
        return {**response, "ResponseMetadata": metadata(operation)}
