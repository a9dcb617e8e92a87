"""The seam to where functions run: one call in, one answer out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

import orjson
from attrs import frozen

from durable_gen.local._clock import Clock
from durable_gen.local._facts import ErrorObject
from durable_gen.local._functions import Answer, Function, LambdaContext, call


@frozen
class Call:
    """One invocation of a function, as a host is asked for it.

    Attributes:
        function: what to run.
        event: JSON text.
        request: its request id.
        tenant: tenant id.
        trace: X-Ray's header.
        client: JSON text of the client's context.
    """

    function: Function
    event: str
    request: str
    tenant: str | None = None
    trace: str | None = None
    client: str | None = None


class Unreachable(Exception):  # noqa: N818  # a host's answer, like Answer
    """The host did not run the function.

    Args:
        code: as Lambda's Invoke names it.
        message: what it said.
        gone: whether there is no such function; otherwise it may be tried again.
        passing: whether it may pass by itself, as throttling does; otherwise a try counts as a
            failure of the function.
    """

    def __init__(
        self, code: str, message: str, *, gone: bool = False, passing: bool = True
    ) -> None:
        super().__init__(code, message)
        self.code, self.message, self.gone, self.passing = code, message, gone, passing

    @property
    def error(self) -> ErrorObject:
        """It, as the error of an invocation."""
        return {"ErrorType": self.code, "ErrorMessage": self.message}


class Host(Protocol):
    """Where functions run. Any thread may call; how many calls run at once is the host's affair."""

    def invoke(self, call: Call) -> Answer:
        """Run one invocation, and wait for its end.

        Args:
            call: what to run.

        Raises:
            Unreachable: it was not run.
            Exception: what became of it is not known; it counts as a process that ended.
        """

    def close(self) -> None:
        """End what still runs."""


class InProcess:
    """A host that calls the handlers that were registered, in the thread that asks.

    Args:
        clock: what the context's remaining time is told by.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def invoke(self, call_: Call) -> Answer:
        """Call the handler.

        Args:
            call_: what to run.

        Raises:
            Unreachable: the function has no handler here.
            BaseException: what is no Exception and leaves a function passes through.
        """
        if call_.function.call is None:
            text = f"Function not found: {call_.function.arn} has no handler in this process"
            raise Unreachable(code="ResourceNotFoundException", message=text, gone=True)
        context = LambdaContext(
            call_.function, call_.request, call_.tenant, self._clock, call_.trace
        )
        if call_.client is not None:
            context.client_context = json.loads(call_.client)
        # What the service writes needs no more than orjson reads; a plain function's event is a user's.
        loads = orjson.loads if call_.function.durable else json.loads
        return call(call_.function, loads(call_.event), context)

    def close(self) -> None:
        """Do nothing: what runs ends with the process."""


def encoded(text: str) -> bytes:
    """Write JSON text as UTF-8; a lone surrogate, which that cannot write, as JSON's escape for it."""
    return text.encode("utf-8", "backslashreplace")


def error_of(body: bytes | str) -> ErrorObject:
    """Read the body that Lambda answers with when a function failed."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        text = body if isinstance(body, str) else body.decode("utf-8", "replace")
        return {"ErrorType": "Unhandled", "ErrorMessage": text}
    error: dict[str, Any] = {"ErrorType": str(found.get("errorType") or "Unhandled")}
    if found.get("errorMessage") is not None:
        error["ErrorMessage"] = str(found["errorMessage"])
    if isinstance(found.get("stackTrace"), list):
        error["StackTrace"] = [_line(line) for line in found["stackTrace"]]
    return error


def _line(found: Any) -> str:
    return found if isinstance(found, str) else json.dumps(found)


def body_of(error: Mapping[str, Any] | None) -> str:
    """Write the body that Lambda answers with when a function failed."""
    members = (
        ("errorMessage", "ErrorMessage"),
        ("errorType", "ErrorType"),
        ("stackTrace", "StackTrace"),
    )
    given = error or {}
    return json.dumps({name: given[member] for name, member in members if member in given})
