"""The law of an operation's life: from which status what leads where, and which events that writes.

Two tables hold it. LEGAL is what a function's update may do, CAUSES what may happen from outside.
`apply` takes an update, `elapse` a clock that ran out, `answer` a callback or a chained invoke that
ended. Each gives the operation's next value and the events; none knows the time, it is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from durable_gen.local._facts import ErrorObject, Operation, Update, changed

LEGAL: Mapping[tuple[str, str | None, str], str] = {
    ("STEP", None, "START"): "STARTED",
    ("STEP", "READY", "START"): "STARTED",
    **{
        ("STEP", status, action): then
        for status in (None, "STARTED", "READY")
        for action, then in (("SUCCEED", "SUCCEEDED"), ("FAIL", "FAILED"), ("RETRY", "PENDING"))
    },
    ("WAIT", None, "START"): "STARTED",
    ("WAIT", "STARTED", "CANCEL"): "CANCELLED",
    ("CALLBACK", None, "START"): "STARTED",
    ("CHAINED_INVOKE", None, "START"): "STARTED",
    ("CONTEXT", None, "START"): "STARTED",
    **{
        ("CONTEXT", status, action): then
        for status in (None, "STARTED")
        for action, then in (("SUCCEED", "SUCCEEDED"), ("FAIL", "FAILED"))
    },
}
"""(type, status, action of the update) -> status. A status of None: there is no such operation yet."""

CAUSES: Mapping[tuple[str, str, str], str] = {
    ("WAIT", "STARTED", "timer"): "SUCCEEDED",
    ("STEP", "PENDING", "timer"): "READY",
    ("CALLBACK", "STARTED", "timer"): "TIMED_OUT",
    ("CALLBACK", "STARTED", "answer"): "SUCCEEDED or FAILED",
    ("CHAINED_INVOKE", "STARTED", "answer"): "SUCCEEDED, FAILED, TIMED_OUT or STOPPED",
}
"""(type, status, cause) -> status."""

WORDS = {
    "STEP": "Step",
    "WAIT": "Wait",
    "CALLBACK": "Callback",
    "CHAINED_INVOKE": "ChainedInvoke",
    "CONTEXT": "Context",
    "STARTED": "Started",
    "SUCCEEDED": "Succeeded",
    "FAILED": "Failed",
    "TIMED_OUT": "TimedOut",
    "STOPPED": "Stopped",
    "CANCELLED": "Cancelled",
}
"""How EventType spells an operation's type and status."""


@frozen
class Draft:
    """An event before the journal numbers and dates it."""

    type: str
    details: Mapping[str, Any]


@frozen
class Move:
    """An operation's next value and what the history says of it."""

    operation: Operation
    events: tuple[Draft, ...] = ()


@frozen
class Target:
    """What a chained invoke reaches: a child execution, a plain function, or nothing (`refusal`)."""

    version: str | None = None
    child: str | None = None
    refusal: ErrorObject | None = None


def wrapped(payload: object) -> dict[str, Any]:
    """Wrap a payload or an error as history does."""
    return {"Truncated": False} if payload is None else {"Payload": payload, "Truncated": False}


def apply(
    operation: Operation | None,
    update: Update,
    now: int,
    *,
    order: int = 0,
    callback: str | None = None,
    target: Target | None = None,
) -> Move:
    """Apply an update that the rules have passed.

    Args:
        operation: the operation as it stands; None if there is none of that id.
        update: what to do.
        now: milliseconds.
        order: the place of a new operation in the state.
        callback: the CallbackId of a new callback.
        target: what a new chained invoke reaches.

    Raises:
        KeyError: the table knows no such move.
    """
    status = LEGAL[update.type, operation.status if operation else None, update.action]
    if operation is None:
        operation = Operation(
            id=update.id,
            type=update.type,
            status=status,
            order=order,
            started=now,
            parent=update.parent,
            name=update.name,
            sub_type=update.sub_type,
        )
    elif update.action == "START":
        operation = changed(operation, status=status)
    if update.action == "START":
        return _start(operation, update, now, callback, target)
    if update.type == "STEP":
        return _attempt(operation, status, update, now)
    closed = changed(
        operation,
        status=status,
        ended=now,
        result=update.payload,
        error=update.error,
        replay_children=update.replay_children,
    )
    if status == "CANCELLED":
        details = {} if update.error is None else {"Error": wrapped(update.error)}
        return Move(closed, (Draft("WaitCancelled", details),))
    return Move(closed, (_outcome(closed),))


