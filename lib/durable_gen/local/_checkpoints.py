"""A checkpoint: the replay of a repeated one, the token, the whole batch's judgement, then its effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_gen.local import _control, _lives
from durable_gen.local._engine import Engine
from durable_gen.local._facts import Operation, Update, of_wire
from durable_gen.local._functions import Name
from durable_gen.local._journal import Journal, cut
from durable_gen.local._json import read, written
from durable_gen.local._machine import Target, apply
from durable_gen.local._rules import BODY_LIMIT, PAYLOAD_LIMIT, Refused, judge
from durable_gen.local._tokens import seal, unseal


def holder(engine: Engine, arn: str, token: str) -> Journal:
    """Find the execution whose one good token this is.

    Raises:
        Refused: it is not; the text begins with words that SDKs look for.
    """
    parts = unseal(token, 2)
    journal = engine.find(arn)
    if parts is not None and journal is not None and parts[0] != journal.row.id:
        other = engine.find_id(parts[0])
        if other is not None:
            msg = f"The checkpoint token is one of another execution, {other.row.arn}"
            raise Refused(msg)
    why = None
    if parts is None:
        why = "it is none of this service's"
    elif journal is None:
        why = "there is no such execution"
    elif not journal.row.open:
        why = f"the execution is {journal.row.status}"
    elif not journal.row.running:
        why = "no invocation is running"
    elif parts != [journal.row.id, str(journal.row.serial)]:
        why = "it has been used, or a later invocation has begun"
    if why is not None or journal is None:
        msg = f"Invalid checkpoint token: {why}"
        raise Refused(msg)
    return journal


def checkpoint(engine: Engine, request: Mapping[str, Any]) -> dict[str, Any]:
    """Take in a checkpoint.

    Args:
        engine: the service's state.
        request: CheckpointDurableExecution's, passed by the model.

    Returns:
        CheckpointToken, unless it is withheld, and NewExecutionState.

    Raises:
        Refused: nothing has been changed, and the token stays good.
    """
    arn, token = request["DurableExecutionArn"], request["CheckpointToken"]
    copied = written(request.get("Updates", []))  # nothing is shared with the caller
    with engine.transaction() as now:
        journal = engine.find(arn)
        repeat = (request.get("ClientToken", ""), token)
        if journal is not None and journal.replay is not None and journal.replay[:2] == repeat:
            return dict(read(journal.replay[2]))
        journal = holder(engine, arn, token)
        if len(copied) > BODY_LIMIT:
            msg = f"The updates have {len(copied)} bytes, the limit is {BODY_LIMIT}"
            raise Refused(msg)
        batch = [of_wire(item) for item in read(copied)]
        judge(batch, journal.operations.get, journal.row.limit)
        engine.edit(journal)
        for update in batch:
            _apply(engine, journal, update, now)
        most = engine.limits.operations
        if (
            journal.row.open and len(journal.operations) - 1 > most
        ):  # EXECUTION is none of the function's
            text = f"The execution has more than {most} operations."
            _lives.close(engine, journal, "FAILED", now, error={"ErrorMessage": text})
        _lives.fire(engine, now)
        if journal.row.status == "PAUSING":
            return _paused(engine, journal, now)
        sent = (update.id for update in batch if update.type != "EXECUTION")
        news = journal.in_order((*sent, *journal.row.fresh))
        journal.set(fresh=(), serial=journal.row.serial + 1)
        answer = _answer(engine, journal, news)
        journal.replay = (*repeat, answer) if repeat[0] and journal.row.open else None
    return dict(read(answer))


def _paused(engine: Engine, journal: Journal, now: int) -> dict[str, Any]:
    """Let a pause take effect: the updates are kept, the token is not given back."""
    _control.reach(engine, journal, now)
    journal.set(cut=True, serial=journal.row.serial + 1)
    journal.replay = None
    return {"NewExecutionState": {"Operations": []}}


def _answer(engine: Engine, journal: Journal, news: list[Operation]) -> str:
    """Write the answer, times in milliseconds."""
    serial = journal.row.serial
    journal.news = [journal.text(operation) for operation in news]
    page, further = cut(journal.news, 0, None, engine.limits.page)
    more = "" if further is None else f',"NextMarker":"{seal(serial, "news", further)}"'
    token = f'"CheckpointToken":"{seal(journal.row.id, serial)}",' if journal.row.open else ""
    return f'{{{token}"NewExecutionState":{{"Operations":[{",".join(page)}]{more}}}}}'


def _apply(engine: Engine, journal: Journal, update: Update, now: int) -> None:
    if update.type == "EXECUTION":
        if update.action == "SUCCEED":
            _lives.close(engine, journal, "SUCCEEDED", now, result=update.payload)
        else:
            _lives.close(engine, journal, "FAILED", now, error=update.error or {})
        return
    target = _target(engine, journal, update, now) if update.type == "CHAINED_INVOKE" else None
    move = apply(
        journal.operations.get(update.id),
        update,
        now,
        order=len(journal.operations),
        callback=seal(journal.row.id, update.id),
        target=target,
    )
    engine.put(journal, move, now)
    if target is not None and target.refusal is None and target.child is None:
        engine.ready.append((journal.row.arn, update.id))


def _target(engine: Engine, journal: Journal, update: Update, now: int) -> Target:
    assert update.function is not None
    name = Name.parse(update.function)
    function = engine.function(update.function)
    if function is None or name is None:
        text = f"Function not found: {update.function}"
        error = {"ErrorType": "ResourceNotFoundException", "ErrorMessage": text}
        return Target(refusal=error)
    if not function.durable:
        return Target(version=function.version)
    if name.qualifier is None:
        text = (
            f"A durable function is invoked with a version or an alias, as in {name.name}:$LATEST"
        )
        error = {"ErrorType": "InvalidParameterValueException", "ErrorMessage": text}
        return Target(refusal=error)
    child = _lives.start(
        engine,
        function,
        now,
        payload="{}" if update.payload is None else update.payload,
        name=None,
        tenant=update.tenant,
        limit=PAYLOAD_LIMIT,
        trace=update.trace or journal.row.trace,
        caller=(journal.row.arn, update.id),
    )
    return Target(version=function.version, child=child.row.arn)
