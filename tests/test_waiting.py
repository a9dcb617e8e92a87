"""What the service ends: waits, conditions, callbacks and invocations of other functions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from replays import failure, log
from stub import STARTED, Stub, event, logged, result

from durable_gen import (
    CallbackFailed,
    CallbackSubmitFailed,
    CallbackTimedOut,
    ConditionFailed,
    DurableError,
    InvokeFailed,
    InvokeStopped,
    InvokeTimedOut,
    Poll,
    Text,
    durable,
)

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


# --- callbacks -------------------------------------------------------------------------------------


def made(status="STARTED", **details):
    return record("CALLBACK", status, sub_type="Callback", CallbackId="cb-1", **details)


def answered(event, ctx):
    callback = yield ctx.callback("x", timeout=300, heartbeat=60)
    return (yield callback.result())


def test_callback_sends_start_with_its_limits_and_gives_the_services_id():
    """START carries both limits in seconds; the id is the one in the answer."""
    envelope, stub = run(lambda ctx: ctx.callback("x", timeout=300), stub=Stub([made()]))
    assert "SerializationError" == failure(envelope)[0]  # a Callback is no result of a handler
    expected = {
        "Id": ROOT_1,
        "Type": "CALLBACK",
        "Action": "START",
        "Name": "x",
        "SubType": "Callback",
        "CallbackOptions": {"TimeoutSeconds": 300, "HeartbeatTimeoutSeconds": 0},
    }
    assert [expected] == stub.updates


@pytest.mark.parametrize("status", ["STARTED", "SUCCEEDED", "FAILED", "TIMED_OUT"])
def test_recorded_callback_gives_its_id_whatever_became_of_it(status):
    """The id is the record's; how it ended is told by its result()."""
    stub, seen = Stub(), []

    @durable(backend=stub)
    def handler(event, ctx):
        seen.append((yield ctx.callback("x")).id)

    handler(event(made(status)))
    assert ["cb-1"] == seen
    assert [] == stub.calls


def test_callback_without_an_id_in_the_answer_is_the_services_fault():
    """No id in the answer is CheckpointFailed, which names the callback."""
    name, text = failure(durable(backend=Stub())(answered)(event()))
    assert "CheckpointFailed" == name
    assert "'x'" in text


def test_callback_that_nobody_answered_suspends():
    """result() waits as long as the record is open."""
    stub = Stub()
    assert {"Status": "PENDING"} == durable(backend=stub)(answered)(event(made()))
    assert [] == stub.calls


def test_callback_gives_its_answer_as_json():
    """The answer is read as JSON."""
    handler = durable(backend=Stub())(answered)
    assert {"approved": True} == result(
        handler(event(made("SUCCEEDED", Result='{"approved": true}')))
    )


def test_callback_gives_text_as_it_is():
    """With serde=Text() the answer is not read as JSON."""

    @durable(backend=Stub())
    def handler(event, ctx):
        callback = yield ctx.callback("x", serde=Text())
        return (yield callback.result())

    assert "yes, do" == result(handler(event(made("SUCCEEDED", Result="yes, do"))))


def test_callback_answered_in_the_answer_to_another_checkpoint_goes_on():
    """News of a waiting operation in any answer is taken up at once."""
    stub = Stub([made()], [made("SUCCEEDED", Result="1")])

    @durable(backend=stub)
    def handler(event, ctx):
        callback = yield ctx.callback("x")
        yield ctx.step("send", lambda: None)
        return (yield callback.result())

    assert 1 == result(handler(event()))


def test_callback_is_answered_with_null():
    """An answer without a result is None."""
    assert result(durable(backend=Stub())(answered)(event(made("SUCCEEDED")))) is None


