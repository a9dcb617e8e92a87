"""The service's API with a botocore client's methods, arguments, answers and exceptions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from durable_gen.local import _lives
from durable_gen.local._checkpoints import checkpoint, holder
from durable_gen.local._clock import to_datetime, to_millis
from durable_gen.local._engine import Engine
from durable_gen.local._facts import Execution, Operation
from durable_gen.local._functions import ACCOUNT, REGION, Name
from durable_gen.local._journal import Journal, cut
from durable_gen.local._machine import answer, beat
from durable_gen.local._rules import PAYLOAD_LIMIT, Refused, error_size
from durable_gen.local._tokens import seal, unseal
from durable_gen.local._wire import check, dated, event_item, exceptions, fault, given, metadata

RETENTION = 14  # days; shown, not acted upon
Request = Mapping[str, Any]


class Missing(Exception):  # noqa: N818  # it becomes a ResourceNotFoundException at the edge
    """There is no such thing."""


class Late(Exception):  # noqa: N818  # it becomes a CallbackTimeoutException at the edge
    """The callback takes no answer any more."""


CODES: Mapping[type[Exception], str] = {
    Refused: "InvalidParameterValueException",
    Missing: "ResourceNotFoundException",
    Late: "CallbackTimeoutException",
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
        return self._perform("GetDurableExecutionState", request, _state)

    def get_durable_execution(self, **request: Any) -> dict[str, Any]:
        """Describe an execution (service model: GetDurableExecution)."""
        return self._perform("GetDurableExecution", request, _describe)

    def get_durable_execution_history(self, **request: Any) -> dict[str, Any]:
        """Give a page of the history (service model: GetDurableExecutionHistory)."""
        return self._perform("GetDurableExecutionHistory", request, _history)

    def list_durable_executions_by_function(self, **request: Any) -> dict[str, Any]:
        """List a function's executions (service model: ListDurableExecutionsByFunction)."""
        return self._perform("ListDurableExecutionsByFunction", request, _list)

    def stop_durable_execution(self, **request: Any) -> dict[str, Any]:
        """Stop an execution (service model: StopDurableExecution)."""
        return self._perform("StopDurableExecution", request, _stop)

    def send_durable_execution_callback_success(self, **request: Any) -> dict[str, Any]:
        """Answer a callback (service model: SendDurableExecutionCallbackSuccess)."""
        return self._perform("SendDurableExecutionCallbackSuccess", request, _succeed)

    def send_durable_execution_callback_failure(self, **request: Any) -> dict[str, Any]:
        """Fail a callback (service model: SendDurableExecutionCallbackFailure)."""
        return self._perform("SendDurableExecutionCallbackFailure", request, _fail)

    def send_durable_execution_callback_heartbeat(self, **request: Any) -> dict[str, Any]:
        """Keep a callback alive (service model: SendDurableExecutionCallbackHeartbeat)."""
        return self._perform("SendDurableExecutionCallbackHeartbeat", request, _heartbeat)

    def _perform(
        self, operation: str, request: Request, act: Callable[[Engine, Request], dict[str, Any]]
    ) -> dict[str, Any]:
        check(operation, request)
        try:
            if act is not checkpoint:  # which fires what is due after its updates, not before
                _lives.settle(self._engine)
            with self._engine.lock:
                response = act(self._engine, request)
        except tuple(CODES) as error:
            raise fault(CODES[type(error)], str(error), operation) from None
        return {**response, "ResponseMetadata": metadata()}


def _known(engine: Engine, request: Request) -> Journal:
    arn = request["DurableExecutionArn"]
    journal = engine.find(arn)
    if journal is None:
        msg = f"Durable execution not found: {arn}"
        raise Missing(msg)
    return journal


def _place(marker: str | None, *bound: str | int) -> int:
    """Read a marker's place; it must be bound to the same list as the request."""
    if not marker:
        return 0
    parts = unseal(marker, len(bound) + 1)
    if parts is None or parts[:-1] != list(map(str, bound)) or not parts[-1].isdecimal():
        msg = f"Marker {marker!r} was not made for this request, or its list has changed since"
        raise Refused(msg)
    return int(parts[-1])


def _state(engine: Engine, request: Request) -> dict[str, Any]:
    journal = holder(engine, request["DurableExecutionArn"], request["CheckpointToken"])
    serial, marker = journal.row.serial, request.get("Marker")
    parts = (unseal(marker, 3) if marker else None) or [str(serial), "state"]
    kind = "news" if parts[1] == "news" else "state"
    start = _place(marker, serial, kind)
    texts = journal.news if kind == "news" else journal.shown.values()
    page, further = cut(texts, start, request.get("MaxItems") or 100, engine.limits.page)
    operations = dated(json.loads(f"[{','.join(page)}]"))
    more = None if further is None else seal(serial, kind, further)
    return {"Operations": operations, **given(NextMarker=more)}


def _describe(engine: Engine, request: Request) -> dict[str, Any]:
    row = _known(engine, request).row
    data = request.get("IncludeExecutionData", True)
    shown = given(
        **_item(row),
        Version=row.version,
        ExpectedExecutionTimeoutTimestamp=row.deadline if row.open else None,
        InputPayload=row.input if data else None,
        Result=row.result if data else None,
        Error=row.error if data else None,
    )
    config = {"ExecutionTimeout": row.timeout, "RetentionPeriodInDays": RETENTION}
    described: dict[str, Any] = dated(json.loads(json.dumps(shown)))
    return {**described, "ExecutionDataIncluded": data, "DurableConfig": config}


