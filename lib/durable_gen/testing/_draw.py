"""Draws an execution as a tree of text, for people to read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from attrs import frozen

from durable_gen._model import ErrorObject
from durable_gen.testing._tree import Attempt, Operation

if TYPE_CHECKING:
    from durable_gen.testing._history import History

WIDE = 60  # characters of a value or an error that a line shows
TOKEN = re.compile(r"[\w=+/-]{40,}")  # a callback's id: nobody reads all of it


@frozen
class Row:
    """A line of the drawing, in columns."""

    title: str
    status: str
    began: str
    took: str
    note: str


def drawn(run: History) -> str:
    """Draw an execution: a line for it, and one for each operation and each further attempt.

    Args:
        run: the execution.
    """
    count = len(run.invocations)
    many = f"{count} invocation{'' if count == 1 else 's'}"
    words = [f"execution {said(run.status)} after {span(run.duration)}, {many}"]
    failure = run.failure
    if failure is not None:
        words.append(error_line(failure))
    rows = list(_rows(run.operations, "", run.started))
    if not rows:
        return ": ".join(words)
    head = Row("", "", "began", "took", "")
    wide = [max(len(getattr(row, name)) for row in (head, *rows)) for name in COLUMNS]
    return "\n".join([": ".join(words), *(_line(row, wide) for row in (head, *rows))])


COLUMNS = ("title", "status", "began", "took")


def _line(row: Row, wide: Sequence[int]) -> str:
    title, status, began, took = wide
    text = f"{row.title:<{title}}  {row.status:<{status}}  {row.began:>{began}}  {row.took:>{took}}"
    return f"{text}  {row.note}".rstrip()


def _rows(operations: Sequence[Operation], before: str, zero: datetime) -> Iterator[Row]:
    for one in operations:
        last = one is operations[-1]
        below = before + ("   " if last else "│  ")
        title = f"{before}{'└─' if last else '├─'} {one.kind} {_name(one)}".rstrip()
        took = "" if one.duration is None else span(one.duration)
        yield Row(title, said(one.status), span(one.started - zero), took, _note(one))
        if len(one.attempts) > 1:
            bar = "│  " if one.children else "   "
            for attempt in one.attempts:
                status = _ended(attempt)
                note = error_line(attempt.error) if attempt.error else ""
                if attempt.delay:
                    again = f"again in {span(timedelta(seconds=attempt.delay))}"
                    note = f"{note}; {again}" if note else again
                began = span(attempt.started - zero)
                yield Row(f"{below}{bar}attempt {attempt.number}", status, began, "", note)
        yield from _rows(one.children, below, zero)


def _ended(attempt: Attempt) -> str:
    if attempt.error:
        return "failed"
    if attempt.ended is None:
        return "running"
    return "not yet" if attempt.delay else "succeeded"


def _name(operation: Operation) -> str:
    """Name an operation within its flow."""
    above = operation.parent
    return operation.path.removeprefix(f"{above.path}/" if above is not None else "")


def _note(operation: Operation) -> str:
    if operation.failure is not None:
        return error_line(operation.failure)
    words = []
    if operation.kind == "invoke":
        words.append(f"{operation.function} {short(_shown(operation.payload))}")
    if operation.text and operation.text != "null":
        words.append(f"-> {short(operation.text)}")
    return " ".join(words)


def _shown(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def said(status: str) -> str:
    """Say a status in words."""
    return status.lower().replace("_", " ")


def error_line(error: ErrorObject) -> str:
    """Say in a line what an error is."""
    parts = (error.type, error.message)
    return short(": ".join(part for part in parts if part) or "an error without a word", 2 * WIDE)


def short(text: str, most: int = WIDE) -> str:
    """Cut a text to what a line shows."""
    first = TOKEN.sub(lambda found: f"{found[0][:8]}…", text.splitlines()[0] if text else "")
    return first if len(first) <= most else f"{first[: most - 1]}…"


def span(time: timedelta) -> str:
    """Write a span of time in whole units and milliseconds: `2s`, `1h 30m`, `7d`, `0.25s`."""
    seconds, milliseconds = divmod(round(time.total_seconds() * 1000), 1000)
    parts, left = [], seconds
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "m")):
        amount, left = divmod(left, unit)
        if amount:
            parts.append(f"{amount}{name}")
    if milliseconds:
        parts.append(f"{left + milliseconds / 1000:g}s")
    elif left or not parts:
        parts.append(f"{left}s")
    return " ".join(parts)
