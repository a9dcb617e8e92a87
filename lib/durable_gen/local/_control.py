"""Pause, resume and delete: what an operator does to an execution's life."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_gen.local import _lives
from durable_gen.local._engine import Engine
from durable_gen.local._journal import Journal
from durable_gen.local._machine import Draft, wrapped

REPEATED = 900_000  # milliseconds within which a ClientToken names the same request
UNPAUSED = {"pause_asked": None, "pause_reason": None, "paused": None}


class Conflict(Exception):  # noqa: N818  # it becomes a ResourceConflictException at the edge
    """The execution's status does not allow it."""


def pause(engine: Engine, journal: Journal, request: Mapping[str, Any], now: int) -> None:
    """Ask for a pause; it is reached when no invocation runs, or at its next checkpoint."""
    if _repeated(engine, journal, "PAUSE", request, now):
        return
    row = journal.row
    if row.status != "RUNNING":
        msg = f"Only a RUNNING execution can be paused, this one is {row.status}"
        raise Conflict(msg)
    journal.set(
        status="PAUSING",
        pause_asked=now,
        pause_reason=request.get("Reason"),
        pause_clock=request.get("ExecutionTimeoutPaused", True),
    )
    if not row.running:
        reach(engine, journal, now)


def reach(engine: Engine, journal: Journal, now: int) -> None:
    """Let a pause that was asked for take effect."""
    engine.edit(journal).set(status="PAUSED", paused=now)
    row = journal.row
    details: dict[str, Any] = {
        "PauseRequestTimestamp": row.pause_asked,
        "ExecutionTimeoutPaused": row.pause_clock,
    }
    if row.pause_reason is not None:
        details["Reason"] = wrapped(row.pause_reason)
    journal.append(Draft("ExecutionPaused", details), now, journal.root)
    engine.keep_time(journal.row)


def resume(engine: Engine, journal: Journal, request: Mapping[str, Any], now: int) -> None:
    """Go on after a pause, or take back one that has not been reached."""
    if _repeated(engine, journal, "RESUME", request, now):
        return
    row = journal.row
    if row.status == "PAUSING":
        journal.set(status="RUNNING", **UNPAUSED)
        return
    if row.status != "PAUSED":
        msg = f"Only a PAUSED or PAUSING execution can be resumed, this one is {row.status}"
        raise Conflict(msg)
    held = now - (row.paused or now) if row.pause_clock else 0
    journal.set(status="RUNNING", extended=row.extended + held, **UNPAUSED)
    details: dict[str, Any] = {"ResumeRequestTimestamp": now}
    if request.get("Reason") is not None:
        details["Reason"] = wrapped(request["Reason"])
    journal.append(Draft("ExecutionResumed", details), now, journal.root)
    engine.keep_time(journal.row)
    if row.owed:
        engine.ready.append((row.arn, ""))


def delete(engine: Engine, journal: Journal, now: int) -> dict[str, Any]:
    """Forget a closed execution."""
    if journal.row.open:
        msg = f"Only a closed execution can be deleted, this one is {journal.row.status}"
        raise Conflict(msg)
    _lives.remove(engine, journal, now)
    return {"DeletionRequestTimestamp": now}


def _repeated(
    engine: Engine, journal: Journal, control: str, request: Mapping[str, Any], now: int
) -> bool:
    """Tell whether the request has been seen, and remember it if not."""
    token = request.get("ClientToken")
    if token is None:
        return False
    row = journal.row
    known, at = row.controls.get(control, ("", 0))
    if known == token and now - at < REPEATED:
        return True
    engine.edit(journal).set(controls={**row.controls, control: (token, now)})
    return False
