"""Child contexts that fail, and those whose results are too large to be kept."""

from __future__ import annotations

import json

import pytest

from children import child_record, id_of, reading
from durable_gen import ChildContextFailed, DurableError, durable
from replays import failure, log
from stub import Stub, event, result

KIB_256 = 262_144  # bytes, above which a context's result is not kept with it


# --- failure ---------------------------------------------------------------------------------------


def test_child_that_raises_sends_fail_with_its_error():
    """A child that fails is checkpointed FAIL with the error's type, message and stack (law 5)."""
    stub = Stub()

    def body(child):
        raise ValueError("no funds")

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.child("x", body)

    text = "child context failed for operation 'x': ValueError: no funds"
    assert ("ChildContextFailed", text) == failure(handler(event()))
    start, fail = stub.updates
    assert "START" == start["Action"]
    assert ("FAIL", "Context", "x") == (fail["Action"], fail["SubType"], fail["Name"])
    assert "Payload" not in fail
    error = fail["Error"]
    assert ("ValueError", "no funds") == (error["ErrorType"], error["ErrorMessage"])
    assert "test_child_failure.py" in error["StackTrace"][-1]


def test_step_that_fails_inside_fails_the_child():
    """What a step raises passes out of a flow that does not catch it, and is recorded on each way out."""
    stub = Stub()

    def boom():
        raise RuntimeError("intentional failure")

    @durable(backend=stub, retry=None)
    def handler(event, ctx):
        yield ctx.child("failing_sub", lambda child: (yield child.step("boom", boom)))

    name, text = failure(handler(event()))
    assert "ChildContextFailed" == name
    inner = "step failed for operation 'boom': RuntimeError: intentional failure"
    assert f"child context failed for operation 'failing_sub': StepFailed: {inner}" == text
    assert "CONTEXT FAIL failing_sub StepFailed" == stub.stream[-2]


def test_live_error_equals_the_replayed_one():
    """Whoever waits for a child sees one error, live as on replay: class, fields and text (law 3)."""
    stub, seen = Stub(), []

    def inner(child):
        raise ValueError("no funds")

    @durable(backend=stub)
    def handler(event, ctx):
        try:
            yield ctx.child("outer", lambda child: (yield child.child("inner", inner)))
        except ChildContextFailed as error:
            seen.append(error)

    handler(event())
    replay = Stub()
    handler.using(replay)(event(*log(stub)))
    live, replayed = seen
    assert [] == replay.calls
    assert (type(live), str(live), live.args) == (type(replayed), str(replayed), replayed.args)
    assert live.stack_trace == replayed.stack_trace
    assert "outer" == live.operation


def test_live_error_has_the_raised_one_as_its_cause():
    """The exception itself is the cause while it is at hand."""
    raised, seen = ValueError("no funds"), []

    def body(child):
        raise raised

    @durable(backend=Stub())
    def handler(event, ctx):
        try:
            yield ctx.child("x", body)
        except ChildContextFailed as error:
            seen.append(error.__cause__)

    handler(event())
    assert [raised] == seen


def test_replayed_error_has_the_recorded_stack_as_a_note():
    """On replay the stack that was stored stands in for the cause."""
    stub, seen = Stub(), []

    def body(child):
        raise ValueError("no funds")

    @durable(backend=stub)
    def handler(event, ctx):
        try:
            yield ctx.child("x", body)
        except ChildContextFailed as error:
            seen.append(error)

    handler(event())
    handler.using(Stub())(event(*log(stub)))
    (note,) = seen[1].__notes__
    assert 'raise ValueError("no funds")' in note


def test_recorded_failure_says_its_type_and_data():
    """A failure that holds only type and data, as other SDKs write it, is told in full."""
    stub, seen = Stub(), []
    error = {"ErrorType": "RuntimeError", "ErrorData": "something went wrong"}
    durable(backend=stub)(reading(seen))(event(child_record("FAILED", Error=error)))
    (failed,) = seen
    assert type(failed) is ChildContextFailed
    text = "child context failed for operation 'x': RuntimeError: something went wrong"
    assert text == str(failed)
    assert [] == stub.calls


def test_recorded_failure_prefers_the_message():
    """ErrorMessage is what is told of a failure that has one."""
    seen = []
    error = {"ErrorType": "RuntimeError", "ErrorMessage": "went wrong", "ErrorData": '{"a":1}'}
    durable(backend=Stub())(reading(seen))(event(child_record("FAILED", Error=error)))
    assert "child context failed for operation 'x': RuntimeError: went wrong" == str(seen[0])
    assert '{"a":1}' == seen[0].data


def test_recorded_failure_without_an_error_still_fails():
    """A failure of which nothing is recorded names the operation and no more."""
    seen = []
    durable(backend=Stub())(reading(seen))(event(child_record("FAILED")))
    assert "child context failed for operation 'x'" == str(seen[0])


@pytest.mark.parametrize("status", ["CANCELLED", "TIMED_OUT", "STOPPED"])
def test_child_that_was_ended_from_outside_failed(status):
    """CANCELLED, TIMED_OUT and STOPPED are failures: no body, no checkpoint."""
    stub, seen = Stub(), []
    durable(backend=stub)(reading(seen))(event(child_record(status)))
    assert [ChildContextFailed] == [type(error) for error in seen]
    assert str(seen[0]).startswith("child context failed for operation 'x'")
    assert [] == stub.calls


