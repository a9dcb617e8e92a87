"""Steps: what is sent, when they are tried again, how often they run."""

from __future__ import annotations

import asyncio
import json
import time
from enum import StrEnum

import pytest

from durable_gen import (
    Retry,
    Semantics,
    StepFailed,
    StepInterrupted,
    StepTimedOut,
    Text,
    current_step,
    durable,
    durable_error,
)
from replays import failure, log
from stub import STARTED, Stub, event, logged, result

ROOT_1 = "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"
IDENTITY = {"Id": ROOT_1, "Type": "STEP", "SubType": "Step", "Name": "charge"}
STEADY = Retry(max_attempts=3, initial=7, backoff=1, jitter="none")


def record(status, **details):
    return logged(IDENTITY, status, **details)


def boom(*args):
    raise RuntimeError("declined")


def one(fn, *args, **options):
    """Make a flow of one step `charge`."""

    def flow(event, ctx):
        return (yield ctx.step("charge", fn, *args, **options))

    return flow


def run(fn, *records, stub=None, **options):
    stub = stub or Stub()
    return durable(backend=stub)(one(fn, **options))(event(*records)), stub


# --- what is sent ----------------------------------------------------------------------------------


def test_step_sends_start_and_succeed_in_one_checkpoint():
    """A step is a START and a SUCCEED with its value as JSON; nobody waits for the START (law 7)."""
    envelope, stub = run(lambda: {"id": 42})
    assert {"id": 42} == result(envelope)
    expected = [
        {**IDENTITY, "Action": "START"},
        {**IDENTITY, "Action": "SUCCEED", "Payload": '{"id":42}'},
    ]
    assert expected == stub.calls[0]["Updates"]
    assert 1 == len(stub.calls)


def test_recorded_step_is_neither_run_nor_sent():
    """A step that succeeded gives its recorded value."""
    envelope, stub = run(boom, record("SUCCEEDED", Result='{"id":42}', Attempt=1))
    assert {"id": 42} == result(envelope)
    assert [] == stub.calls


def test_step_gets_its_arguments():
    """What stands after the function is what it is called with."""
    handler = durable(backend=Stub())(one(lambda a, b: a - b, 5, 3))
    assert 2 == result(handler(event()))


def test_step_without_a_name_takes_the_functions():
    """`ctx.step(fn)` is called like its function; `ctx.step(None, fn)` sends no name."""
    stub = Stub()

    def charge():
        return 1

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.step(charge)
        yield ctx.step(None, charge)

    handler(event())
    assert ["charge", "charge", None, None] == [update.get("Name") for update in stub.updates]


def test_value_is_the_recorded_one_on_the_first_run():
    """A step gives what was logged: a tuple is a list at once (law 3)."""
    seen = []

    @durable(backend=Stub())
    def handler(event, ctx):
        seen.append((yield ctx.step("charge", lambda: (1, 2))))

    handler(event())
    assert [[1, 2]] == seen


def test_async_step_is_awaited():
    """The function may be `async def`."""

    async def charge():
        await asyncio.sleep(0)
        return 42

    envelope, stub = run(charge)
    assert 42 == result(envelope)
    assert ["STEP START charge", "STEP SUCCEED charge 42", "--"] == stub.stream


def test_missing_result_of_a_recorded_step_is_none():
    """A record that succeeded and holds no result stands for None."""
    assert result(run(boom, record("SUCCEEDED", Attempt=1))[0]) is None


def test_undecodable_result_of_a_recorded_step_is_an_error_that_names_it():
    """A stored text that is no JSON is a DeserializationError, not some other value."""
    name, text = failure(run(boom, record("SUCCEEDED", Result="{oops"))[0])
    assert "DeserializationError" == name
    assert text.startswith("step 'charge': '{oops' is not JSON")


class Colour(StrEnum):
    RED = "red"


def test_text_of_another_class_is_text_on_the_first_run_too():
    """What a serde writes is kept as text, whatever class of text it gave (law 3)."""

    def flow(event, ctx):
        value = yield ctx.step("charge", lambda: Colour.RED, serde=Text())
        return [value, type(value).__name__]

    first = Stub()
    expected = ["red", "str"]
    assert expected == result(durable(backend=first)(flow)(event()))
    assert expected == result(durable(backend=Stub())(flow)(event(*log(first))))


def test_value_over_the_payload_limit_fails_the_step():
    """An update over the limit is refused by name when it is settled, never queued (law 7)."""
    envelope, stub = run(lambda: "x" * 1_048_576)
    name, text = failure(envelope)
    assert "PayloadTooLarge" == name
    assert text.startswith("step 'charge': its value takes 1048578 bytes as text")
    assert ["STEP START charge", "STEP FAIL charge PayloadTooLarge", "--"] == stub.stream


# --- retries ---------------------------------------------------------------------------------------


