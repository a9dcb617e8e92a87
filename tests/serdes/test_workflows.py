"""Chains in workflows: every kind of operation, on the first run and on replay; faults of stores."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from durable_gen import (
    DeserializationError,
    Json,
    Poll,
    Semantics,
    StepInterrupted,
    durable,
)
from durable_gen.codecs import S3, Encrypt, Files, Preview, Zstd
from durable_gen.local import Idle, Service, VirtualClock
from replays import failure, log
from serdes.aws import aws
from serdes.values import KEY
from stub import Stub, event, result

SECRET = "4000 1234 "
LARGE = SECRET * 60


def card(last="", times=1):
    return {"card": LARGE * times, "last": last}


def cards(ctx, *last):
    value = yield from ctx.step("card", card, *last)
    yield from ctx.wait("a while", 60)
    return value


def race(ctx, op):
    return (yield from ctx.race(op))


def settled(ctx):
    first, second = yield from ctx.settled(ctx.step("one", card, "1"), cards)
    return [first.value, second.value]


def answered(ctx):
    callback = yield from ctx.callback("answer")
    return (yield from race(ctx, callback.result()))


def nested(ctx):
    return (yield from ctx.child("inner", cards))


def large(ctx):
    value = yield from ctx.step("card", card)
    return [value] * 500


def found(state):
    return {"looks": state["looks"] + 1, **card()}


def batch(ctx, nesting, times=1):
    items = ["1", "2"] * times
    made = yield from ctx.map("cards", items, cards, nesting=nesting)
    return [*made.values]


def undone(ctx):
    undo = []
    yield from ctx.step(
        "card", card, "1", compensate=lambda last, value: undo.append([last, value])
    )
    yield from ctx.compensate()
    return undo


# Each is a flow that holds a value which is secret and large, in every place where one is stored.
KINDS = {
    "step": lambda ctx: ctx.step("card", card),
    "async step": lambda ctx: ctx.step("card", later),
    "condition": lambda ctx: ctx.wait_for_condition(
        "found", found, {"looks": 0}, poll=Poll(until=lambda state: state["looks"] == 3, initial=1)
    ),
    "child": lambda ctx: ctx.child("child", cards),
    "child of a child": lambda ctx: ctx.child("outer", nested),
    "plain child": lambda ctx: ctx.child("child", lambda ctx: card()),
    "virtual child": lambda ctx: ctx.child("child", cards, virtual=True),
    "large child": lambda ctx: ctx.child("child", large),
    "map": lambda ctx: batch(ctx, "nested"),
    "flat map": lambda ctx: batch(ctx, "flat"),
    "large map": lambda ctx: batch(ctx, "nested", 150),
    "large flat map": lambda ctx: batch(ctx, "flat", 150),
    "parallel": lambda ctx: ctx.parallel("cards", [cards, cards]),
    "all": lambda ctx: ctx.all(ctx.step("one", card, "1"), ctx.step("two", card, "2"), cards),
    "settled": settled,
    "any": lambda ctx: ctx.any(ctx.wait("long", days=1), ctx.step("card", card)),
    "race of races": lambda ctx: ctx.race(ctx.all(ctx.step("one", card)), ctx.wait("w", days=1)),
    "race of a virtual child": lambda ctx: ctx.race(
        ctx.child("child", lambda ctx: card(), virtual=True)
    ),
    "race of a generator": lambda ctx: ctx.race(cards(ctx)),
    "callback in a race": answered,
    "wait_for_callback": lambda ctx: ctx.wait_for_callback("answer", card),
    "invoke": lambda ctx: ctx.invoke("other", "other:live", {"n": 1}),
    "compensation": undone,
}


async def later():
    return card()


def plain(value):
    """Make JSON of what an operation gives."""
    return json.loads(json.dumps(value, default=lambda it: [*it.values]))


def run(flow, serde, dialect):
    """Run a flow on the embedded service, with replays; give its result and its history."""

    @durable(serde=serde, dialect=dialect)
    def handler(event, ctx):
        value = plain((yield flow(ctx)))
        yield from ctx.wait("replay", hours=1)
        told.append(value)
        return "over"

    told = []
    with Service(clock=VirtualClock()) as service:

        def answer(_):
            for callback in service.pending_callbacks(arn):
                service.client.send_durable_execution_callback_success(
                    CallbackId=callback.callback_id, Result=b'{"ok": 1}'
                )
                return True
            return False

        service.register("f", handler)
        service.register("other", lambda *_: {"ok": 1}, durable=False)
        arn = service.start("f", "{}")
        assert "SUCCEEDED" == service.run(arn, answer), service.describe(arn)
        return told[-1], json.dumps(service.history(arn), default=str)


@pytest.mark.parametrize("dialect", ["core", "aws"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_operation_then_its_value_is_secret_and_the_same_on_replay(
    kind, dialect, tmp_path
):
    """A handler's chain gives what plain JSON gives, and its history has nothing in the clear."""
    chain = Json() | Zstd() | Encrypt(KEY) | Files(tmp_path, above=10_000)
    value, history = run(KINDS[kind], chain, dialect)
    expected, plainly = run(KINDS[kind], None, dialect)
    assert expected == value
    assert SECRET not in history
    assert kind in ("callback in a race", "wait_for_callback", "invoke") or SECRET in plainly


