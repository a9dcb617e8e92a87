"""Histories in the form in which `aws lambda get-durable-execution-history` prints them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from durable_gen.errors import UsageError
from durable_gen.testing._history import History
from durable_gen.testing._script import START
from durable_gen.testing._snapshot import FRAME, PLACE, UUID, Names
from durable_gen.testing._tree import Event

OPERATION = "GetDurableExecutionHistory"


@cache
def _shape() -> Any:
    import botocore.session

    model = botocore.session.get_session().get_service_model("lambda")
    return model.operation_model(OPERATION).output_shape.members["Events"].member


def written(events: Sequence[Event]) -> str:
    """Write a history as the command prints it, without what differs from run to run.

    Args:
        events: the events, oldest first, in botocore's shape.
    """
    normal = _Normal(events)
    shown = [normal.value(_shape(), event) for event in events]
    return json.dumps({"Events": shown}, indent=4, ensure_ascii=False) + "\n"


class _Normal:
    """Makes the events of a history comparable."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.names = Names(events, {})
        self.shift = START - events[0]["EventTimestamp"] if events else timedelta()
        names = [str(e.get("Name")) for e in events if e["EventType"] == "ExecutionStarted"]
        self.made_up = [one for one in names if UUID.fullmatch(one)]

    def value(self, shape: Any, value: Any) -> Any:
        """Write a value of a shape: members in the model's order, times as text."""
        match shape.type_name:
            case "structure":
                known = shape.members
                return {
                    name: self.value(known[name], value[name]) for name in known if name in value
                }
            case "list":
                return [self.value(shape.member, one) for one in value]
            case "timestamp":
                return (value + self.shift).isoformat()
            case "string":
                return self._text(value)
        return value

    def _text(self, text: str) -> str:
        names = self.names
        for one in self.made_up:
            text = text.replace(one, _uuid(0))
        if names.callbacks is not None:
            text = names.callbacks.sub(lambda found: names.name("callback", found[0]), text)
        text = UUID.sub(self._id, text)
        return PLACE.sub(r"\1:0", FRAME.sub(r'File "\1", line 0', text))

    def _id(self, found: Any) -> str:
        known = self.names.executions | self.names.requests
        if found[0] not in known:
            return str(found[0])
        return _uuid(int(self.names.name("id", found[0]).rpartition("-")[2]))


def _uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def history(source: str | os.PathLike[str] | Mapping[str, Any]) -> History:
    """Read a history that `aws lambda get-durable-execution-history` has printed, or `run.golden()`.

    Args:
        source: a file, the text itself, or what botocore answers. Timestamps may be as either
            version of the command prints them: text in ISO 8601, or seconds since the epoch.

    Returns:
        A `History`: the same tree of operations as a `Run` has.

    Raises:
        UsageError: it is no such history.
    """
    found: Any = source
    if not isinstance(source, Mapping):
        text = os.fspath(source)
        if not text.lstrip().startswith("{"):
            text = Path(text).read_text(encoding="utf-8")
        try:
            found = json.loads(text)
        except ValueError as error:
            msg = f"a history is JSON, as `aws lambda get-durable-execution-history` prints it: {error}"
            raise UsageError(msg) from error
    events = found.get("Events") if isinstance(found, Mapping) else None
    if not isinstance(events, list) or not all(isinstance(e, Mapping) for e in events):
        msg = "a history is an object with the list `Events`, as `aws lambda get-durable-execution-history` prints it"
        raise UsageError(msg)
    if found.get("NextMarker"):
        msg = "the history goes on after this page: ask the command without --no-paginate and --max-items"
        raise UsageError(msg)
    return History(sorted((_read(event) for event in events), key=lambda event: event["EventId"]))


def _read(value: Any) -> Any:
    """Read the times in what the command has printed."""
    if isinstance(value, Mapping):
        return {
            key: _time(one) if key.endswith("Timestamp") else _read(one)
            for key, one in value.items()
        }
    return [_read(one) for one in value] if isinstance(value, list) else value


def _time(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(UTC)
    return datetime.fromtimestamp(value, UTC)