def _item(row: Execution) -> dict[str, Any]:
    return given(
        DurableExecutionArn=row.arn,
        DurableExecutionName=row.name,
        FunctionArn=row.arn.partition("/")[0],
        Status=row.status,
        StartTimestamp=row.started,
        EndTimestamp=row.ended,
    )


def _history(engine: Engine, request: Request) -> dict[str, Any]:
    row = _known(engine, request).row
    most = request.get("MaxItems") or 100
    newest = request.get("ReverseOrder", False)
    direction = "newest" if newest else "oldest"
    place = _place(request.get("Marker"), row.id, direction)
    if newest:
        last = place or row.events
        first = max(1, last - most + 1)
        further = first - 1 or None
    else:
        first = place or 1
        last = first + most - 1
        further = last + 1 if last < row.events else None
    events = engine.store.events(row.arn, first, last)
    data = request.get("IncludeExecutionData", True)
    items = [event_item(event, data=data) for event in events]
    marker = None if further is None else seal(row.id, direction, further)
    return {"Events": items[::-1] if newest else items, **given(NextMarker=marker)}


def _list(engine: Engine, request: Request) -> dict[str, Any]:
    text = request["FunctionName"]
    name = Name.parse(text)
    if name is None or name.region not in {None, REGION} or name.account not in {None, ACCOUNT}:
        msg = f"Function not found: {text}"
        raise Missing(msg)
    rows = [row for row in engine.store.executions() if row.function == name.name]
    if not rows and name.name not in engine.functions:
        msg = f"Function not found: {text}"
        raise Missing(msg)
    qualifier = request.get("Qualifier") or name.qualifier
    statuses = request.get("Statuses") or ()
    wanted = request.get("DurableExecutionName")
    after, before = request.get("StartedAfter"), request.get("StartedBefore")
    rows = [
        row
        for row in rows
        if qualifier in (None, row.version)
        and wanted in (None, row.name)
        and (not statuses or row.status in statuses)
        and (after is None or row.started > to_millis(_aware(after)))
        and (before is None or row.started < to_millis(_aware(before)))
    ]
    newest = not request.get("ReverseOrder", False)
    direction = "newest" if newest else "oldest"
    start = _place(request.get("Marker"), direction)
    most = request.get("MaxItems") or 100
    page = (rows[::-1] if newest else rows)[start : start + most]
    more = seal(direction, start + most) if start + most < len(rows) else None
    return {"DurableExecutions": [dated(_item(row)) for row in page], **given(NextMarker=more)}


def _aware(value: Any) -> Any:
    from botocore.utils import parse_to_aware_datetime

    return parse_to_aware_datetime(value)


def _stop(engine: Engine, request: Request) -> dict[str, Any]:
    with engine.transaction() as now:
        journal = _known(engine, request)
        _fits(request.get("Error"))
        if journal.row.open:
            _lives.close(engine, journal, "STOPPED", now, error=_copy(request.get("Error")))
        return {"StopTimestamp": to_datetime(journal.row.ended or now)}


def _callback(engine: Engine, request: Request) -> tuple[Journal, Operation]:
    word = request["CallbackId"]
    parts = unseal(word, 2)
    if parts is None:
        msg = f"CallbackId {word!r} is none that this service gave out"
        raise Refused(msg)
    journal = engine.find_id(parts[0])
    operation = journal.operations.get(parts[1]) if journal else None
    if journal is None or operation is None or operation.callback != word:
        msg = "There is no such callback"
        raise Late(msg)
    if not journal.row.open:
        msg = f"The callback's execution is {journal.row.status}"
        raise Late(msg)
    if not operation.waits:
        msg = f"The callback is {operation.status}"
        raise Late(msg)
    return journal, operation


def _succeed(engine: Engine, request: Request) -> dict[str, Any]:
    body: Any = request.get("Result")
    data = body.read() if hasattr(body, "read") else body
    raw = data.encode() if isinstance(data, str) else bytes(data or b"")
    if len(raw) > PAYLOAD_LIMIT:
        msg = f"Result has {len(raw)} bytes, the limit is {PAYLOAD_LIMIT}"
        raise Refused(msg)
    try:
        text = raw.decode() if raw else None
    except UnicodeDecodeError as error:
        msg = f"Result is expected to be UTF-8 text: {error}"
        raise Refused(msg) from None
    return _answered(engine, request, "SUCCEEDED", result=text)


def _fail(engine: Engine, request: Request) -> dict[str, Any]:
    _fits(request.get("Error"))
    return _answered(engine, request, "FAILED", error=_copy(request.get("Error")))


def _answered(
    engine: Engine,
    request: Request,
    status: str,
    result: str | None = None,
    error: dict[str, Any] | None = None,
) -> dict[str, Any]:
    with engine.transaction() as now:
        journal, operation = _callback(engine, request)
        _lives.complete(
            engine, journal, answer(operation, status, now, result=result, error=error), now
        )
    return {}


def _heartbeat(engine: Engine, request: Request) -> dict[str, Any]:
    with engine.transaction() as now:
        journal, operation = _callback(engine, request)
        if operation.heartbeat:
            beaten = beat(operation, now)
            engine.edit(journal).put(beaten)
            engine.watch(journal, beaten)
    return {}


def _fits(error: Mapping[str, Any] | None) -> None:
    if error_size(error) > PAYLOAD_LIMIT:
        msg = f"Error has {error_size(error)} bytes, the limit is {PAYLOAD_LIMIT}"
        raise Refused(msg)


def _copy(error: Mapping[str, Any] | None) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(error or {}))
    return copy
