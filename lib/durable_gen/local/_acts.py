"""What is done to executions from outside: stop, pause, resume, delete, answers to callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_gen.local import _control, _lives
from durable_gen.local._engine import Engine
from durable_gen.local._facts import Operation
from durable_gen.local._journal import Journal
from durable_gen.local._json import read, written
from durable_gen.local._machine import answer, beat
from durable_gen.local._reads import Missing, Request
from durable_gen.local._rules import PAYLOAD_LIMIT, Refused, error_size
from durable_gen.local._tokens import unseal


class Late(Exception):  # noqa: N818  # it becomes a CallbackTimeoutException at the edge
    """The callback takes no answer any more."""


def _known(engine: Engine, request: Request) -> Journal:
    arn = request["DurableExecutionArn"]
    journal = engine.find(arn)
    if journal is None:
        msg = f"Durable execution not found: {arn}"
        raise Missing(msg)
    return journal


def stop(engine: Engine, request: Request) -> dict[str, Any]:
    """Stop an execution."""
    with engine.transaction() as now:
        journal = _known(engine, request)
        _fits(request.get("Error"))
        if journal.row.open:
            _lives.close(engine, journal, "STOPPED", now, error=_copy(request.get("Error")))
        return {"StopTimestamp": journal.row.ended or now}


def pause(engine: Engine, request: Request) -> dict[str, Any]:
    """Pause an execution."""
    with engine.transaction() as now:
        _control.pause(engine, engine.edit(_known(engine, request)), request, now)
    return {}


def resume(engine: Engine, request: Request) -> dict[str, Any]:
    """Resume an execution."""
    with engine.transaction() as now:
        _control.resume(engine, engine.edit(_known(engine, request)), request, now)
    return {}


def delete(engine: Engine, request: Request) -> dict[str, Any]:
    """Delete an execution."""
    with engine.transaction() as now:
        return _control.delete(engine, _known(engine, request), now)


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


def succeed(engine: Engine, request: Request) -> dict[str, Any]:
    """Answer a callback."""
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


def fail(engine: Engine, request: Request) -> dict[str, Any]:
    """Fail a callback."""
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


def heartbeat(engine: Engine, request: Request) -> dict[str, Any]:
    """Keep a callback alive."""
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
    copy: dict[str, Any] = read(written(error or {}))
    return copy
