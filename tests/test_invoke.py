"""Invocations of other functions: what is sent, and what their end becomes."""

from __future__ import annotations

import pytest

from durable_gen import (
    DurableError,
    InvokeFailed,
    InvokeStopped,
    InvokeTimedOut,
    durable,
)
from replays import failure
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