# Files for a flow: one for each value that is kept and large. What is found anew leaves none.
LEFT = {
    "step": 1,
    "condition": 3,
    "child": 2,
    "plain child": 1,
    "virtual child": 1,  # its step's
    "map": 4,
    "flat map": 4,
    "all": 4,  # three steps, and the flow of one branch
    "race of races": 1,
    "race of a virtual child": 1,
    "large flat map": 600,
}


@pytest.mark.parametrize("kind", LEFT)
def test_replays_then_they_leave_no_further_files(kind, tmp_path):
    """One object for each value that the log keeps, however often a flow is replayed."""
    run(KINDS[kind], Json() | Files(tmp_path, above=100), "core")
    assert LEFT[kind] == len(list(tmp_path.glob("*/*")))


def test_values_of_two_steps_were_exchanged_then_the_workflow_fails():
    """Who can write to the log cannot give one step the value of another."""
    first = Stub()

    @durable(backend=first, serde=Json() | Encrypt(KEY))
    def handler(event, ctx):
        yield from ctx.step("one", card, "1")
        yield from ctx.step("two", card, "2")

    handler(event())
    one, two = log(first)
    one["StepDetails"], two["StepDetails"] = two["StepDetails"], one["StepDetails"]
    assert (
        "DeserializationError",
        (
            "step 'one': its stored value cannot be decrypted: it was changed, or is that of another "
            "operation or execution"
        ),
    ) == failure(handler.using(Stub())(event(one, two)))


def test_serde_of_one_operation_then_only_its_value_goes_through_it():
    """A chain is for a handler or for one operation."""
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        yield from ctx.step("open", card)
        yield from ctx.step("secret", card, serde=Json() | Preview("last") | Encrypt(KEY))

    handler(event())
    assert [True, False] == [
        SECRET in update["Payload"] for update in stub.updates if "Payload" in update
    ]
    assert {"last": ""} == json.loads(stub.updates[-1]["Payload"])["preview"]


def test_value_over_the_services_limit_then_it_is_stored_elsewhere(tmp_path):
    """What counts is the text after the chain: it says where the value is."""
    stub = Stub()

    @durable(backend=stub, serde=Json() | Files(tmp_path))
    def handler(event, ctx):
        value = yield from ctx.step("report", lambda: "x" * 5_000_000)
        return len(value)

    assert 5_000_000 == result(handler(event()))
    assert 5_000_000 == result(handler.using(Stub())(event(*log(stub))))
    assert len(stub.updates[-1]["Payload"]) < 400


