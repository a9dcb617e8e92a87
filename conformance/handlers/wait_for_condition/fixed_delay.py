"""Requirement 6-5."""

from durable_gen import Context, Flow, Poll, durable


def count(state: int) -> int:
    """Look once more."""
    return state + 1


@durable
def handler(threshold: int, ctx: Context) -> Flow[int]:
    """Look every two seconds."""
    poll = Poll(until=lambda state: state >= threshold, initial=2, backoff=1, jitter="none")
    return (yield from ctx.wait_for_condition("counted", count, 0, poll=poll))
