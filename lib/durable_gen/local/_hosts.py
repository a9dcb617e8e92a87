"""Two hosts beside the process itself: sandboxes on this machine, and another Lambda endpoint."""

from __future__ import annotations

from typing import Any

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from durable_gen.local._facts import ErrorObject
from durable_gen.local._functions import FUNCTION_TIMEOUT, REGION, Answer
from durable_gen.local._host import Call, Unreachable, encoded, error_of
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


class Remote:
    """A host that calls Invoke somewhere else.

    Args:
        endpoint: its URL; what is sent is signed if this machine has AWS credentials.
        most: connections that it may have at once.
    """

    def __init__(self, endpoint: str, most: int = 64) -> None:
        session = botocore.session.get_session()
        unsigned = {} if session.get_credentials() else {"signature_version": UNSIGNED}
        config = Config(
            retries={"max_attempts": 0},
            connect_timeout=10,
            read_timeout=FUNCTION_TIMEOUT + 30,
            max_pool_connections=most,
            **unsigned,
        )
        self._client = session.create_client(
            "lambda", region_name=REGION, endpoint_url=endpoint, config=config
        )

    def invoke(self, call: Call) -> Answer:
        """Run one invocation elsewhere, and wait for its end.

        Args:
            call: what to run.

        Raises:
            Unreachable: it was refused, or the endpoint does not answer.
        """
        function = call.function
        request: dict[str, Any] = {
            "FunctionName": function.name,
            "Payload": encoded(call.event),
        }
        if function.version != "$LATEST":
            request["Qualifier"] = function.version
        if call.tenant is not None:
            request["TenantId"] = call.tenant
        try:
            answer = self._client.invoke(**request)
            text = answer["Payload"].read()
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            gone = code == "ResourceNotFoundException"
            passing = status == 429 or status >= 500
            raise Unreachable(code, message, gone=gone, passing=passing) from error
        except ReadTimeoutError:
            return Answer(error=_late())
        except BotoCoreError as error:
            raise Unreachable(code="ServiceException", message=str(error)) from error
        if answer.get("FunctionError"):
            return Answer(error=error_of(text))
        return Answer(text.decode("utf-8", "replace"))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _late() -> ErrorObject:
    text = f"The endpoint has not answered within {FUNCTION_TIMEOUT + 30} seconds."
    return {"ErrorType": "Sandbox.Timedout", "ErrorMessage": text}