def test_answer_to_a_callback_then_it_is_the_callbacks_wherever_it_is_awaited():
    """A serde is told the same operation, whether the answer is awaited alone or in a race."""
    told = []

    class Told(Json):
        def loads(self, text, info):
            told.append(info.operation_id)
            return super().loads(text, info)

    @durable
    def handler(event, ctx):
        callback = yield from ctx.callback("answer", serde=Told())
        alone = yield from callback.result()
        raced = yield from race(ctx, callback.result())
        return [alone, raced]

    with Service(clock=VirtualClock()) as service:
        service.register("f", handler)
        arn = service.start("f", "{}")
        while not isinstance(service.step(), Idle):
            pass
        (callback,) = service.pending_callbacks(arn)
        service.client.send_durable_execution_callback_success(
            CallbackId=callback.callback_id, Result=b"1"
        )
        assert "SUCCEEDED" == service.run(arn)
    assert 1 == len(set(told))


# --- faults of the store ------------------------------------------------------------------------------


@pytest.fixture(name="s3")
def _s3():
    with aws() as stand_in:
        yield stand_in


def stored(s3, attempts=1):
    return Json() | S3("values", above=100, client=s3.client("s3", attempts))


WHERE = {
    "a step": lambda ctx: ctx.step("card", card),
    "a child": lambda ctx: ctx.child("child", lambda ctx: card()),
    "a branch": lambda ctx: ctx.map("cards", ["1"], lambda ctx, item: card(item)),
    "a condition": lambda ctx: ctx.wait_for_condition("found", found, {"looks": 0}),
}


@pytest.mark.parametrize("place", WHERE)
def test_value_cannot_be_stored_now_then_the_invocation_ends_and_the_next_goes_on(s3, place):
    """A fault that may pass is raised as it is, for Lambda to invoke again; nothing is recorded of it."""
    stub = Stub()

    @durable(backend=stub, serde=stored(s3))
    def handler(event, ctx):
        try:
            return plain((yield WHERE[place](ctx)))
        except BaseException as error:
            caught.append(error)
            raise

    caught = []
    s3.faults.append((503, "SlowDown"))
    with pytest.raises(ClientError) as raised:
        handler(event())
    assert "its value could not be stored now; Lambda is to invoke again" in str(
        raised.value.__notes__
    )
    assert ["START"] * len(stub.updates) == [update["Action"] for update in stub.updates]
    assert SECRET in json.dumps(result(handler.using(Stub())(event(*log(stub)))))
    assert [] == caught


@pytest.mark.parametrize("place", WHERE)
def test_value_cannot_be_read_now_then_the_invocation_ends(s3, place):
    """A workflow cannot catch a fault of the store that may pass, nor fail by it."""
    stub = Stub()

    @durable(backend=stub, serde=stored(s3))
    def handler(event, ctx):
        try:
            return plain((yield WHERE[place](ctx)))
        except BaseException as error:
            caught.append(error)
            raise

    caught = []
    value = result(handler(event()))
    again = handler.using(Stub())
    s3.faults.append((503, "SlowDown"))
    with pytest.raises(ClientError) as raised:
        again(event(*log(stub)))
    assert "its value could not be read now; Lambda is to invoke again" in str(
        raised.value.__notes__
    )
    assert [] == caught
    assert value == result(again(event(*log(stub))))


def test_value_cannot_be_stored_now_then_what_ended_before_is_recorded(s3):
    """A fault of the store ends the invocation, and takes nothing with it that has ended."""
    stub, ran = Stub(), []

    def work(name):
        ran.append(name)
        return card(name)

    @durable(backend=stub, serde=stored(s3))
    def handler(event, ctx):
        with ctx.batch():
            for name in ("one", "two", "three"):
                yield from ctx.step(name, work, name)

    s3.faults.extend([None] * 4 + [(503, "SlowDown")])
    with pytest.raises(ClientError):
        handler(event())
    assert ["STEP SUCCEED one", "STEP SUCCEED two"] == [
        line.partition(" {")[0] for line in stub.stream if "SUCCEED" in line
    ]
    handler.using(Stub())(event(*log(stub)))
    assert ["one", "two", "three", "three"] == ran


def test_value_cannot_be_stored_now_then_no_step_is_begun_that_will_not_run(s3):
    """The start of a step that runs at most once is only recorded if it runs."""
    stub, ran = Stub(), []

    @durable(backend=stub, serde=stored(s3))
    def handler(event, ctx):
        def second(ctx):
            for _ in range(3):  # by then the first one has come to its step
                yield (one for one in ())
            return card()

        pay = ctx.step("pay", lambda: ran.append(1), semantics=Semantics.AT_MOST_ONCE)
        yield from ctx.all(pay, second)

    s3.faults.append((503, "SlowDown"))
    with pytest.raises(ClientError):
        handler(event())
    assert [] == [line for line in stub.stream if "pay" in line]
    handler.using(Stub())(event(*log(stub)))
    assert [1] == ran


