"""Requirement 6-6."""

from durable_gen import Context, Flow, Poll, durable


def count(state: int) -> int:
    """Look once more."""
    return state + 1


@durable
def handler(start: int, ctx: Context) -> Flow[int]:
    """Look three times, and give up."""
    poll = Poll(until=lambda _state: False, max_attempts=3, initial=1, backoff=1, jitter="none")
    return (yield from ctx.wait_for_condition("counted", count, start, poll=poll))
