"""The functions' own operations: Invoke, GetFunction, ListFunctions."""

from __future__ import annotations

import base64
import binascii
import json
import sys
import uuid
from math import inf
from typing import Any

from durable_gen.local import _queue, _starts
from durable_gen.local._engine import Engine
from durable_gen.local._functions import ACCOUNT, REGION, Answer, Function, Name
from durable_gen.local._host import Call, Host, Unreachable, body_of, encoded
from durable_gen.local._reads import place
from durable_gen.local._rules import PAYLOAD_LIMIT, SYNC_LIMIT, Refused, size
from durable_gen.local._tokens import seal
from durable_gen.local._wire import fault, given, model

LONGEST_SYNC = 900  # seconds that a synchronous caller's execution may take
PATIENCE = 960.0  # seconds that a synchronous caller is kept waiting, pauses included
PAGE = 50  # functions in a page
TAIL = 4096  # bytes of what a function printed that Invoke may answer with


class Front:
    """What a client of functions asks for.

    Args:
        engine: the service's state.
        host: where plain functions run.
    """

    def __init__(self, engine: Engine, host: Host) -> None:
        self._engine = engine
        self._host = host

    def invoke(
        self, *, trace_id: str | None = None, request_id: str | None = None, **request: Any
    ) -> dict[str, Any]:
        """Invoke a function (service model: Invoke).

        Args:
            trace_id: X-Ray's header.
            request_id: what a plain function sees as its own; made up if None.
            request: the operation's arguments.

        Raises:
            ClientError: with one of the model's codes.
        """
        function = self._named("Invoke", request, durable=True)
        kind = request.get("InvocationType", "RequestResponse")
        longest = inf if function.timeout is None else function.timeout
        if function.durable and kind == "RequestResponse" and longest > LONGEST_SYNC:
            _refuse(
                f"An execution that may take {longest} seconds cannot be waited for: at "
                f"most {LONGEST_SYNC} may be. Invoke {function.name} with InvocationType Event"
            )
        if not function.durable and "DurableExecutionName" in request:
            _refuse(f"{function.name} is no durable function: its invocations have no names")
        if kind == "DryRun":
            return {"StatusCode": 204}
        text = _text(request.get("Payload", b""))
        if function.durable:
            return self._execute(function, kind, text, trace_id, request)
        call = Call(
            function,
            text,
            request_id or str(uuid.uuid4()),
            request.get("TenantId"),
            trace_id,
            client=_client_context(request.get("ClientContext")),
        )
        return self._call(call, kind, tail=request.get("LogType") == "Tail")

    def _execute(
        self, function: Function, kind: str, text: str, trace: str | None, request: dict[str, Any]
    ) -> dict[str, Any]:
        arn = _starts.start(
            self._engine,
            f"{function.name}:{function.version}",
            text,
            request.get("DurableExecutionName"),
            request.get("TenantId"),
            trace_id=trace,
            limit=PAYLOAD_LIMIT if kind == "Event" else SYNC_LIMIT,
        )
        found = {"DurableExecutionArn": arn, "ExecutedVersion": function.version}
        if kind == "Event":
            return {"StatusCode": 202, "Payload": b"", **found}
        if not self._engine.closing(arn).wait(PATIENCE):
            text = f"The execution has not closed within {PATIENCE:g} seconds; it goes on: {arn}"
            raise fault(code="ServiceException", message=text, operation="Invoke")
        outcome = self._engine.row(arn)
        if outcome is None or outcome.status != "SUCCEEDED":
            error = (outcome.error if outcome else None) or {}
            failed = {"FunctionError": "Unhandled", "Payload": body_of(error).encode()}
            return {"StatusCode": 200, **failed, **found}
        return {"StatusCode": 200, "Payload": encoded(outcome.result or ""), **found}

    def _call(self, call: Call, kind: str, *, tail: bool) -> dict[str, Any]:
        limit, version = PAYLOAD_LIMIT if kind == "Event" else SYNC_LIMIT, call.function.version
        _starts.judge(call.event, limit)
        if kind == "Event":
            _queue.put(self._engine, call)
            return {"StatusCode": 202, "Payload": b"", "ExecutedVersion": version}
        answer = self._ask(call)
        found: dict[str, Any] = {"StatusCode": 200, "ExecutedVersion": version}
        if tail:
            found["LogResult"] = base64.b64encode(answer.log[-TAIL:]).decode()
        if answer.error is not None:
            failed = {"FunctionError": "Unhandled", "Payload": body_of(answer.error).encode()}
            return {**found, **failed}
        return {**found, "Payload": encoded(answer.text)}

    def _ask(self, call: Call) -> Answer:
        try:
            answer = self._host.invoke(call)
        except Unreachable as error:
            known = {shape.name for shape in model().operation_model("Invoke").error_shapes}
            code = error.code if error.code in known else "ServiceException"
            raise fault(code, error.message, "Invoke") from None
        if answer.error is None and size(answer.text) > SYNC_LIMIT:
            text = (
                f"Response payload size exceeded maximum allowed payload size ({SYNC_LIMIT} bytes)."
            )
            kind = "Function.ResponseSizeTooLarge"
            return Answer(error={"ErrorType": kind, "ErrorMessage": text}, log=answer.log)
        return answer

    def get_function(self, **request: Any) -> dict[str, Any]:
        """Describe a function (service model: GetFunction).

        Raises:
            ClientError: with one of the model's codes.
        """
        function = self._named("GetFunction", request)
        asked = Name.parse(request["FunctionName"])
        qualified = "Qualifier" in request or (asked is not None and asked.qualifier is not None)
        return {"Configuration": _configuration(function, qualified=qualified)}

    def list_functions(self, **request: Any) -> dict[str, Any]:
        """List the functions (service model: ListFunctions).

        Raises:
            ClientError: with one of the model's codes.
        """
        every = request.get("FunctionVersion") == "ALL"
        found = [
            _configuration(function, qualified=every)
            for versions in [list(named.values()) for named in self._engine.functions.values()]
            for function in (versions if every else versions[-1:])
        ]
        try:
            start = place(request.get("Marker"), "functions")
        except Refused as error:
            raise fault(
                code="InvalidParameterValueException", message=str(error), operation="ListFunctions"
            ) from None
        end = start + min(request.get("MaxItems", PAGE), PAGE)
        more = seal("functions", end) if end < len(found) else None
        return {"Functions": found[start:end], **given(NextMarker=more)}

    def _named(self, operation: str, request: dict[str, Any], *, durable: bool = False) -> Function:
        """Find the function that a request means.

        Raises:
            ClientError: there is none, or the request says no version where it must.
        """
        text, asked = request["FunctionName"], request.get("Qualifier")
        name = Name.parse(text)
        if name is not None and asked and name.qualifier not in {None, asked}:
            message = f"The name says version {name.qualifier}, the Qualifier {asked}"
            raise fault(code="InvalidParameterValueException", message=message, operation=operation)
        qualifier = asked or (name.qualifier if name else None)
        function = None
        if name is not None and name.region in {None, REGION} and name.account in {None, ACCOUNT}:
            function = self._engine.function(
                name.name if qualifier is None else f"{name.name}:{qualifier}"
            )
        if function is None:
            full = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name.name if name else text}"
            full = full if qualifier is None else f"{full}:{qualifier}"
            raise fault(
                code="ResourceNotFoundException",
                message=f"Function not found: {full}",
                operation=operation,
            )
        if durable and function.durable and qualifier is None:
            message = f"A durable function is invoked with a version or an alias: say {function.name}:$LATEST"
            raise fault(code="InvalidParameterValueException", message=message, operation=operation)
        return function