def test_step_whose_value_cannot_be_stored_now_then_it_runs_again():
    """At least once: what the step did is not lost from sight, it is done again."""
    ran = []

    class Away(Json):
        def dumps(self, value, info):
            if len(ran) == 1:
                raise TimeoutError("the store does not answer")
            return super().dumps(value, info)

    @durable(serde=Away())
    def handler(event, ctx):
        return (yield from ctx.step("pay", lambda: ran.append(1) or len(ran)))

    with Service(clock=VirtualClock()) as service:
        service.register("f", handler)
        arn = service.start("f", "{}")
        assert "SUCCEEDED" == service.run(arn)
        assert "2" == service.describe(arn)["Result"]


def test_step_that_runs_at_most_once_and_cannot_be_stored_now_then_it_does_not_run_again():
    """At most once: the next invocation finds that it was begun, and says so."""
    ran = []

    class Away(Json):
        def dumps(self, value, info):
            raise ConnectionResetError("the store does not answer")

    @durable
    def handler(event, ctx):
        pay = ctx.step("pay", lambda: ran.append(1), semantics=Semantics.AT_MOST_ONCE, serde=Away())
        try:
            yield from pay
        except StepInterrupted:
            return "in doubt"

    with Service(clock=VirtualClock()) as service:
        service.register("f", handler)
        arn = service.start("f", "{}")
        assert "SUCCEEDED" == service.run(arn)
        assert '"in doubt"' == service.describe(arn)["Result"]
    assert [1] == ran


@pytest.mark.parametrize("error", [KeyError("x"), OSError(28, "No space left"), ValueError("no")])
def test_serde_raises_what_does_not_pass_then_the_step_fails_and_is_not_tried_again(error):
    """A fault of the code, or a full disk, is the workflow's to see: trying again cannot mend it."""
    ran = []

    class Broken(Json):
        def dumps(self, value, info):
            raise error

    stub = Stub()

    @durable(backend=stub, serde=Broken())
    def handler(event, ctx):
        yield from ctx.step("pay", lambda: ran.append(1))

    kind, text = failure(handler(event()))
    assert "SerializationError" == kind
    assert f"step 'pay': its serde raised {type(error).__name__}: {error}" == text
    assert [1] == ran


def test_store_fails_at_any_call_then_the_result_is_the_same(s3):
    """Whichever call to the store fails, the execution goes on, and gives what it would have given."""

    @durable(serde=stored(s3))
    def handler(event, ctx):
        one = yield from ctx.step("one", card, "1")
        both = yield from ctx.map("cards", ["2", "3"], cards)
        return [one["last"], [value["last"] for value in both.values]]

    def ended():
        with Service(clock=VirtualClock()) as service:
            service.register("f", handler)
            arn = service.start("f", "{}")
            assert "SUCCEEDED" == service.run(arn)
            return service.describe(arn)["Result"]

    expected = ended()
    calls = len(s3.calls)
    assert calls > 10
    for index in range(calls):
        for fault in ((503, "SlowDown"), "lost"):
            s3.faults.extend([None] * index + [fault])
            assert expected == ended()
            s3.faults.clear()


def test_object_is_gone_then_the_workflow_may_catch_it(s3):
    """A value that is gone for good is an error of the operation, which names the place."""
    stub = Stub()

    @durable(backend=stub, serde=stored(s3))
    def handler(event, ctx):
        try:
            yield from ctx.step("card", card)
        except DeserializationError as error:
            return str(error)
        return "read"

    assert "read" == result(handler(event()))
    s3.objects.clear()
    text = result(handler.using(Stub())(event(*log(stub))))
    assert text.startswith("step 'card': its stored value at s3://values/order-7-")
    assert text.endswith(": was it deleted before the execution was over, by a lifecycle rule?")
