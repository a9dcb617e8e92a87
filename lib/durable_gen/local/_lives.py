"""The lives of executions: how one starts, is woken from outside, and closes."""

from __future__ import annotations

from durable_gen.local._engine import Engine
from durable_gen.local._facts import ErrorObject, Execution, Operation
from durable_gen.local._functions import Function
from durable_gen.local._journal import Journal
from durable_gen.local._machine import WORDS, Draft, Move, answer, elapse, wrapped


def complete(engine: Engine, journal: Journal, move: Move, now: int) -> None:
    """Keep a move that came from outside, and wake the execution."""
    engine.put(journal, move, now)
    journal.set(fresh=(*journal.row.fresh, move.operation.id))
    engine.want(journal)


def settle(engine: Engine) -> list[tuple[str, str]]:
    """Let everything happen that time alone has made due; gives what fired, as `fire` does."""
    if not engine.due():
        return []
    with engine.transaction() as now:
        return fire(engine, now)


def fire(engine: Engine, now: int) -> list[tuple[str, str]]:
    """Fire every timer that is due, in the order of time.

    Args:
        engine: the service's state.
        now: milliseconds.

    Returns:
        What fired: ARN and operation id, "" for a timeout or a retry of the execution itself; for
        an asynchronous invocation of a plain function "" and its request id.
    """
    fired: list[tuple[str, str]] = []
    if not engine.maybe_due(now):
        return fired
    while True:
        timer, timeout = engine.timers.next(), engine.timeouts.next()
        first = min((t for t in (timer, timeout) if t is not None), default=None)
        if first is None or first > now:
            break
        arn, id_ = (engine.timeouts if first == timeout else engine.timers).pop()
        fired.append((arn, id_))
        if not arn:
            engine.ready.append((arn, id_))
            continue
        journal = engine.find(arn)
        assert journal is not None
        engine.edit(journal)
        if first == timeout:
            text = f"The execution was not finished within {journal.row.timeout} seconds."
            close(engine, journal, "TIMED_OUT", now, error={"ErrorMessage": text})
        elif id_:
            complete(engine, journal, elapse(journal.operations[id_], now), now)
        else:
            journal.set(retry_at=None)
            engine.want(journal)
    while (expiry := engine.expiries.next()) is not None and expiry <= now:
        over = engine.find(engine.expiries.pop()[0])
        assert over is not None
        remove(engine, over, now)
    return fired


def start(
    engine: Engine,
    function: Function,
    now: int,
    *,
    payload: str | None,
    name: str | None,
    tenant: str | None,
    limit: int,
    trace: str | None = None,
    caller: tuple[str, str] | None = None,
) -> Journal:
    """Start an execution.

    Args:
        engine: the service's state.
        function: whose.
        now: milliseconds.
        payload: its input, JSON text.
        name: its name; one is made if None.
        tenant: tenant id.
        limit: bytes of its result.
        trace: X-Ray's header.
        caller: ARN and operation of a chained invoke.
    """
    id_ = engine.ids()
    name = name or engine.ids()
    row = Execution(
        arn=f"{function.arn}/durable-execution/{name}/{id_}",
        function=function.name,
        version=function.version,
        name=name,
        id=id_,
        status="RUNNING",
        started=now,
        timeout=function.timeout,
        limit=limit,
        retention=function.retention,
        input=payload,
        tenant=tenant,
        trace=trace,
        caller=caller[0] if caller else None,
        caller_operation=caller[1] if caller else None,
    )
    journal = engine.admit(Journal(row))
    root = Operation(
        id=id_,
        type="EXECUTION",
        status="STARTED",
        order=0,
        started=now,
        name=name,
        input=payload,
    )
    details = {"Input": wrapped(payload), "ExecutionTimeout": function.timeout or 0}
    engine.put(journal, Move(root, (Draft("ExecutionStarted", details),)), now)
    engine.keep_time(row)
    engine.want(journal)
    return journal


def close(
    engine: Engine,
    journal: Journal,
    status: str,
    now: int,
    *,
    result: str | None = None,
    error: ErrorObject | None = None,
) -> None:
    """Close an execution, and tell the one that invoked it."""
    engine.edit(journal).set(
        status=status, ended=now, result=result, error=error, owed=False, retry_at=None
    )
    member, value = ("Result", result) if status == "SUCCEEDED" else ("Error", error)
    draft = Draft(f"Execution{WORDS[status]}", {member: wrapped(value)})
    journal.append(draft, now, journal.root)
    engine.keep_until(journal.row)
    if journal.row.caller is not None and journal.row.caller_operation is not None:
        caller = engine.find(journal.row.caller)
        if caller is not None:
            deliver(engine, caller, caller.operations[journal.row.caller_operation], now)


def deliver(
    engine: Engine, caller: Journal, operation: Operation, now: int, *, hurry: bool = False
) -> None:
    """End a chained invoke whose target has ended, unless its caller's invocation still runs.

    Args:
        engine: the service's state.
        caller: the execution that invoked.
        operation: the chained invoke.
        now: milliseconds.
        hurry: do not wait for the invocation's end.
    """
    if (caller.row.running and not hurry) or not caller.row.open or not operation.waits:
        return
    if operation.id in caller.held:
        given = caller.held.pop(operation.id)
        status = "SUCCEEDED" if given.error is None else "FAILED"
        result = given.text or None if given.error is None else None
        complete(
            engine, caller, answer(operation, status, now, result=result, error=given.error), now
        )
        return
    if not operation.child:
        return
    child = engine.find(operation.child)
    if child is None or child.row.open:
        return
    row, error = child.row, child.row.error
    if row.status == "TIMED_OUT":
        text = f"The invoked execution was not finished within {row.timeout} seconds."
        error = {"ErrorType": "ChainedInvoke.Timeout", "ErrorMessage": text}
    move = answer(operation, row.status, now, result=row.result, error=error)
    complete(engine, caller, move, now)


def remove(engine: Engine, journal: Journal, now: int) -> None:
    """Forget a closed execution; one that invoked it gets its outcome first."""
    row = journal.row
    if row.caller is not None and row.caller_operation is not None:
        caller = engine.find(row.caller)
        if caller is not None:
            deliver(engine, caller, caller.operations[row.caller_operation], now, hurry=True)
    engine.edit(journal).remove()