def test_child_whose_value_cannot_be_stored_fails():
    """A value that is no JSON is refused by name, and the child is closed FAIL."""
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.child("x", lambda child: {"when": {1, 2}})

    name, text = failure(handler(event()))
    assert "SerializationError" == name
    assert "child context 'x': its value cannot be stored as JSON" in text
    assert "@ $.when" in text
    assert "FAIL" == stub.updates[-1]["Action"]


def test_parent_goes_on_after_a_child_that_it_caught():
    """A caught failure leaves the parent where it was: the next operation has the next id."""
    stub = Stub()

    def body(child):
        raise ValueError("no funds")

    @durable(backend=stub)
    def handler(event, ctx):
        try:
            yield ctx.child("x", body)
        except ChildContextFailed:
            return (yield ctx.step("after", lambda: "mended"))

    assert "mended" == result(handler(event()))
    assert id_of(2) == stub.updates[-1]["Id"]


# --- large results ---------------------------------------------------------------------------------


def giving(text, ran):
    def body(child):
        part = yield child.step("part", lambda: ran.append("part") or "x")
        return part * len(text)

    def flow(event, ctx):
        return (yield ctx.child("large", body))

    return flow


@pytest.mark.parametrize(
    ("size", "replay_children"), [(KIB_256 - 1, False), (KIB_256, False), (KIB_256 + 1, True)]
)
def test_result_over_256_kib_is_left_to_its_children(size, replay_children):
    """A context keeps a result of up to 256 KiB as text; above, its children stand for it."""
    stub = Stub()
    text = "x" * (size - 2)  # and two quotes
    assert text == result(durable(backend=stub)(giving(text, []))(event()))
    end = stub.updates[-1]
    assert {"ReplayChildren": replay_children} == end["ContextOptions"]
    assert ("" if replay_children else json.dumps(text)) == end["Payload"]


def test_size_of_a_result_is_counted_in_bytes():
    """The limit is one of bytes, not of characters."""
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.child("large", lambda child: "é" * (KIB_256 // 2))

    handler(event())
    assert {"ReplayChildren": True} == stub.updates[-1]["ContextOptions"]


def test_large_result_is_found_again_by_running_the_body_over_its_records():
    """On replay of such a child its body runs over its children's records, and nothing is sent."""
    first, second, ran = Stub(), Stub(), []
    text = "x" * KIB_256
    handler = durable(backend=first)(giving(text, ran))
    handler(event())
    assert text == result(handler.using(second)(event(*log(first))))
    assert ["part"] == ran
    assert [] == second.calls


def test_large_child_in_a_large_child_is_found_again():
    """Contexts that leave their results to their children may stand in one another."""
    first, second, ran = Stub(), Stub(), []

    def inner(ctx):
        return (yield ctx.step("part", lambda: ran.append(1) or "x")) * KIB_256

    @durable(backend=first)
    def handler(event, ctx):
        outer = yield ctx.child("outer", lambda child: (yield child.child("inner", inner)))
        return len(outer)

    assert KIB_256 == result(handler(event()))
    assert KIB_256 == result(handler.using(second)(event(*log(first))))
    assert [1] == ran
    assert [] == second.calls


def test_large_child_that_now_fails_does_not_fit_its_log():
    """A child that succeeded by the log and raises now is an error that user code cannot swallow."""
    first, fails = Stub(), []

    def body(child):
        yield child.step("part", int)
        if fails:
            raise ValueError("changed")
        return "x" * KIB_256

    @durable(backend=first)
    def handler(event, ctx):
        try:
            yield ctx.child("large", body)
        except DurableError:
            return "swallowed"

    handler(event())
    fails.append(1)
    assert "NonDeterminismError" == failure(handler.using(Stub())(event(*log(first))))[0]


# --- at the edges ----------------------------------------------------------------------------------


def test_error_of_deeply_nested_children_stays_within_what_the_service_takes():
    """An error takes at most 32,768 bytes as JSON, through however many contexts it comes."""
    stub = Stub()

    def level(ctx, depth):
        if depth == 0:
            raise ValueError("no funds")
        yield ctx.child(f"level-{depth}", level, depth - 1)

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.child("top", level, 14)

    name, text = failure(handler(event()))
    assert "ChildContextFailed" == name
    assert text.endswith("ValueError: no funds")
    assert 32_768 >= max(len(json.dumps(u["Error"])) for u in stub.updates if "Error" in u)


def test_large_child_logs_nothing_when_it_is_found_again(caplog):
    """A body that only finds its result again is replaying to its very end."""
    caplog.set_level("INFO", "durable_gen.workflow")
    first = Stub()

    def body(child):
        yield child.step("part", int)
        child.log.info("made it")
        return "x" * KIB_256

    @durable(backend=first)
    def handler(event, ctx):
        yield ctx.child("large", body)

    handler(event())
    assert ["made it"] == [record.getMessage() for record in caplog.records]
    caplog.clear()
    handler.using(Stub())(event(*log(first)))
    assert [] == caplog.records


def test_virtual_child_logs_nothing_when_its_flow_runs_again(caplog):
    """What a virtual child did before is replay, though it has no records of its own."""
    caplog.set_level("INFO", "durable_gen.workflow")
    first = Stub()

    @durable(backend=first)
    def handler(event, ctx):
        yield ctx.child("v", lambda child: child.log.info("hello"), virtual=True)
        yield ctx.wait("nap", 30)

    handler(event())
    assert ["hello"] == [record.getMessage() for record in caplog.records]
    caplog.clear()
    handler.using(Stub())(event(*log(first, "nap")))
    assert [] == caplog.records
