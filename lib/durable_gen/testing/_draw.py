"""Draws an execution as a tree of text, for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from durable_gen.testing._tree import Operation

if TYPE_CHECKING:
    from durable_gen.testing._run import Run

WIDE = 60  # characters of a value that a line shows


def drawn(run: Run) -> str:
    """Draw an execution: a line for it, and one for each operation.

    Args:
        run: the execution.
    """
    count = len(run.invocations)
    took = span(run.duration)
    head = f"execution {run.status} after {took} in {count} invocation{'' if count == 1 else 's'}"
    return "\n".join([head, *_lines(run.operations, "")])


def _lines(operations: Sequence[Operation], before: str) -> Iterator[str]:
    for one in operations:
        last = one is operations[-1]
        yield f"{before}{'└─' if last else '├─'} {line(one)}"
        yield from _lines(one.children, before + ("   " if last else "│  "))


def line(operation: Operation) -> str:
    """Say in a line what an operation is and how it ended."""
    what = f"{operation.kind.replace('_', ' ')} {operation.name or ''}".strip()
    words = [what, operation.status]
    if len(operation.attempts) > 1:
        words.append(f"at attempt {len(operation.attempts)}")
    if operation.duration:
        words.append(f"after {span(operation.duration)}")
    if operation.failure is not None:
        words.append(f"{operation.failure.type}: {short(operation.failure.message or '')}")
    elif operation.text and not operation.children:
        words.append(f"-> {short(operation.text)}")
    return " ".join(words)


def short(text: str) -> str:
    """Cut a text to what a line shows."""
    first = text.splitlines()[0] if text else ""
    return first if len(first) <= WIDE else f"{first[: WIDE - 1]}…"


def span(time: timedelta) -> str:
    """Write a span of time in whole units: `2s`, `1h 30m`, `7d`."""
    left = round(time.total_seconds())
    parts = []
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        amount, left = divmod(left, unit)
        if amount:
            parts.append(f"{amount}{name}")
    return " ".join(parts) or "0s"
