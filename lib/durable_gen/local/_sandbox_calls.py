"""What goes into a sandbox, and what comes out of it."""

from __future__ import annotations

import json
from typing import Literal

from attrs import field, frozen

Kind = Literal["handler", "init", "exit", "timeout", "memory"]


def _one_line(text: str | None) -> str | None:
    """Write JSON without line ends and letters that a header cannot carry."""
    return None if text is None else json.dumps(json.loads(text))


@frozen
class Task:
    """One invocation to be run.

    Attributes:
        payload: the event, JSON.
        request_id: its id.
        arn: the function's ARN as it was invoked.
        tenant_id: of a function with tenant isolation.
        trace_id: the X-Ray trace header.
        client_context: JSON text of a mobile client.
        cognito_identity: JSON text likewise.
        deadline_ms: when it is cut off, in milliseconds since the epoch; if left out, when the
            function's timeout has passed since the runtime fetched it.
    """

    payload: bytes
    request_id: str
    arn: str
    tenant_id: str | None = None
    trace_id: str | None = None
    client_context: str | None = field(default=None, converter=_one_line)
    cognito_identity: str | None = field(default=None, converter=_one_line)
    deadline_ms: int | None = None


@frozen
class Response:
    """What a function returned.

    Attributes:
        body: as its runtime wrote it, mostly JSON.
        log: the last 4 KiB that it printed.
    """

    body: bytes
    log: bytes = b""


@frozen
class Failure:
    """Why an invocation returned nothing.

    Attributes:
        error_type: as Lambda names it: the exception's class, Runtime.ExitError, Sandbox.Timedout.
        message: what went wrong.
        stack_trace: the lines of an exception.
        kind: `handler` if the function raised, `init` if it could not be loaded, `exit` if its
            process ended, `timeout` or `memory` if it was killed for taking too much.
        body: the payload that Lambda answers with, JSON.
        log: the last 4 KiB that it printed.
    """

    error_type: str
    message: str
    stack_trace: tuple[str, ...]
    kind: Kind
    body: bytes
    log: bytes = b""

    @classmethod
    def of(cls, kind: Kind, error_type: str, message: str) -> Failure:
        """Make one that no exception tells of."""
        body = json.dumps({"errorType": error_type, "errorMessage": message})
        return cls(error_type, message, (), kind, body.encode())

    @classmethod
    def read(cls, kind: Kind, body: bytes, named: str, request_id: str) -> Failure:
        """Read the error that a runtime reports.

        Args:
            kind: handler or init.
            body: JSON with errorType, errorMessage and stackTrace, or whatever was sent instead.
            named: the error type in the request's header.
            request_id: the invocation that it ended.
        """
        try:
            error = json.loads(body)
        except ValueError:
            error = None
        if not isinstance(error, dict):
            error = {"errorMessage": body.decode("utf-8", "replace")}
        error_type = str(error.get("errorType") or named or "Unhandled")
        message = str(error.get("errorMessage") or "")
        trace = error.get("stackTrace")
        lines = tuple(map(str, trace)) if isinstance(trace, list) else ()
        if kind == "init" or "errorType" not in error:
            error = {**error, "errorType": error_type, "requestId": request_id}
            body = json.dumps(error).encode()
        return cls(error_type, message, lines, kind, body)


Reply = Response | Failure