@pytest.mark.parametrize(
    ("status", "error", "subject"),
    [
        ("FAILED", CallbackFailed, "callback failed"),
        ("CANCELLED", CallbackFailed, "callback failed"),
        ("STOPPED", CallbackFailed, "callback failed"),
        ("TIMED_OUT", CallbackTimedOut, "callback timed out"),
    ],
)
def test_callback_failures_are_graded(status, error, subject):
    """Answered with a failure is CallbackFailed, not answered in time is CallbackTimedOut."""
    seen = []

    @durable(backend=Stub())
    def handler(event, ctx):
        callback = yield ctx.callback("x")
        try:
            yield callback.result()
        except CallbackFailed as failed:
            seen.append(failed)

    handler(event(made(status, Error={"ErrorType": "Denied", "ErrorMessage": "no"})))
    (failed,) = seen
    assert error is type(failed)
    assert f"{subject} for operation 'x' (callback_id: cb-1): Denied: no" == str(failed)
    assert "cb-1" == failed.callback_id


@pytest.mark.parametrize("seconds", [0, -1])
def test_callback_limit_below_a_second_is_refused(seconds):
    """No limit is None; a limit of nothing is an error."""
    envelope, stub = run(lambda ctx: ctx.callback("x", timeout=seconds))
    assert "UsageError" == failure(envelope)[0]
    assert [] == stub.calls


# --- wait_for_callback -----------------------------------------------------------------------------

CHILD_1 = "974bfc63"


def approval(submit):
    def flow(event, ctx):
        return (yield ctx.wait_for_callback("approval", submit, timeout=60, retry=None))

    return flow


def opened(stub):
    """Make the records after the first invocation, with the callback's id."""
    return [
        {**row, "CallbackDetails": {"CallbackId": "cb-1"}} if row["Type"] == "CALLBACK" else row
        for row in log(stub)
    ]


class Answering(Stub):
    """Gives a callback its id as soon as it is started."""

    def checkpoint_durable_execution(self, **request):
        for update in request["Updates"]:
            if update["Type"] == "CALLBACK":
                self.answers = [[logged(update, "STARTED", CallbackId="cb-1")]]
        return super().checkpoint_durable_execution(**request)


def test_wait_for_callback_hands_out_the_id_and_suspends():
    """It is a context with a callback and a step that submits its id."""
    stub, seen = Answering(), []
    envelope = durable(backend=stub)(approval(seen.append))(event())
    assert {"Status": "PENDING"} == envelope
    assert ["cb-1"] == seen
    rows = [(u["Type"], u["Action"], u["SubType"]) for u in stub.updates]
    expected = [
        ("CONTEXT", "START", "WaitForCallback"),
        ("CALLBACK", "START", "Callback"),
        ("STEP", "START", "Step"),
        ("STEP", "SUCCEED", "Step"),
    ]
    assert expected == rows
    assert [None, *[ROOT_1] * 3] == [u.get("ParentId") for u in stub.updates]


def answer(records, status, **details):
    return [
        {**row, "Status": status, "CallbackDetails": {"CallbackId": "cb-1", **details}}
        if row["Type"] == "CALLBACK"
        else row
        for row in records
    ]


def test_wait_for_callback_gives_the_answer_and_submits_once():
    """When it is answered the id is not handed out again."""
    first, second, seen = Answering(), Stub(), []
    handler = durable(backend=first)(approval(seen.append))
    handler(event())
    records = answer(opened(first), "SUCCEEDED", Result='"yes"')
    assert "yes" == result(handler.using(second)(event(*records)))
    assert ["cb-1"] == seen
    assert ['CONTEXT SUCCEED approval "yes"', "--"] == second.stream


@pytest.mark.parametrize(
    ("status", "error"), [("FAILED", CallbackFailed), ("TIMED_OUT", CallbackTimedOut)]
)
def test_wait_for_callback_raises_what_became_of_it(status, error):
    """The graded error comes out as itself, live and on replay, and equal."""
    first, second, seen = Answering(), Stub(), []

    @durable(backend=first)
    def handler(event, ctx):
        try:
            yield ctx.wait_for_callback("approval", lambda id_: None)
        except CallbackFailed as failed:
            seen.append(failed)

    handler(event())
    records = answer(opened(first), status, Error={"ErrorMessage": "no"})
    handler.using(second)(event(*records))
    ended = {row["Id"]: row for row in [*records, *log(second)]}
    handler.using(Stub())(event(*ended.values()))
    live, replayed = seen
    assert error is type(live)
    assert (type(live), live.args, str(live)) == (type(replayed), replayed.args, str(replayed))
    assert live.callback_id == replayed.callback_id == "cb-1"


