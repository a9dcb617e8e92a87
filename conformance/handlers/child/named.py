"""Requirement 3-2."""

from typing import TypedDict

from durable_gen import Context, Flow, durable


class Event(TypedDict):
    """The child's name, and what it is to give."""

    name: str
    value: str


def same(text: str) -> str:
    """Give back what it is given."""
    return text


def work(ctx: Context, text: str) -> Flow[str]:
    """Run one step."""
    return (yield from ctx.step(same, text))


@durable
def handler(event: Event, ctx: Context) -> Flow[str]:
    """Name a child by the event."""
    return (yield from ctx.child(event["name"], work, event["value"]))
