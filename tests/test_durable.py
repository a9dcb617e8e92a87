"""The handler: envelopes, backends, options, and what the service's faults mean."""

from __future__ import annotations

import json

import pytest

from durable_gen import Serde, UsageError, backends, durable, durable_error
from durable_gen.backends import default
from replays import failure
from stub import ARN, Stub, event, logged, result

SIX_MB = 6 * 1024 * 1024


def one_step(event, ctx):
    return (yield ctx.step("charge", lambda: 42))


def napping(event, ctx):
    yield ctx.wait("nap", 30)


# --- envelopes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 7, "text", [1, {"a": None}], {"é": 1.5}])
def test_what_a_workflow_returns_is_the_result_as_json_text(value):
    """SUCCEEDED carries the value as JSON text, None too."""
    envelope = durable(backend=Stub())(lambda event, ctx: value)(event())
    assert {"Status", "Result"} == set(envelope)
    assert "SUCCEEDED" == envelope["Status"]
    assert value == json.loads(envelope["Result"])


def test_workflow_that_waits_is_pending_and_nothing_else():
    """PENDING has neither a result nor an error."""
    assert {"Status": "PENDING"} == durable(backend=Stub())(napping)(event())


def test_what_a_workflow_raises_is_the_error_by_its_class():
    """FAILED carries the class's name and the text, and no result."""

    def flow(event, ctx):
        raise KeyError("order")

    envelope = durable(backend=Stub())(flow)(event())
    assert {"Status", "Error"} == set(envelope)
    assert ("KeyError", "'order'") == failure(envelope)


def test_error_of_a_workflow_has_the_users_stack():
    """The stack names the user's lines and none of the library's."""

    def flow(event, ctx):
        yield ctx.step("charge", int)
        raise ValueError("after it")

    stack = durable(backend=Stub())(flow)(event())["Error"]["StackTrace"]
    assert 'raise ValueError("after it")' in stack[-1]
    assert not [line for line in stack if "durable_gen/_" in line]


@durable_error
class Declined(Exception):  # noqa: N818
    pass


def test_durable_error_that_ends_a_workflow_carries_its_data():
    """What a caller needs to rebuild it goes with it."""

    def flow(event, ctx):
        raise Declined("no funds", 50)

    error = durable(backend=Stub())(flow)(event())["Error"]
    assert ["no funds", 50] == json.loads(error["ErrorData"])["args"]


def test_result_that_is_no_json_fails_the_workflow():
    """A result that cannot be written is told by its path."""
    name, text = failure(durable(backend=Stub())(lambda event, ctx: {"a": {1}})(event()))
    assert "SerializationError" == name
    assert text.startswith("the handler's result")
    assert "@ $.a" in text


def test_result_over_the_limit_fails_the_workflow():
    """The service takes 6 MB of a result and no more."""
    name, text = failure(durable(backend=Stub())(lambda event, ctx: "x" * SIX_MB)(event()))
    assert "PayloadTooLarge" == name
    assert text.startswith(f"the handler's result takes {SIX_MB + 2} bytes")


def test_result_that_is_too_large_for_an_envelope_goes_by_checkpoint():
    """Lambda answers at most 6 MB: a result that fits and its envelope that does not is sent as
    EXECUTION/SUCCEED, and the envelope's result is empty (durable-lambda-core.md, row 47)."""
    stub = Stub()
    value = '"' * (2 * 1024 * 1024)  # 4 MB as text, 8 MB in the envelope
    envelope = durable(backend=stub)(lambda event, ctx: value)(event())
    size = len(json.dumps(envelope).encode())
    assert size <= SIX_MB
    assert "SUCCEEDED" == envelope["Status"]
    (update,) = stub.updates
    assert ("EXECUTION", "SUCCEED") == (update["Type"], update["Action"])
    assert value == json.loads(update["Payload"])


def test_input_with_a_number_beyond_64_bits_reaches_the_workflow_whole():
    """What the caller sent is what the workflow gets."""
    handler = durable(backend=Stub())(lambda event, ctx: str(event["n"]))
    assert str(10**30) == result(handler(event(payload={"n": 10**30})))


def test_input_reaches_the_workflow():
    """The event that the execution was started with is the workflow's first argument."""
    handler = durable(backend=Stub())(lambda event, ctx: event["order"])
    assert "order-7" == result(handler(event(payload={"order": "order-7"})))


def test_workflow_knows_its_execution_and_lambdas_context():
    """The context has the ARN and what Lambda gave the handler."""
    lambda_context, seen = object(), []

    def flow(event, ctx):
        seen.append((ctx.execution_arn, ctx.lambda_context))

    durable(backend=Stub())(flow)(event(), lambda_context)
    assert [(ARN, lambda_context)] == seen


def test_event_that_is_not_durable_is_an_error_that_says_what_to_do():
    """An ordinary invocation is refused with how a durable one is made."""
    with pytest.raises(UsageError) as caught:
        durable(backend=Stub())(one_step)({"order": 7})
    text = str(caught.value)
    assert text.startswith("this is not a durable invocation: the event has no DurableExecutionArn")
    assert "(it has: order)" in text