def _refuse(message: str) -> None:
    raise fault(code="InvalidParameterValueException", message=message, operation="Invoke")


def _text(payload: Any) -> str:
    raw = payload.read() if hasattr(payload, "read") else payload
    if isinstance(raw, str):
        return raw or "{}"
    try:
        return bytes(raw).decode() or "{}"
    except UnicodeDecodeError as error:
        text = f"Could not parse request body into json: {error}"
        raise fault(
            code="InvalidRequestContentException", message=text, operation="Invoke"
        ) from None


def _client_context(word: str | None) -> str | None:
    if word is None:
        return None
    try:
        text = base64.b64decode(word, validate=True).decode()
        json.loads(text)
    except (binascii.Error, ValueError, RecursionError):
        message = "Client context must be a valid Base64-encoded JSON object."
        raise fault(
            code="InvalidRequestContentException", message=message, operation="Invoke"
        ) from None
    return text


def _configuration(function: Function, *, qualified: bool) -> dict[str, Any]:
    arn = function.arn if qualified else function.arn.rpartition(":")[0]
    config = given(ExecutionTimeout=function.timeout, RetentionPeriodInDays=function.retention)
    return given(
        FunctionName=function.name,
        FunctionArn=arn,
        Runtime=f"python{sys.version_info.major}.{sys.version_info.minor}",
        Handler=function.handler or None,
        Timeout=function.seconds,
        MemorySize=function.memory,
        Version=function.version,
        State="Active",
        LastUpdateStatus="Successful",
        PackageType="Zip",
        Environment={"Variables": dict(function.environment)} if function.environment else None,
        DurableConfig=config if function.durable else None,
    )
