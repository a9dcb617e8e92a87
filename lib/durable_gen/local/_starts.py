"""How an Invoke starts an execution, or finds the one that it has started before."""

from __future__ import annotations

import json

from durable_gen.local import _lives
from durable_gen.local._engine import Engine
from durable_gen.local._rules import size
from durable_gen.local._wire import check, fault


def start(
    engine: Engine,
    name: str,
    payload_text: str | None,
    execution_name: str | None = None,
    tenant_id: str | None = None,
    *,
    trace_id: str | None = None,
    limit: int,
) -> str:
    """Start an execution, or find the one that has the name and the same payload.

    Args:
        engine: the service's state.
        name: of a durable function; a version may follow.
        payload_text: JSON text.
        execution_name: made up if None.
        tenant_id: tenant id.
        trace_id: X-Ray's header.
        limit: bytes that payload and result may have.

    Returns:
        The execution's ARN.

    Raises:
        ClientError: as Invoke raises it.
    """
    request = {"FunctionName": name}
    optional = {"DurableExecutionName": execution_name, "TenantId": tenant_id}
    check("Invoke", request | {k: v for k, v in optional.items() if v is not None})
    function = engine.function(name)
    if function is None:
        raise fault(
            code="ResourceNotFoundException",
            message=f"Function not found: {name}",
            operation="Invoke",
        )
    if not function.durable:
        text = f"{name} is no durable function: it has no executions to start"
        raise fault(code="InvalidParameterValueException", message=text, operation="Invoke")
    judge(payload_text, limit)
    _lives.settle(engine)  # a name may have become free
    with engine.transaction() as now:
        if execution_name is not None:
            known = engine.find_name(function.name, execution_name)
            if known is not None:
                row = known.row
                if (row.input, row.version) == (payload_text, function.version):
                    return row.arn
                text = f"The execution {execution_name} has been started with another payload or version: {row.arn}"
                raise fault(
                    code="DurableExecutionAlreadyStartedException",
                    message=text,
                    operation="Invoke",
                )
        journal = _lives.start(
            engine,
            function,
            now,
            payload=payload_text,
            name=execution_name,
            tenant=tenant_id,
            limit=limit,
            trace=trace_id,
        )
        return journal.row.arn


def judge(payload: str | None, limit: int) -> None:
    """Judge the payload of an Invoke.

    Args:
        payload: JSON text.
        limit: bytes that it may have.

    Raises:
        ClientError: RequestTooLargeException or InvalidRequestContentException.
    """
    if size(payload) > limit:
        text = f"The payload has {size(payload)} bytes, the limit is {limit}"
        raise fault(code="RequestTooLargeException", message=text, operation="Invoke")
    try:
        json.loads(payload or "{}")
    except (ValueError, RecursionError) as error:
        text = f"Could not parse request body into json: {error}"
        raise fault(
            code="InvalidRequestContentException", message=text, operation="Invoke"
        ) from None