@pytest.mark.parametrize("member", ["CheckpointToken", "InitialExecutionState"])
def test_event_that_lacks_a_member_is_an_error_that_names_it(member):
    """What is missing of a durable event is told."""
    invocation = event()
    del invocation[member]
    with pytest.raises(UsageError) as caught:
        durable(backend=Stub())(one_step)(invocation)
    assert f"the event of {ARN} has no {member}" == str(caught.value)


# --- the handler -----------------------------------------------------------------------------------


def test_flow_is_the_function_that_is_wrapped():
    """handler.flow is the workflow itself, with its name and docstring on the handler."""

    def flow(event, ctx):
        """Charge an order."""

    handler = durable(flow)
    assert flow is handler.flow
    assert ("flow", "Charge an order.") == (handler.__name__, handler.__doc__)
    assert flow is durable(backend=Stub())(flow).flow


def test_using_makes_the_same_handler_with_another_backend():
    """using() leaves the handler as it was and keeps its other options."""
    first, second = Stub(), Stub()
    handler = durable(backend=first, dialect="aws")(
        lambda event, ctx: (yield ctx.child("c", lambda child: 1))
    )
    other = handler.using(second)
    assert handler.flow is other.flow
    other(event())
    assert [] == first.calls
    assert "RunInChildContext" == second.updates[0]["SubType"]


def test_default_backend_is_made_once_and_only_when_it_is_needed(monkeypatch):
    """The default is a botocore client, made by the first invocation."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    default.cache_clear()
    handler = durable(lambda event, ctx: 1)
    assert 0 == default.cache_info().currsize
    handler(event())
    handler(event())
    assert 1 == default.cache_info().misses
    client = backends.default()
    assert "lambda" == client.meta.service_model.service_name
    default.cache_clear()


class Upper:
    def dumps(self, value, info):
        return f"<{value}>"

    def loads(self, text, info):
        return text[1:-1].upper()


def test_serde_of_the_handler_stores_values():
    """serde= is how the values of operations are stored where they name none."""
    stub, serde = Stub(), Upper()
    check: Serde = serde
    handler = durable(backend=stub, serde=check)(
        lambda event, ctx: (yield ctx.step("a", lambda: "x"))
    )
    assert "X" == result(handler(event()))
    assert "<x>" == stub.updates[-1]["Payload"]


@pytest.mark.parametrize(
    "options", [{"dialect": "esperanto"}, {"max_workers": 0}, {"max_workers": True}]
)
def test_options_out_of_range_are_refused(options):
    """Options are checked where they are given."""
    with pytest.raises(UsageError):
        durable(**options)


def test_async_workflow_is_refused():
    """A workflow is a generator; an async one is refused when it is decorated."""

    async def flow(event, ctx):
        pass

    with pytest.raises(UsageError) as caught:
        durable(flow)
    assert "test_durable.py" in str(caught.value)
    assert "only its steps may be async" in str(caught.value)


# --- what is sent -----------------------------------------------------------------------------------


def test_client_token_names_one_logical_checkpoint():
    """A repeated call carries the same ClientToken, another one another: 64 characters at most."""
    first, again = Stub(), Stub()

    def flow(event, ctx):
        yield ctx.step("a", int)
        yield ctx.step("b", int)

    durable(backend=first)(flow)(event())
    durable(backend=again)(flow)(event())
    tokens = [call["ClientToken"] for call in first.calls]
    assert tokens == [call["ClientToken"] for call in again.calls]
    assert 2 == len(set(tokens))
    assert max(map(len, tokens)) <= 64


def test_updates_are_what_botocore_takes():
    """Every update passes botocore's own validation of the service model."""
    import botocore.session
    from botocore.validate import ParamValidator

    model = botocore.session.get_session().get_service_model("lambda")
    shape = model.operation_model("CheckpointDurableExecution").input_shape
    stub = Stub()

    def boom():
        raise RuntimeError("declined")

    def flow(event, ctx):
        yield ctx.child("c", lambda child: (yield child.step("s", int)))
        yield ctx.callback("cb", timeout=5)
        yield ctx.settled(
            ctx.wait("w", 5),
            ctx.invoke("i", "other", {"a": 1}, tenant_id="t"),
            ctx.step("retried", boom),
            ctx.step("failed", boom, retry=None),
            ctx.wait_for_condition("cond", lambda state: 0),
        )

    made = logged({"Id": "x", "Type": "CALLBACK"}, "STARTED", CallbackId="c")
    record = {key: made[key] for key in ("Status", "CallbackDetails")}

    class Calling(Stub):
        def checkpoint_durable_execution(self, **request):
            self.answers = [
                [
                    {**logged(update, "STARTED"), **record}
                    for update in request["Updates"]
                    if update["Type"] == "CALLBACK"
                ]
            ]
            return super().checkpoint_durable_execution(**request)

    stub = Calling()
    durable(backend=stub)(flow)(event())
    assert {"STEP", "WAIT", "CALLBACK", "CHAINED_INVOKE", "CONTEXT"} == {
        update["Type"] for update in stub.updates
    }
    for call in stub.calls:
        report = ParamValidator().validate(call, shape)
        assert not report.has_errors(), report.generate_report()