def test_failed_attempt_sends_retry_with_error_and_delay():
    """RETRY carries the error and the seconds until the next attempt; then the invocation parks."""
    envelope, stub = run(boom, retry=STEADY)
    assert {"Status": "PENDING"} == envelope
    _, retry = stub.updates
    assert ("RETRY", 7) == (retry["Action"], retry["StepOptions"]["NextAttemptDelaySeconds"])
    error = retry["Error"]
    assert ("RuntimeError", "declined") == (error["ErrorType"], error["ErrorMessage"])
    assert "Payload" not in retry


def test_retry_delay_is_at_least_one_second():
    """The service takes no delay under a second."""
    _, stub = run(boom, retry=Retry(initial=0, jitter="none"))
    assert {"NextAttemptDelaySeconds": 1} == stub.updates[-1]["StepOptions"]


@pytest.mark.parametrize(
    ("attempts", "delay"), [(0, 5), (1, 10), (2, 20), (3, 40), (4, 60), (5, None)]
)
def test_default_policy_is_six_attempts_five_seconds_doubling_to_sixty(attempts, delay):
    """A step runs six times by default; the delays double from 5 s and stop at 60 s."""
    envelope, stub = run(boom, record("READY", Attempt=attempts), retry=Retry(jitter="none"))
    if delay is None:
        assert "StepFailed" == failure(envelope)[0]
    else:
        assert {"NextAttemptDelaySeconds": delay} == stub.updates[-1]["StepOptions"]


def test_step_without_a_policy_has_the_handlers():
    """A step that names no policy follows the handler's; that is six attempts by default."""
    stub = Stub()
    handler = durable(backend=stub)(one(boom))
    assert {"Status": "PENDING"} == handler(event())
    assert 1 <= stub.updates[-1]["StepOptions"]["NextAttemptDelaySeconds"] <= 5
    stub = Stub()
    durable(backend=stub, retry=STEADY)(one(boom))(event())
    assert {"NextAttemptDelaySeconds": 7} == stub.updates[-1]["StepOptions"]


def test_retry_none_fails_at_once():
    """`retry=None` is never to try again: FAIL with the error."""
    envelope, stub = run(boom, retry=None)
    text = "step failed for operation 'charge': RuntimeError: declined"
    assert ("StepFailed", text) == failure(envelope)
    fail = stub.updates[-1]
    assert ("FAIL", "RuntimeError") == (fail["Action"], fail["Error"]["ErrorType"])
    assert "StepOptions" not in fail


def test_retry_on_other_classes_fails_at_once():
    """Only the classes in `retry_on` are tried again."""
    envelope, _ = run(boom, retry=Retry(retry_on=(KeyError,)))
    assert "StepFailed" == failure(envelope)[0]
    envelope, _ = run(boom, retry=Retry(retry_on=RuntimeError))
    assert {"Status": "PENDING"} == envelope


def test_retry_if_says_no_and_it_fails_at_once():
    """A predicate that says no fails the step without another attempt; one that says yes retries."""
    envelope, _ = run(boom, retry=Retry(retry_if=lambda error: "declined" not in str(error)))
    assert "StepFailed" == failure(envelope)[0]
    envelope, _ = run(boom, retry=Retry(retry_if=lambda error: "declined" in str(error)))
    assert {"Status": "PENDING"} == envelope


def test_last_attempt_fails_the_step():
    """`max_attempts` counts all runs: with two completed of three, the third is the last."""
    envelope, stub = run(boom, record("READY", Attempt=2), retry=STEADY)
    assert "StepFailed" == failure(envelope)[0]
    assert ["STEP START charge", "STEP FAIL charge RuntimeError", "--"] == stub.stream


def test_attempt_is_the_stored_one_and_one():
    """The wire's Attempt counts completed attempts, so the one that runs is the next."""
    seen = []
    step = lambda: seen.append(current_step().attempt)  # noqa: E731
    run(step)
    run(step, record("READY", Attempt=1))
    run(step, record("STARTED", Attempt=4))
    assert [1, 2, 5] == seen


def test_value_that_cannot_be_stored_is_not_tried_again():
    """Trying again cannot mend a value that is no JSON: the step fails at once and says where."""
    envelope, stub = run(lambda: {"ids": [1, {2}]})
    name, text = failure(envelope)
    assert "SerializationError" == name
    assert "step 'charge'" in text
    assert "@ $.ids[1]" in text
    assert "STEP FAIL charge SerializationError" in stub.stream


# --- what the record says --------------------------------------------------------------------------


def test_pending_step_suspends_and_sends_nothing():
    """A step that waits for its next attempt is not run before the service says so."""
    envelope, stub = run(boom, record("PENDING", Attempt=1, NextAttemptTimestamp=STARTED + 10**12))
    assert {"Status": "PENDING"} == envelope
    assert [] == stub.calls


