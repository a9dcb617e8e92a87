"""Requirement 6-3."""

from durable_gen import Context, Flow, Poll, durable


def count(state: int) -> int:
    """Look once more."""
    return state + 1


@durable
def handler(threshold: int, ctx: Context) -> Flow[int]:
    """Look under a name."""
    poll = Poll(until=lambda state: state >= threshold, initial=1)
    return (yield from ctx.wait_for_condition("poll-status", count, 0, poll=poll))
