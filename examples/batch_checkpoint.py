"""Batch checkpointing: many small steps in one call to the service, where running one twice is harmless.

durable-gen run examples/batch_checkpoint.py:handler --event examples/lines.json
"""

from __future__ import annotations

from typing import TypedDict

from durable_gen import Context, Flow, durable


class Statement(TypedDict):
    """A month's expenses, a line each: what for, and how much."""

    lines: list[str]


def parse(line: str) -> int:
    """Read one line: quick, and harmless to do again."""
    return int(line.split(",")[1])


def book(total: int) -> str:
    """Book the total: to be done once."""
    return f"booked {total}"


@durable
def handler(statement: Statement, ctx: Context) -> Flow[str]:
    """Add up the lines of a statement, and book the total."""
    total = 0
    with ctx.batch():  # no step in here waits until the one before it is kept
        for line in statement["lines"]:
            total += yield from ctx.step("parse", parse, line)
    yield from ctx.flush()  # from here on none of them runs again
    return (yield from ctx.step("book", book, total))
