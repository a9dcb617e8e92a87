"""A library of subflows: generators that any workflow can yield from, or run as a child context.

durable-gen run examples/subflows.py:handler --event examples/currency.json --skip-time
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from durable_gen import CallbackTimedOut, Context, Flow, durable

T = TypeVar("T")


def attempt_each(ctx: Context, name: str, providers: list[Callable[[], T]]) -> Flow[T]:
    """Ask one provider after another until one answers; raise the last one's error."""
    *others, last = providers
    for number, provider in enumerate(others):
        try:
            return (yield from ctx.step(f"{name} {number}", provider, retry=None))
        except Exception as error:
            ctx.log.warning("provider failed", provider=number, error=str(error))
    return (yield from ctx.step(f"{name} {len(others)}", last))


def remind(
    ctx: Context, name: str, ask: Callable[[str], None], *, every: int, times: int
) -> Flow[object]:
    """Ask for an answer, and ask again every so many seconds; None when nobody answers."""
    for round_ in range(times):
        try:
            answer: object = yield from ctx.wait_for_callback(
                f"{name} {round_}", ask, timeout=every
            )
        except CallbackTimedOut:
            continue
        return answer
    return None


def rate_from_bank() -> float:
    """Stand for a service that is down."""
    msg = "the bank's rates are being updated"
    raise ConnectionError(msg)


def rate_from_cache() -> float:
    """Stand for the second best source."""
    return 1.0836


def ask(callback_id: str) -> None:
    """Stand for a message with a link that holds the callback's id."""


@durable
def handler(event: dict[str, str], ctx: Context) -> Flow[dict[str, object]]:
    """Use the subflows: one inline, one as a child context of its own."""
    rate = yield from attempt_each(ctx, "rate", [rate_from_bank, rate_from_cache])
    answer = yield from ctx.child(
        "confirm", lambda child: remind(child, "ask", ask, every=60, times=3)
    )
    return {"currency": event["currency"], "rate": rate, "confirmed": answer is not None}