def test_ready_step_sends_start_again():
    """A step whose next attempt is due is started again, then run."""
    envelope, stub = run(lambda: 42, record("READY", Attempt=1))
    assert 42 == result(envelope)
    assert ["STEP START charge", "STEP SUCCEED charge 42", "--"] == stub.stream


def test_started_step_runs_again_without_a_second_start():
    """At least once: an attempt that was cut off is run again."""
    envelope, stub = run(lambda: 42, record("STARTED", Attempt=0))
    assert 42 == result(envelope)
    assert ["STEP SUCCEED charge 42", "--"] == stub.stream


def test_retry_that_is_due_at_once_goes_on_in_the_same_invocation():
    """An answer that says READY is taken at its word: the next attempt runs now."""
    runs = []

    def flaky():
        runs.append(1)
        if len(runs) == 1:
            raise RuntimeError("declined")
        return "charged"

    envelope, stub = run(flaky, stub=Stub([record("READY", Attempt=1)]))
    assert "charged" == result(envelope)
    assert 2 == len([line for line in stub.stream if line == "STEP START charge"])


@pytest.mark.parametrize("status", ["CANCELLED", "TIMED_OUT", "STOPPED"])
def test_step_that_was_ended_from_outside_failed(status):
    """A step whose record has another end than success failed."""
    envelope, stub = run(lambda: 42, record(status))
    name, text = failure(envelope)
    assert "StepFailed" == name
    assert text.startswith("step failed for operation 'charge'")
    assert [] == stub.calls


def test_status_that_nobody_knows_is_an_error_that_names_it():
    """A status that is not in the service's model is told with the kind and the name."""
    name, text = failure(run(boom, record("SUSPENDED"))[0])
    assert "CheckpointFailed" == name
    assert "step 'charge'" in text
    assert "'SUSPENDED'" in text


def test_failed_step_raises_the_same_error_live_and_on_replay():
    """The error of a step has the same class, text and fields both times (law 3)."""
    first, seen = Stub(), []

    @durable(backend=first, retry=None)
    def handler(event, ctx):
        try:
            yield ctx.step("charge", boom)
        except StepFailed as error:
            seen.append(error)

    handler(event())
    handler.using(Stub())(event(*log(first)))
    live, replayed = seen
    assert (type(live), live.args, str(live)) == (type(replayed), replayed.args, str(replayed))
    assert live.stack_trace == replayed.stack_trace


def test_failed_step_has_its_cause_live_and_its_stack_on_replay():
    """What was raised is the `__cause__` at first, and a note with its stack on replay."""
    first, seen = Stub(), []

    @durable(backend=first, retry=None)
    def handler(event, ctx):
        try:
            yield ctx.step("charge", boom)
        except StepFailed as error:
            seen.append(error)

    handler(event())
    handler.using(Stub())(event(*log(first)))
    live, replayed = seen
    assert RuntimeError is type(live.__cause__)
    assert replayed.__cause__ is None
    (note,) = replayed.__notes__
    assert 'raise RuntimeError("declined")' in note


def test_failure_with_data_only_is_told_by_its_data():
    """A record as durable-lambda-core writes it, of type and data, can be replayed."""
    error = {"ErrorType": "my::Declined", "ErrorData": '{"code":7}'}
    name, text = failure(run(boom, record("FAILED", Error=error))[0])
    assert "StepFailed" == name
    assert "step failed for operation 'charge': my::Declined: {\"code\":7}" == text


# --- errors that come back as themselves -----------------------------------------------------------


@durable_error
class Declined(Exception):  # noqa: N818
    def __init__(self, reason, limit):
        super().__init__(reason, limit)
        self.reason = reason
        self.limit = limit


def test_durable_error_is_caught_by_its_class_live_and_on_replay():
    """`except Declined` around a step works on the first run and on every replay."""
    first, seen = Stub(), []

    def charge():
        raise Declined("no funds", 50)

    @durable(backend=first, retry=None)
    def handler(event, ctx):
        try:
            yield ctx.step("charge", charge)
        except Declined as error:
            seen.append((type(error), error.args, error.reason, error.limit))

    handler(event())
    handler.using(Stub())(event(*log(first)))
    assert [(Declined, ("no funds", 50), "no funds", 50)] * 2 == seen


@pytest.mark.parametrize("error", [ValueError("é" * 100_000), Declined("é" * 100_000, 1)])
def test_error_with_a_long_text_is_cut_to_what_the_service_takes(error):
    """An error takes at most 32,768 bytes as JSON: its text and data are cut, never refused."""

    def charge():
        raise error

    _, stub = run(charge, retry=None)
    assert 32_768 >= len(json.dumps(stub.updates[-1]["Error"], ensure_ascii=False).encode())