def test_submit_that_fails_is_an_error_of_its_own():
    """When the id cannot be handed out it is CallbackSubmitFailed."""

    def submit(callback_id):
        raise RuntimeError("no mail")

    name, text = failure(durable(backend=Answering())(approval(submit))(event()))
    assert "CallbackSubmitFailed" == name
    assert "callback submit failed for operation 'approval': RuntimeError: no mail" == text


# --- invoke ----------------------------------------------------------------------------------------


def invoked(status, **details):
    return record("CHAINED_INVOKE", status, sub_type="ChainedInvoke", **details)


def call(ctx):
    return ctx.invoke("x", "pay:live", {"amount": 42})


def test_invoke_sends_start_with_its_payload_and_suspends():
    """START carries the function and the payload as JSON."""
    envelope, stub = run(call)
    assert {"Status": "PENDING"} == envelope
    expected = {
        "Id": ROOT_1,
        "Type": "CHAINED_INVOKE",
        "Action": "START",
        "Name": "x",
        "SubType": "ChainedInvoke",
        "Payload": '{"amount":42}',
        "ChainedInvokeOptions": {"FunctionName": "pay:live"},
    }
    assert [expected] == stub.updates


def test_invoke_for_a_tenant_says_so():
    """The tenant's id goes with the function's name."""
    _, stub = run(lambda ctx: ctx.invoke("x", "pay:live", tenant_id="acme"))
    expected = {"FunctionName": "pay:live", "TenantId": "acme"}
    assert expected == stub.updates[0]["ChainedInvokeOptions"]


def test_invoke_that_goes_on_suspends_and_sends_nothing():
    """An open record is waited for."""
    envelope, stub = run(call, invoked("STARTED"))
    assert {"Status": "PENDING"} == envelope
    assert [] == stub.calls


def test_invoke_that_succeeded_gives_the_answer():
    """The answer is read as JSON, and nothing is sent."""
    envelope, stub = run(call, invoked("SUCCEEDED", Result='{"paid": 42}'))
    assert {"paid": 42} == result(envelope)
    assert [] == stub.calls


def test_invoke_that_is_over_in_the_answer_goes_on_at_once():
    """The answer to its START may hold the result already."""
    envelope, stub = run(call, stub=Stub([invoked("SUCCEEDED", Result="7")]))
    assert 7 == result(envelope)
    assert 1 == len(stub.calls)


@pytest.mark.parametrize(
    ("status", "error", "subject"),
    [
        ("FAILED", InvokeFailed, "invoke failed"),
        ("TIMED_OUT", InvokeTimedOut, "invoke timed out"),
        ("STOPPED", InvokeStopped, "invoke stopped"),
    ],
)
def test_invoke_failures_have_their_classes(status, error, subject):
    """FAILED, TIMED_OUT and STOPPED are told apart, and all are InvokeFailed."""
    failed = caught(call, invoked(status, Error={"ErrorType": "T", "ErrorMessage": "m"}))
    assert error is type(failed)
    assert isinstance(failed, InvokeFailed)
    assert f"{subject} for operation 'x': T: m" == str(failed)


def test_invoke_payload_that_is_no_json_is_refused():
    """A payload that cannot be sent is an error at the operation, before anything is sent."""
    envelope, stub = run(lambda ctx: ctx.invoke("x", "pay", {1, 2}))
    name, text = failure(envelope)
    assert "SerializationError" == name
    assert text.startswith("the payload of invoke 'x'")
    assert [] == stub.calls
