"""One invocation: how it begins, and what its end does to the execution."""

from __future__ import annotations

import json
import uuid
from typing import Any

from attrs import frozen

from durable_gen.local import _lives
from durable_gen.local._clock import to_datetime
from durable_gen.local._ending import EXITED, NOTHING_PENDING, Ending
from durable_gen.local._engine import Engine
from durable_gen.local._facts import ErrorObject
from durable_gen.local._functions import Answer, Function, LambdaContext, call
from durable_gen.local._journal import Journal, cut
from durable_gen.local._machine import Draft, answer, wrapped
from durable_gen.local._reports import InvocationStarted
from durable_gen.local._rules import PAYLOAD_LIMIT, size
from durable_gen.local._tokens import seal


@frozen
class Invocation:
    """What the function of an execution is to be called with."""

    function: Function
    event: Any
    context: LambdaContext


def begin(engine: Engine, arn: str, function: Function) -> Invocation | None:
    """Begin the invocation that an execution is owed; None if it is owed none any more."""
    with engine.transaction() as now:
        journal = engine.find(arn)
        if journal is None or not journal.row.owed or not journal.row.open:
            return None
        row = engine.edit(journal).row
        updated = [operation.id for operation in journal.in_order(row.fresh)]
        journal.set(
            running=True,
            owed=False,
            fresh=(),
            request=str(uuid.uuid4()),
            invoked=now,
            invocations=row.invocations + 1,
            serial=row.serial + 1,
        )
        row = journal.row
        page, further = cut(journal.shown.values(), 0, None, engine.limits.page)
        event = {
            "DurableExecutionArn": arn,
            "CheckpointToken": seal(row.id, row.serial),
            "InitialExecutionState": {
                "Operations": json.loads(f"[{','.join(page)}]"),
                "NextMarker": "" if further is None else seal(row.serial, "state", further),
            },
            "UpdatedOperationIds": updated,
        }
        context = LambdaContext(function, row.request, row.tenant, engine.clock)
    engine.notify(InvocationStarted(arn, row.request, row.invocations, to_datetime(now)))
    return Invocation(function, event, context)


def end(engine: Engine, arn: str, ending: Ending) -> None:
    """End an execution's invocation.

    Args:
        engine: the service's state.
        arn: the execution.
        ending: how it ended.
    """
    with engine.transaction() as now:
        _lives.fire(engine, now)  # what fell due while it ran stands before its end
        journal = _running(engine, arn)
        if journal is None:
            return
        row = journal.row
        kind, error = ending.kind, ending.error
        if kind == "PENDING" and row.open and not journal.waiting and not row.fresh:
            kind, error = "IDLE", NOTHING_PENDING
        _completed(journal, now, {} if kind == "FAILED" and error is None else error)
        if row.open:
            _conclude(engine, journal, kind, ending.result, error, now)
        for id_ in list(journal.waiting):
            _lives.deliver(engine, journal, journal.operations[id_], now)


def _conclude(
    engine: Engine,
    journal: Journal,
    kind: str,
    result: str | None,
    error: ErrorObject | None,
    now: int,
) -> None:
    row, limits = journal.row, engine.limits
    match kind:
        case "SUCCEEDED":
            _lives.close(engine, journal, "SUCCEEDED", now, result=result)
        case "FAILED" | "MALFORMED":
            _lives.close(engine, journal, "FAILED", now, error=error or {})
        case "RAISED":
            journal.set(failures=row.failures + 1, idlings=0)
            if limits.attempts is not None and row.failures + 1 >= limits.attempts:
                _lives.close(engine, journal, "FAILED", now, error=error)
            else:
                engine.retry(journal, now, row.failures + 1)
        case "IDLE":
            journal.set(failures=0, idlings=row.idlings + 1)
            if row.idlings + 1 >= limits.idlings:
                _lives.close(engine, journal, "FAILED", now, error=error)
            else:
                engine.retry(journal, now, row.idlings + 1)
        case _:
            journal.set(failures=0, idlings=0)
            if row.fresh:
                engine.want(journal)


def exited(engine: Engine, arn: str) -> None:
    """Write that an invocation's process ended before it, and owe the execution another at once.

    It does not count as a failed attempt: whoever stopped the process is not the workflow's fault.
    """
    with engine.transaction() as now:
        journal = _running(engine, arn)
        if journal is None:
            return
        _completed(journal, now, EXITED)
        engine.want(journal)
        for id_ in list(journal.waiting):
            _lives.deliver(engine, journal, journal.operations[id_], now)


def vanish(engine: Engine, arn: str) -> None:
    """Fail an execution whose function is gone."""
    with engine.transaction() as now:
        journal = engine.find(arn)
        if journal is not None and journal.row.open:
            text = f"Function not found: {journal.row.function}:{journal.row.version}"
            error = {"ErrorType": "ResourceNotFoundException", "ErrorMessage": text}
            _lives.close(engine, journal, "FAILED", now, error=error)


def reach(engine: Engine, arn: str, id_: str, function: Function) -> None:
    """Call the plain target of a chained invoke, and end the operation with its answer."""
    journal = engine.find(arn)
    assert journal is not None
    operation = journal.operations[id_]
    context = LambdaContext(function, str(uuid.uuid4()), operation.tenant, engine.clock)
    try:
        event = json.loads("{}" if operation.input is None else operation.input)
    except ValueError as error:
        text = f"Could not parse request body into json: {error}"
        given = Answer(error={"ErrorType": "InvalidRequestContentException", "ErrorMessage": text})
    else:
        given = call(function, event, context)
    if given.error is None and size(given.text) > PAYLOAD_LIMIT:
        text = f"The answer has {size(given.text)} bytes, the limit is {PAYLOAD_LIMIT}."
        given = Answer(error={"ErrorType": "InvalidParameterValueException", "ErrorMessage": text})
    with engine.transaction() as now:
        journal = engine.find(arn)
        if journal is None or not journal.row.open or not journal.operations[id_].waits:
            return
        status = "SUCCEEDED" if given.error is None else "FAILED"
        result = given.text if given.error is None else None
        move = answer(journal.operations[id_], status, now, result=result, error=given.error)
        _lives.complete(engine, journal, move, now)


def _running(engine: Engine, arn: str) -> Journal | None:
    journal = engine.find(arn)
    return engine.edit(journal) if journal is not None and journal.row.running else None


def _completed(journal: Journal, now: int, error: ErrorObject | None) -> None:
    row = journal.row
    details: dict[str, Any] = {
        "StartTimestamp": row.invoked,
        "EndTimestamp": now,
        "RequestId": row.request,
    }
    if error is not None:
        details["Error"] = wrapped(error)
    journal.append(Draft("InvocationCompleted", details), now, None)
    journal.set(running=False)
