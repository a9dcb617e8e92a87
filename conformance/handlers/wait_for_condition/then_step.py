"""Requirement 6-12."""

from durable_gen import Context, Flow, Poll, durable


def count(state: int) -> int:
    """Look once more."""
    return state + 1


def tenfold(state: int) -> int:
    """Multiply the state."""
    return 10 * state


@durable
def handler(threshold: int, ctx: Context) -> Flow[int]:
    """Run a step on the state that was reached."""
    poll = Poll(until=lambda state: state >= threshold, initial=1)
    state = yield from ctx.wait_for_condition("counted", count, 0, poll=poll)
    return (yield from ctx.step(tenfold, state))
