"""A nightly report: wait for the night, start an export, look until it is done, send it.

durable-gen run examples/nightly_report.py:handler --event examples/report.json --skip-time
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypedDict

from durable_gen import Context, Flow, Poll, durable


class Export(TypedDict):
    """How far an export is."""

    id: str
    percent: int


def begin(day: str) -> Export:
    """Start the export of a day's bookings."""
    return {"id": f"export-{day}", "percent": 0}


def look(export: Export) -> Export:
    """Ask how far it is."""
    return {**export, "percent": min(100, export["percent"] + 40)}


def send(export: Export, to: str) -> str:
    """Mail the report."""
    return f"{export['id']} to {to}"


def two_in_the_morning(now: datetime) -> datetime:
    """Find the next time that it is two in the morning."""
    tonight = now.replace(hour=2, minute=0, second=0, microsecond=0)
    return tonight if tonight > now else tonight + timedelta(days=1)


@durable
def handler(event: dict[str, str], ctx: Context) -> Flow[list[str]]:
    """Send a report on three nights."""
    sent: list[str] = []
    for night in range(3):
        yield from ctx.wait("night", until=two_in_the_morning(ctx.now()))
        export = yield from ctx.step("begin", begin, f"night-{night + 1}")
        poll = Poll(until=lambda state: state["percent"] == 100, initial=300, jitter="none")
        done = yield from ctx.wait_for_condition("exported", look, export, poll=poll)
        sent.append((yield from ctx.step("send", send, done, event["to"])))
    return sent