def _start(
    started: Operation, update: Update, now: int, callback: str | None, target: Target | None
) -> Move:
    details: dict[str, Any]
    match update.type:
        case "WAIT":
            seconds = update.wait or 0
            end = now + seconds * 1000
            details = {"Duration": seconds, "ScheduledEndTimestamp": end}
            return Move(
                changed(started, due=end, seconds=seconds), (Draft("WaitStarted", details),)
            )
        case "CALLBACK":
            details = {"CallbackId": callback}
            if update.timeout:
                details["Timeout"] = update.timeout
            if update.heartbeat:
                details["HeartbeatTimeout"] = update.heartbeat
            started = changed(
                started,
                callback=callback,
                seconds=update.timeout,
                heartbeat=update.heartbeat,
                due=now + update.timeout * 1000 if update.timeout else None,
                heartbeat_due=now + update.heartbeat * 1000 if update.heartbeat else None,
            )
            return Move(started, (Draft("CallbackStarted", details),))
        case "CHAINED_INVOKE":
            assert target is not None
            return _invoke(started, update, now, target)
        case _:
            return Move(started, (Draft(f"{WORDS[update.type]}Started", {}),))


def _invoke(started: Operation, update: Update, now: int, target: Target) -> Move:
    details: dict[str, Any] = {"FunctionName": update.function}
    if update.tenant is not None:
        details["TenantId"] = update.tenant
    started = changed(
        started,
        function=update.function,
        tenant=update.tenant,
        trace=update.trace,
        input=update.payload,
        child=target.child,
    )
    if target.refusal is not None:
        failed = changed(started, status="FAILED", ended=now, error=target.refusal)
        return Move(failed, (Draft("ChainedInvokeStarted", details), _outcome(failed)))
    details["Input"] = wrapped("{}" if update.payload is None else update.payload)
    details["ExecutedVersion"] = target.version
    if target.child is not None:
        details["DurableExecutionArn"] = target.child
    return Move(started, (Draft("ChainedInvokeStarted", details),))


def _attempt(operation: Operation, status: str, update: Update, now: int) -> Move:
    again = status == "PENDING"
    done = changed(
        operation,
        status=status,
        attempt=operation.attempt + 1,
        result=update.payload,
        error=update.error,
        due=now + (update.delay or 0) * 1000 if again else None,
        ended=None if again else now,
    )
    counts = {"CurrentAttempt": done.attempt}
    if again:
        counts["NextAttemptDelaySeconds"] = update.delay or 0
    failed = update.action == "FAIL" or (again and update.error is not None)
    word, member, value = (
        ("StepFailed", "Error", update.error)
        if failed
        else ("StepSucceeded", "Result", update.payload)
    )
    return Move(done, (Draft(word, {member: wrapped(value), "RetryDetails": counts}),))


def elapse(operation: Operation, now: int) -> Move:
    """Let an operation's clock run out.

    Args:
        operation: one whose `timer` is not after now.
        now: milliseconds.

    Raises:
        KeyError: nothing of it runs on a clock.
    """
    status = CAUSES[operation.type, operation.status, "timer"]
    if status == "READY":
        return Move(changed(operation, status=status, due=None))
    if operation.type == "WAIT":
        ended = changed(operation, status=status, ended=now)
        return Move(ended, (Draft("WaitSucceeded", {"Duration": operation.seconds}),))
    beat = operation.heartbeat_due is not None and operation.heartbeat_due == operation.timer
    late = beat and operation.heartbeat_due != operation.due  # a tie is the timeout's
    word, seconds = ("Heartbeat", operation.heartbeat) if late else ("Timeout", operation.seconds)
    what = "no heartbeat" if late else "no answer"
    error = {
        "ErrorType": f"Callback.{word}",
        "ErrorMessage": f"The callback had {what} within {seconds} seconds.",
    }
    ended = changed(operation, status=status, ended=now, error=error)
    return Move(ended, (_outcome(ended),))


def answer(
    operation: Operation, status: str, now: int, *, result: str | None, error: ErrorObject | None
) -> Move:
    """End a callback or a chained invoke with its answer.

    Args:
        operation: the callback or chained invoke, STARTED.
        status: SUCCEEDED, FAILED, TIMED_OUT or STOPPED.
        now: milliseconds.
        result: text, of a success.
        error: of anything else.

    Raises:
        KeyError: it does not wait for an answer.
    """
    assert status in CAUSES[operation.type, operation.status, "answer"]
    ended = changed(operation, status=status, ended=now, result=result, error=error)
    return Move(ended, (_outcome(ended),))


def beat(operation: Operation, now: int) -> Operation:
    """Restart a callback's heartbeat clock in full."""
    return changed(operation, heartbeat_due=now + operation.heartbeat * 1000)


def _outcome(operation: Operation) -> Draft:
    word = f"{WORDS[operation.type]}{WORDS[operation.status]}"
    if operation.status == "SUCCEEDED":
        return Draft(word, {"Result": wrapped(operation.result)})
    return Draft(word, {"Error": wrapped(operation.error)})
