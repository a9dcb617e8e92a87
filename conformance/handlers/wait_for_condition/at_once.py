"""Requirement 6-2."""

from durable_gen import Context, Flow, Poll, durable


def same(state: int) -> int:
    """Find that nothing has changed."""
    return state


@durable
def handler(state: int, ctx: Context) -> Flow[int]:
    """Look once, since the state is reached already."""
    poll = Poll(until=lambda state: state >= 5)
    return (yield from ctx.wait_for_condition("there", same, state, poll=poll))
