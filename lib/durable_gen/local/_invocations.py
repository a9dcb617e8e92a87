"""One invocation: how it begins, and what its end does to the execution."""

from __future__ import annotations

import json
from typing import Any

from durable_gen.local import _control, _lives
from durable_gen.local._clock import to_datetime
from durable_gen.local._ending import EXITED, NOTHING_PENDING, Ending
from durable_gen.local._engine import Engine
from durable_gen.local._facts import ErrorObject
from durable_gen.local._functions import Answer, Function
from durable_gen.local._host import Call, Unreachable
from durable_gen.local._journal import Journal, cut
from durable_gen.local._machine import Draft, wrapped
from durable_gen.local._reports import InvocationStarted
from durable_gen.local._rules import PAYLOAD_LIMIT, size
from durable_gen.local._tokens import seal


def begin(engine: Engine, arn: str, function: Function) -> Call | None:
    """Begin the invocation that an execution is owed; None if it is owed none any more."""
    with engine.transaction() as now:
        journal = engine.find(arn)
        if journal is None or not journal.row.owed or not journal.row.open:
            return None
        if journal.row.status == "PAUSED":
            return None  # it stays owed
        row = engine.edit(journal).row
        updated = [operation.id for operation in journal.in_order(row.fresh)]
        journal.set(
            running=True,
            owed=False,
            fresh=(),
            request=engine.ids(),
            invoked=now,
            invocations=row.invocations + 1,
            serial=row.serial + 1,
            cut=False,
        )
        row = journal.row
        page, further = cut(journal.texts(), 0, None, engine.limits.page)
        marker = "" if further is None else seal(row.serial, "state", further)
        event = (
            f'{{"DurableExecutionArn":{json.dumps(arn)},'
            f'"CheckpointToken":{json.dumps(seal(row.id, row.serial))},'
            f'"InitialExecutionState":{{"Operations":[{",".join(page)}],'
            f'"NextMarker":{json.dumps(marker)}}},'
            f'"UpdatedOperationIds":{json.dumps(updated)}}}'
        )
    engine.notify(InvocationStarted(arn, row.request, row.invocations, to_datetime(now)))
    return Call(function, event, row.request, row.tenant, row.trace)


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
        idle = not journal.waiting and not row.fresh and not row.cut
        if kind == "PENDING" and row.open and idle:
            kind, error = "IDLE", NOTHING_PENDING
        _completed(journal, now, {} if kind == "FAILED" and error is None else error)
        if row.open:
            _conclude(engine, journal, kind, ending.result, error, now)
        if journal.row.status == "PAUSING":
            _control.reach(engine, journal, now)
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
            if row.fresh or row.cut:
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
        _owe(engine, journal, now)


def _owe(engine: Engine, journal: Journal, now: int) -> None:
    if journal.row.status == "PAUSING":
        _control.reach(engine, journal, now)
    engine.want(journal)
    for id_ in list(journal.waiting):
        _lives.deliver(engine, journal, journal.operations[id_], now)


def unreached(engine: Engine, arn: str, event: str, *, gone: bool) -> None:
    """Take back an invocation that no host has run; the history does not mention it.

    Args:
        engine: the service's state.
        arn: the execution.
        event: what the function would have got; what it names is named again to the next try.
        gone: whether there is no such function any more; otherwise it is tried again.
    """
    with engine.transaction() as now:
        journal = _running(engine, arn)
        if journal is None:
            return
        told = json.loads(event)["UpdatedOperationIds"]
        journal.set(running=False, fresh=(*told, *journal.row.fresh))
        if journal.row.open and not gone:
            engine.retry(journal, now, 1)
        if not gone:
            _owe(engine, journal, now)
    if gone:
        vanish(engine, arn)


def vanish(engine: Engine, arn: str) -> None:
    """Fail an execution whose function is gone."""
    with engine.transaction() as now:
        journal = engine.find(arn)
        if journal is not None and journal.row.open:
            text = f"Function not found: {journal.row.function}:{journal.row.version}"
            error = {"ErrorType": "ResourceNotFoundException", "ErrorMessage": text}
            _lives.close(engine, journal, "FAILED", now, error=error)


def reach(engine: Engine, arn: str, id_: str, function: Function) -> Call | None:
    """Make the call of the plain function that a chained invoke names; None if it is over."""
    with engine.transaction():
        journal = engine.find(arn)
        operation = journal.operations.get(id_) if journal else None
        if journal is None or operation is None or not operation.waits or id_ in journal.held:
            return None
        event = "{}" if operation.input is None else operation.input
        trace = operation.trace or journal.row.trace
    try:
        json.loads(event)
    except (ValueError, RecursionError) as error:
        text = f"Could not parse request body into json: {error}"
        reached(engine, arn, id_, Unreachable("InvalidRequestContentException", text))
        return None
    return Call(function, event, engine.ids(), operation.tenant, trace)


def reached(engine: Engine, arn: str, id_: str, given: Answer | Unreachable) -> None:
    """End a chained invoke with what a plain function answered.

    While the invocation that called it still runs, the answer is held back.
    """
    if isinstance(given, Unreachable):
        given = Answer(error=given.error)
    elif given.error is None and size(given.text) > PAYLOAD_LIMIT:
        text = f"The answer has {size(given.text)} bytes, the limit is {PAYLOAD_LIMIT}."
        given = Answer(error={"ErrorType": "InvalidParameterValueException", "ErrorMessage": text})
    with engine.transaction() as now:
        journal = engine.find(arn)
        operation = journal.operations.get(id_) if journal else None
        if journal is None or operation is None or not journal.row.open or not operation.waits:
            return
        journal.held[id_] = given
        _lives.deliver(engine, journal, operation, now)


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
