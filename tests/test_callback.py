"""Callbacks: an id by which the outside answers, and what its answer becomes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from durable_gen import (
    CallbackFailed,
    CallbackTimedOut,
    Text,
    durable,
)
from replays import failure, log
from stub import Stub, event, logged, result

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


class Iso:
    """Reads answers as instants."""

    def dumps(self, value, info):
        return value.isoformat()

    def loads(self, text, info):
        return datetime.fromisoformat(text)


def test_wait_for_callback_gives_what_its_serde_reads():
    """serde= says how the answer is read: what it reads is what comes, JSON or not."""
    first, second, seen = Answering(), Stub(), []

    @durable(backend=first)
    def handler(event, ctx):
        seen.append((yield ctx.wait_for_callback("approval", lambda id_: None, serde=Iso())))

    handler(event())
    records = answer(opened(first), "SUCCEEDED", Result="2024-02-29T12:00:00+00:00")
    assert result(handler.using(second)(event(*records))) is None
    assert [datetime(2024, 2, 29, 12, tzinfo=UTC)] == seen


def test_submit_that_fails_is_an_error_of_its_own():
    """When the id cannot be handed out it is CallbackSubmitFailed."""

    def submit(callback_id):
        raise RuntimeError("no mail")

    name, text = failure(durable(backend=Answering())(approval(submit))(event()))
    assert "CallbackSubmitFailed" == name
    assert "callback submit failed for operation 'approval': RuntimeError: no mail" == text
