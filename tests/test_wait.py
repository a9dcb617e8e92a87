"""Waits and conditions: what is over when the service's clock, or a check, says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from durable_gen import (
    ConditionFailed,
    DurableError,
    Poll,
    durable,
)
from replays import failure, log
from stub import STARTED, Stub, event, logged, result

ROOT_1 = "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"


def record(type_, status, name="x", sub_type=None, id_=ROOT_1, **details):
    update = {"Id": id_, "Type": type_, "Name": name}
    if sub_type is not None:
        update["SubType"] = sub_type
    return logged(update, status, **details)


def run(make, *records, stub=None):
    """Run a flow of the one operation that `make(ctx)` makes."""
    stub = stub or Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        return (yield make(ctx))

    return handler(event(*records)), stub


def caught(make, *records):
    """Return what one operation raises."""
    seen = []

    @durable(backend=Stub())
    def handler(event, ctx):
        try:
            yield make(ctx)
        except DurableError as error:
            seen.append(error)

    handler(event(*records))
    (error,) = seen
    return error


# --- waits -----------------------------------------------------------------------------------------


def nap(ctx):
    return ctx.wait("x", 30)


def test_wait_sends_start_once_and_suspends():
    """A wait is one START with its seconds; then the invocation is over."""
    envelope, stub = run(nap)
    assert {"Status": "PENDING"} == envelope
    expected = {
        "Id": ROOT_1,
        "Type": "WAIT",
        "Action": "START",
        "Name": "x",
        "SubType": "Wait",
        "WaitOptions": {"WaitSeconds": 30},
    }
    assert [expected] == stub.updates


def test_started_wait_suspends_and_is_not_started_again():
    """A wait that goes on is left alone: the service refuses a second START."""
    envelope, stub = run(nap, record("WAIT", "STARTED", ScheduledEndTimestamp=STARTED + 10**12))
    assert {"Status": "PENDING"} == envelope
    assert [] == stub.calls


def test_wait_that_is_over_gives_none():
    """A wait that succeeded is passed, and nothing is sent."""
    envelope, stub = run(nap, record("WAIT", "SUCCEEDED"))
    assert result(envelope) is None
    assert [] == stub.calls


def test_wait_that_is_over_in_the_answer_goes_on_at_once():
    """The answer to its START may say that it is over: then there is no suspension."""
    envelope, stub = run(nap, stub=Stub([record("WAIT", "SUCCEEDED")]))
    assert result(envelope) is None
    assert 1 == len(stub.calls)


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"])
def test_wait_that_was_ended_from_outside_raises(status):
    """Only SUCCEEDED is a wait's end; a cancelled one is an error that says so."""
    name, text = failure(run(nap, record("WAIT", status))[0])
    assert text.startswith("wait failed for operation 'x'")
    assert name.endswith("WaitFailed")


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({"seconds": 1}, 1),
        ({"minutes": 2, "seconds": 0.5}, 121),
        ({"hours": 1}, 3600),
        ({"days": 366}, 31_622_400),
        ({"duration": timedelta(hours=2)}, 7200),
        ({"duration": 90}, 90),
    ],
)
def test_wait_takes_its_duration_in_many_units(options, seconds):
    """All units add up; fractions of a second are rounded up to whole ones."""
    _, stub = run(lambda ctx: ctx.wait("x", **options))
    assert {"WaitSeconds": seconds} == stub.updates[0]["WaitOptions"]


@pytest.mark.parametrize("seconds", [0, -1, 0.5, 31_622_401])
def test_wait_out_of_range_is_refused(seconds):
    """The service takes 1 to 31,622,400 seconds; what is outside is an error before it is sent."""
    envelope, stub = run(lambda ctx: ctx.wait("x", seconds))
    assert "UsageError" == failure(envelope)[0]
    assert [] == stub.calls


def test_wait_until_an_instant_that_is_past_is_one_second():
    """A wait until the past is the shortest that there is."""
    _, stub = run(lambda ctx: ctx.wait("x", until=datetime(2000, 1, 1, tzinfo=UTC)))
    assert {"WaitSeconds": 1} == stub.updates[0]["WaitOptions"]


# --- conditions ------------------------------------------------------------------------------------

CONDITION = {"type_": "STEP", "sub_type": "WaitForCondition"}


def until_three(ctx):
    poll = Poll(until=lambda n: n >= 3, initial=4, backoff=2, jitter="none", max_attempts=3)
    return ctx.wait_for_condition("x", lambda n: n + 1, 0, poll=poll)


def test_condition_that_is_not_met_sends_retry_with_its_state():
    """The state goes with the RETRY, so the next check begins from it."""
    envelope, stub = run(until_three)
    assert {"Status": "PENDING"} == envelope
    start, retry = stub.updates
    assert ("START", "WaitForCondition") == (start["Action"], start["SubType"])
    assert ("RETRY", "1", {"NextAttemptDelaySeconds": 4}) == (
        retry["Action"],
        retry["Payload"],
        retry["StepOptions"],
    )
    assert "Error" not in retry


def test_condition_goes_on_from_its_recorded_state():
    """The check gets the state that the last one returned; delays grow."""
    _, stub = run(until_three, record(status="READY", Result="1", Attempt=1, **CONDITION))
    assert ["STEP START x", "STEP RETRY x 2", "--"] == stub.stream
    assert {"NextAttemptDelaySeconds": 8} == stub.updates[-1]["StepOptions"]


def test_condition_that_is_met_gives_the_last_state():
    """When the state will do, it is the value."""
    envelope, stub = run(until_three, record(status="READY", Result="2", Attempt=2, **CONDITION))
    assert 3 == result(envelope)
    assert ["STEP START x", "STEP SUCCEED x 3", "--"] == stub.stream


def test_condition_that_is_never_met_fails():
    """After `max_attempts` checks it is ConditionFailed, live as on replay."""
    ready = record(status="READY", Result="0", Attempt=2, **CONDITION)
    live = caught(until_three, ready)
    _, stub = run(until_three, ready)
    replayed = caught(until_three, *log(stub))
    assert ConditionFailed is type(live)
    assert "condition failed for operation 'x': not met after 3 attempts" == str(live)
    assert (type(live), live.args, str(live)) == (type(replayed), replayed.args, str(replayed))


def test_check_that_raises_fails_the_condition():
    """A check that raises ends the wait with FAIL."""

    def check(state):
        raise RuntimeError("no route")

    envelope, stub = run(lambda ctx: ctx.wait_for_condition("x", check))
    text = "condition failed for operation 'x': RuntimeError: no route"
    assert ("ConditionFailed", text) == failure(envelope)
    assert ["STEP START x", "STEP FAIL x RuntimeError", "--"] == stub.stream


def test_pending_condition_suspends():
    """Between two checks there is nothing to do."""
    pending = record(
        status="PENDING", Attempt=1, NextAttemptTimestamp=STARTED + 10**12, **CONDITION
    )
    envelope, stub = run(until_three, pending)
    assert {"Status": "PENDING"} == envelope
    assert [] == stub.calls
