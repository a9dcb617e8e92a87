"""The host of sandboxes: functions in processes of their own on this machine."""

from __future__ import annotations

from typing import Any

from durable_gen.local._functions import Answer
from durable_gen.local._host import Call, encoded
from durable_gen.local._sandbox import FunctionSpec
from durable_gen.local._sandbox_calls import Failure
from durable_gen.local._sandboxes import Sandboxes


class Sandboxed:
    """A host that runs functions in processes of their own, as Lambda does.

    Args:
        sandboxes: the pool.
    """

    def __init__(self, sandboxes: Sandboxes) -> None:
        self._sandboxes = sandboxes

    def invoke(self, call: Call) -> Answer:
        """Run one invocation in a sandbox, and wait for its end.

        Args:
            call: what to run.

        Raises:
            Closed: the pool was closed meanwhile.
        """
        function = call.function
        spec = FunctionSpec(
            name=function.name,
            handler=function.handler,
            version=function.version,
            environment=function.environment,
            timeout=function.seconds,
            memory=function.memory,
            log_format=function.log_format,
            log_level=function.log_level,
        )
        reply = self._sandboxes.invoke(
            spec,
            encoded(call.event),
            request_id=call.request,
            arn=function.arn,
            tenant_id=call.tenant,
            trace_id=call.trace,
            client_context=call.client,
        )
        if not isinstance(reply, Failure):
            return Answer(reply.body.decode("utf-8", "replace"), log=reply.log)
        error: dict[str, Any] = {"ErrorType": reply.error_type, "ErrorMessage": reply.message}
        if reply.stack_trace:
            error["StackTrace"] = list(reply.stack_trace)
        return Answer(error=error, log=reply.log)

    def close(self) -> None:
        """Kill all sandboxes."""
        self._sandboxes.close()
