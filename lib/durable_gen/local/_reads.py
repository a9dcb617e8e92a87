"""What is asked of the service without changing it: state, history, descriptions, lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from durable_gen.local._checkpoints import holder
from durable_gen.local._clock import to_millis
from durable_gen.local._engine import Engine
from durable_gen.local._facts import Execution
from durable_gen.local._functions import ACCOUNT, REGION, Name
from durable_gen.local._journal import cut
from durable_gen.local._json import read
from durable_gen.local._rules import Refused
from durable_gen.local._tokens import seal, unseal
from durable_gen.local._wire import event_item, given

Request = Mapping[str, Any]
CHUNK = 101  # rows that are read at once: the page that is asked for mostly, and one more


class Missing(Exception):  # noqa: N818  # it becomes a ResourceNotFoundException at the edge
    """There is no such thing."""


def known(engine: Engine, request: Request) -> Execution:
    """Find the row of the execution that a request names.

    Raises:
        Missing: there is none.
    """
    arn = request["DurableExecutionArn"]
    with engine.transaction():
        row = engine.row(arn)
    if row is None:
        msg = f"Durable execution not found: {arn}"
        raise Missing(msg)
    return row


def place(marker: str | None, *bound: str | int) -> int:
    """Read a marker's place; it must be bound to the same list as the request."""
    if not marker:
        return 0
    parts = unseal(marker, len(bound) + 1)
    if parts is None or parts[:-1] != list(map(str, bound)) or not parts[-1].isdecimal():
        msg = f"Marker {marker!r} was not made for this request, or its list has changed since"
        raise Refused(msg)
    return int(parts[-1])


def state(engine: Engine, request: Request) -> dict[str, Any]:
    """Give a page of the state, or of a checkpoint's answer."""
    with engine.transaction():
        journal = holder(engine, request["DurableExecutionArn"], request["CheckpointToken"])
        serial, marker = journal.row.serial, request.get("Marker")
        parts = (unseal(marker, 3) if marker else None) or [str(serial), "state"]
        kind = "news" if parts[1] == "news" else "state"
        start = place(marker, serial, kind)
        texts = journal.news if kind == "news" else journal.texts()
        page, further = cut(texts, start, request.get("MaxItems") or 100, engine.limits.page)
    operations = read(f"[{','.join(page)}]")
    more = None if further is None else seal(serial, kind, further)
    return {"Operations": operations, **given(NextMarker=more)}


def describe(engine: Engine, request: Request) -> dict[str, Any]:
    """Describe an execution."""
    row = known(engine, request)
    data = request.get("IncludeExecutionData", True)
    shown = given(
        **_item(row),
        Version=row.version,
        ExpectedExecutionTimeoutTimestamp=row.deadline if row.open else None,
        InputPayload=row.input if data else None,
        Result=row.result if data else None,
        Error=row.error if data else None,
        TraceHeader=None if row.trace is None else {"XAmznTraceId": row.trace},
        PauseDetails=_pause(row, data=data),
    )
    config = given(ExecutionTimeout=row.timeout, RetentionPeriodInDays=row.retention)
    return {**shown, "ExecutionDataIncluded": data, "DurableConfig": config}


def _pause(row: Execution, *, data: bool) -> dict[str, Any] | None:
    if row.pause_asked is None or not row.open:
        return None
    return given(
        PauseRequestTimestamp=row.pause_asked,
        ExecutionTimeoutPaused=row.pause_clock,
        Reason=row.pause_reason if data else None,
    )


def _item(row: Execution) -> dict[str, Any]:
    return given(
        DurableExecutionArn=row.arn,
        DurableExecutionName=row.name,
        FunctionArn=row.arn.partition("/")[0],
        Status=row.status,
        StartTimestamp=row.started,
        EndTimestamp=row.ended,
    )


def history(engine: Engine, request: Request) -> dict[str, Any]:
    """Give a page of the history."""
    row = known(engine, request)
    most = request.get("MaxItems") or 100
    newest = request.get("ReverseOrder", False)
    direction = "newest" if newest else "oldest"
    at = place(request.get("Marker"), row.id, direction)
    if newest:
        last = at or row.events
        first = max(1, last - most + 1)
        further = first - 1 or None
    else:
        first = at or 1
        last = first + most - 1
        further = last + 1 if last < row.events else None
    events = engine.store.events(row.arn, first, last)
    data = request.get("IncludeExecutionData", True)
    items = [event_item(event, data=data) for event in events]
    marker = None if further is None else seal(row.id, direction, further)
    return {"Events": items[::-1] if newest else items, **given(NextMarker=marker)}


def listed(engine: Engine, request: Request) -> dict[str, Any]:
    """List a function's executions."""
    text = request["FunctionName"]
    name = Name.parse(text)
    if name is None or name.region not in {None, REGION} or name.account not in {None, ACCOUNT}:
        msg = f"Function not found: {text}"
        raise Missing(msg)
    newest = not request.get("ReverseOrder", False)
    direction = "newest" if newest else "oldest"
    beyond = place(request.get("Marker"), direction) or None
    with engine.transaction():
        pass  # what others were told is on disk from here on
    rows = _rows(engine, name.name, newest=newest, beyond=beyond)
    if name.name not in engine.functions and not engine.store.listed(
        name.name, newest=True, beyond=None, most=1
    ):
        msg = f"Function not found: {text}"
        raise Missing(msg)
    fits = _filter(request, name.qualifier)
    most = request.get("MaxItems") or 100
    page = list(islice((found for found in rows if fits(found[1])), most + 1))
    more = seal(direction, page[most - 1][0]) if len(page) > most else None
    items = [_item(row) for _, row in page[:most]]
    return {"DurableExecutions": items, **given(NextMarker=more)}


def _rows(
    engine: Engine, function: str, *, newest: bool, beyond: int | None
) -> Iterator[tuple[int, Execution]]:
    """Read a function's executions, a chunk after the other."""
    while True:
        found = engine.store.listed(function, newest=newest, beyond=beyond, most=CHUNK)
        yield from found
        if len(found) < CHUNK:
            return
        beyond = found[-1][0]


def _filter(request: Request, qualifier: str | None) -> Callable[[Execution], bool]:
    """Make what tells whether an execution is asked for."""
    qualifier = request.get("Qualifier") or qualifier
    statuses = request.get("Statuses") or ()
    wanted = request.get("DurableExecutionName")
    after, before = (
        to_millis(_aware(request[key])) if request.get(key) is not None else None
        for key in ("StartedAfter", "StartedBefore")
    )
    return lambda row: (
        qualifier in (None, row.version)
        and wanted in (None, row.name)
        and (not statuses or row.status in statuses)
        and (after is None or row.started > after)
        and (before is None or row.started < before)
    )


def _aware(value: Any) -> Any:
    from botocore.utils import parse_to_aware_datetime

    return parse_to_aware_datetime(value)
