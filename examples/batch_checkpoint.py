"""Batch checkpointing: many small steps in one call to the service, where running one twice is harmless."""

from __future__ import annotations

from durable_gen import Context, Flow, durable


def parse(line: str) -> int:
    """Read one line: quick, and harmless to do again."""
    return int(line.split(",")[1])


def book(total: int) -> str:
    """Book the total: to be done once."""
    return f"booked {total}"


@durable
def handler(event: dict[str, list[str]], ctx: Context) -> Flow[str]:
    """Add up the lines of a file, and book the total."""
    total = 0
    with ctx.batch():
        for line in event["lines"]:
            total += yield from ctx.step("parse", parse, line)
    yield from ctx.flush()
    return (yield from ctx.step("book", book, total))
