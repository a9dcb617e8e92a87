"""The API's own shapes: requests are judged by botocore's model, faults are botocore's exceptions."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.errorfactory import ClientExceptionsFactory
from botocore.exceptions import ParamValidationError
from botocore.validate import ParamValidator

from durable_gen.local._clock import to_datetime
from durable_gen.local._facts import Event, Operation
from durable_gen.local._json import ascii_text
from durable_gen.local._shapes import UNJUDGED, Fits, fitting, pattern


@cache
def model() -> Any:
    """Load botocore's model of Lambda, once."""
    return botocore.session.get_session().get_service_model("lambda")


@cache
def exceptions() -> Any:
    """Make the classes that a Lambda client has as `client.exceptions`."""
    return ClientExceptionsFactory().create_client_exceptions(model())


def fault(code: str, message: str, operation: str) -> Exception:
    """Make the exception that a botocore client raises for a fault.

    Args:
        code: name of the exception in the model.
        message: what was wrong.
        operation: the API operation.
    """
    shape = model().shape_for(code)
    answer = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {
            **metadata(operation),
            "HTTPStatusCode": shape.metadata["error"]["httpStatusCode"],
        },
    }
    error: Exception = exceptions().from_code(code)(answer, operation)
    return error


def metadata(operation: str) -> dict[str, Any]:
    """Make the ResponseMetadata of an operation's success."""
    return {
        "RequestId": str(uuid.uuid4()),
        "HTTPStatusCode": _status(operation),
        "HTTPHeaders": {},
        "RetryAttempts": 0,
    }


@cache
def _status(operation: str) -> int:
    return int(model().operation_model(operation).http.get("responseCode", 200))


@cache
def _fits(operation: str) -> Fits:
    return fitting(model().operation_model(operation).input_shape)


def surely_fits(operation: str, request: Mapping[str, Any]) -> bool:
    """Tell whether a request is certainly what the model takes; with a no, `check` tells more."""
    return _fits(operation)(request)


def check(operation: str, request: Mapping[str, Any]) -> None:
    """Judge a request by the model.

    Args:
        operation: the API operation, as the model spells it.
        request: its arguments.

    Raises:
        ParamValidationError: botocore itself would not send it.
        InvalidParameterValueException: the service would not take it; all violations are listed.
    """
    if not surely_fits(operation, request):
        _report(operation, request)


def _report(operation: str, request: Mapping[str, Any]) -> None:
    """Look closely at a request, and say all that is wrong with it."""
    shape = model().operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        raise ParamValidationError(report=report.generate_report())
    found = list(_violations(shape, request, ""))
    if found:
        raise fault(
            code="InvalidParameterValueException", message="; ".join(found), operation=operation
        )


def _violations(shape: Any, value: Any, path: str) -> Iterator[str]:
    match shape.type_name:
        case "structure":
            members = shape.members
            for name, item in value.items():
                if name not in UNJUDGED:
                    yield from _violations(members[name], item, f"{path}.{name}".lstrip("."))
        case "list":
            yield from _bounds(shape, len(value), path, "items")
            for place, item in enumerate(value):
                yield from _violations(shape.member, item, f"{path}[{place}]")
        case "string":
            yield from _bounds(shape, len(value), path, "characters")
            if shape.enum and value not in shape.enum:
                yield f"{path} is {value!r}, expected one of {', '.join(shape.enum)}"
            text = shape.metadata.get("pattern")
            if text is not None and not pattern(text).fullmatch(value):
                yield f"{path} is {value!r}, expected {text}"
        case "integer" | "long":
            yield from _bounds(shape, value, path, "")
        case _:
            return


def _bounds(shape: Any, found: int, path: str, unit: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if (least is not None and found < least) or (most is not None and found > most):
        what = f"has {found} {unit}" if unit else f"is {found}"
        yield f"{path} {what}, expected {least} to {most}"


def dated(value: Any) -> Any:
    """Copy a result as botocore parses it: the milliseconds of a ...Timestamp as an aware datetime."""
    if isinstance(value, dict):
        return {
            key: to_datetime(item)
            if key.endswith("Timestamp") and isinstance(item, int)
            else dated(item)
            for key, item in value.items()
        }
    return [dated(item) for item in value] if isinstance(value, list) else value


def given(**members: Any) -> dict[str, Any]:
    """Keep the members that are there."""
    return {key: value for key, value in members.items() if value is not None}


def operation_text(operation: Operation) -> str:
    """Write an operation as JSON, times in milliseconds."""
    member, details = _details(operation)
    shown = given(
        Id=operation.id,
        ParentId=operation.parent,
        Name=operation.name,
        Type=operation.type,
        SubType=operation.sub_type,
        StartTimestamp=operation.started,
        EndTimestamp=operation.ended,
        Status=operation.status,
    )
    return ascii_text({**shown, member: details})


def _details(operation: Operation) -> tuple[str, dict[str, Any]]:
    outcome = given(Result=operation.result, Error=operation.error)
    match operation.type:
        case "EXECUTION":
            return "ExecutionDetails", given(InputPayload=operation.input)
        case "CONTEXT":
            flag = None if operation.ended is None else operation.replay_children
            return "ContextDetails", given(ReplayChildren=flag) | outcome
        case "STEP":
            counts = given(Attempt=operation.attempt, NextAttemptTimestamp=operation.due)
            return "StepDetails", counts | outcome
        case "WAIT":
            return "WaitDetails", given(ScheduledEndTimestamp=operation.due)
        case "CALLBACK":
            return "CallbackDetails", given(CallbackId=operation.callback) | outcome
        case _:
            return "ChainedInvokeDetails", outcome


def event_item(event: Event, *, data: bool = True) -> dict[str, Any]:
    """Write an event in the API's shape, times in milliseconds.

    Args:
        event: the event.
        data: whether payloads and errors are shown.
    """
    item = given(
        EventType=event.type,
        SubType=event.sub_type,
        EventId=event.id,
        Id=event.operation,
        Name=event.name,
        EventTimestamp=event.at,
        ParentId=event.parent,
    )
    return {**item, f"{event.type}Details": event.details if data else _stripped(event.details)}


def _stripped(details: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: {"Truncated": True} if isinstance(value, dict) and "Truncated" in value else value
        for key, value in details.items()
    }
