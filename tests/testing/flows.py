"""Workflows that the tests of the kit share."""

from datetime import UTC, datetime

from durable_gen import Retry, durable, durable_error


@durable_error
class Declined(Exception):  # noqa: N818 - it says what happened
    """The card was refused."""


def charge(order):
    return {"receipt": f"r-{order['id']}"}


def ask(callback_id):
    return callback_id


def payment(ctx, order):
    retry = Retry(max_attempts=3, initial=5, jitter="none")
    receipt = yield ctx.step("charge", charge, order, retry=retry)
    yield ctx.wait("settle", hours=1)
    return receipt


@durable
def order(event, ctx):
    """Pay, ask, ship."""
    receipt = yield ctx.child("payment", payment, event)
    approved = yield ctx.wait_for_callback("approval", ask, timeout=86_400)
    return {**receipt, "approved": approved}


@durable
def patient(event, ctx):
    """Wait for an answer that nothing bounds."""
    return (yield ctx.wait_for_callback("approval", ask))


@durable
def sleeper(count, ctx):
    """Wait for so many days, one after the other."""
    for day in range(count):
        yield ctx.wait(f"day {day}", days=1)
    return count


def clock():
    return datetime.now(UTC).isoformat()


@durable
def brief(event, ctx):
    """Pay and ask, in seconds."""
    receipt = yield ctx.step("charge", charge, event)
    yield ctx.wait("settle", seconds=1)
    approved = yield ctx.wait_for_callback("approval", ask)
    return {**receipt, "approved": approved}