def test_durable_error_passes_through_a_child():
    """It comes out of a child context as itself too."""
    first, seen = Stub(), []

    def charge():
        raise Declined("no funds", 50)

    @durable(backend=first, retry=None)
    def handler(event, ctx):
        try:
            yield ctx.child("payment", lambda child: (yield child.step("charge", charge)))
        except Declined as error:
            seen.append(error.limit)

    handler(event())
    handler.using(Stub())(event(*log(first)))
    assert [50, 50] == seen


# --- at most once ----------------------------------------------------------------------------------


def test_at_most_once_starts_are_acknowledged_before_the_body_runs():
    """The body runs when the service has the START, and not before (law 8, BARRIER)."""
    stub, seen = Stub(), []
    envelope, _ = run(lambda: seen.append(stub.stream), stub=stub, semantics=Semantics.AT_MOST_ONCE)
    assert result(envelope) is None
    assert [["STEP START charge", "--"]] == seen
    assert ["STEP START charge", "--", "STEP SUCCEED charge null", "--"] == stub.stream


def test_at_most_once_that_was_cut_off_is_interrupted():
    """A STARTED record means that the body may have run: it is not run again, StepInterrupted."""
    ran = []
    envelope, stub = run(
        lambda: ran.append(1),
        record("STARTED", Attempt=0),
        semantics=Semantics.AT_MOST_ONCE,
        retry=None,
    )
    assert "StepInterrupted" == failure(envelope)[0]
    assert [] == ran
    assert ["STEP FAIL charge StepInterrupted", "--"] == stub.stream


def test_at_most_once_that_was_cut_off_follows_its_policy():
    """StepInterrupted is an error like another to the policy: it may be tried again."""
    envelope, stub = run(
        boom, record("STARTED", Attempt=0), semantics=Semantics.AT_MOST_ONCE, retry=STEADY
    )
    assert {"Status": "PENDING"} == envelope
    assert ["STEP RETRY charge StepInterrupted", "--"] == stub.stream


def test_interrupted_step_is_the_same_error_on_replay():
    """StepInterrupted comes back as itself."""
    first, seen = Stub(), []

    @durable(backend=first, retry=None)
    def handler(event, ctx):
        try:
            yield ctx.step("charge", boom, semantics=Semantics.AT_MOST_ONCE)
        except StepInterrupted as error:
            seen.append(str(error))

    handler(event(record("STARTED", Attempt=0)))
    handler.using(Stub())(event(*log(first)))
    assert 2 == len(seen)
    assert seen[0] == seen[1]


# --- timeouts --------------------------------------------------------------------------------------


async def slow_async():
    await asyncio.sleep(1)


@pytest.mark.parametrize("fn", [lambda: time.sleep(1), slow_async], ids=["sync", "async"])
def test_step_that_takes_too_long_is_tried_again(fn):
    """A timeout is an error like another: StepTimedOut goes through the policy."""
    envelope, stub = run(fn, timeout=0.2, retry=STEADY)
    assert {"Status": "PENDING"} == envelope
    # The start is recorded while the step runs.
    assert ["STEP START charge", "--", "STEP RETRY charge StepTimedOut", "--"] == stub.stream


@pytest.mark.parametrize("fn", [lambda: time.sleep(0.1), slow_async], ids=["sync", "async"])
def test_step_that_takes_too_long_fails_in_the_end(fn):
    """Without another attempt the step fails with StepTimedOut, live as on replay."""
    first, seen = Stub(), []

    @durable(backend=first)
    def handler(event, ctx):
        try:
            yield ctx.step("charge", fn, timeout=0.01, retry=None)
        except StepTimedOut as error:
            seen.append((error.code, str(error)))

    handler(event())
    handler.using(Stub())(event(*log(first)))
    text = "step timed out for operation 'charge': it took longer than 0.01 s"
    assert [("STEP_TIMEOUT", text)] * 2 == seen


@pytest.mark.parametrize("fn", [lambda: 42, None], ids=["sync", "async"])
def test_step_in_time_gives_its_value(fn):
    """A timeout that is not reached changes nothing."""

    async def in_time():
        return 42

    assert 42 == result(run(fn or in_time, timeout=5)[0])


# --- what a step knows -----------------------------------------------------------------------------


def test_step_knows_its_own_name_and_key():
    """Inside, current_step() tells the name and a key that is the same for every attempt."""
    seen = []

    def charge():
        step = current_step()
        seen.append((step.name, step.operation_id, step.attempt, step.idempotency_key))
        raise RuntimeError("declined")

    run(charge, retry=STEADY)
    run(charge, record("READY", Attempt=1), retry=STEADY)
    (name, id_, attempt, key), (_, _, again, same) = seen
    assert ("charge", ROOT_1, 1) == (name, id_, attempt)
    assert 2 == again
    assert key == same
