"""One table per kind: what a record's status makes of an operation, and what its end is sent as."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from durable_gen._decisions import Block, Emit, Resolve, Run, Spawn
from durable_gen._dialect import AWS, CORE
from durable_gen._kinds import SHORTCUTS, TABLE
from durable_gen._kinds.step import interrupted
from durable_gen._model import Action, Change, ErrorObject, Record, Status, Type
from durable_gen._ops import (
    Callback,
    CallbackResult,
    Child,
    Condition,
    CreateCallback,
    FanOut,
    Invoke,
    Map,
    Semantics,
    Step,
    Wait,
)
from durable_gen._outcome import Err, Ok
from durable_gen._schedule import Poll, Retry
from durable_gen.errors import (
    CallbackFailed,
    CallbackTimedOut,
    CheckpointFailed,
    ChildContextFailed,
    ConditionFailed,
    InvokeFailed,
    InvokeStopped,
    InvokeTimedOut,
    OperationFailed,
    StepFailed,
    StepInterrupted,
    UsageError,
    WaitFailed,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)
AT = "2026-03-01T12:00:30Z"
START = Change(Action.START)
WIRE_ERROR = {"ErrorType": "ValueError", "ErrorMessage": "no such card", "StackTrace": ["line 1"]}
ERROR = ErrorObject("ValueError", "no such card", None, ("line 1",))
DETAILS = {
    "Result": "41",
    "Error": WIRE_ERROR,
    "Attempt": 2,
    "NextAttemptTimestamp": AT,
    "ScheduledEndTimestamp": AT,
    "CallbackId": "cb-1",
}
BAD = ("FAILED", "CANCELLED", "TIMED_OUT", "STOPPED")


def fn(value):
    return value


def flow(ctx):
    yield ctx


def record(type_, status, **details):
    """Make a record of a status, or None for none."""
    if status is None:
        return None
    member = {
        "STEP": "StepDetails",
        "WAIT": "WaitDetails",
        "CALLBACK": "CallbackDetails",
        "CHAINED_INVOKE": "ChainedInvokeDetails",
        "CONTEXT": "ContextDetails",
    }[type_]
    details = details or DETAILS
    return Record({"Id": "a1", "Type": type_, "Name": "x", "Status": status, member: details})


def decide(op, found):
    return TABLE[type(op)].decide(op, found, NOW)


def settle(op, outcome, *, attempt=1, text=None, draw=0.5):
    return TABLE[type(op)].settle(op, attempt, outcome, text, draw)


def failure(wrapper, *passing):
    return Resolve(error=ERROR, wrapper=wrapper, passing=passing)


def outside(wrapper):
    return Resolve(error=ERROR, wrapper=wrapper, passing=None)


STEP = Step("x", fn, (1,))
ONCE = Step("x", fn, (1,), semantics=Semantics.AT_MOST_ONCE)
CONDITION = Condition("x", fn, 7)
WAIT = Wait("x", 90)
CREATE = CreateCallback("x", 60, 10)
RESULT = CallbackResult("x", Callback("cb-1", "x", "a1", CREATE, print))
INVOKE = Invoke("x", "orders:live", {"n": 1}, "tenant-1")
CHILD = Child("x", flow)
PARALLEL = FanOut("x", [CHILD], fn)
MAP = Map("x", [CHILD], fn, sub_type="Map")

step_failed = failure(StepFailed, StepFailed)
condition_failed = failure(ConditionFailed, ConditionFailed)
child_failed = failure(ChildContextFailed)


# --- decide -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, Run(fn, (1,), START)),
        ("STARTED", Run(fn, (1,))),
        ("PENDING", Block(LATER)),
        ("READY", Run(fn, (1,), START)),
        ("SUCCEEDED", Resolve("41")),
        *((bad, step_failed) for bad in BAD),
    ],
)
def test_step_that_may_repeat_then_it_is_run_unless_it_waits_or_is_over(status, expected):
    """An at-least-once step that was left STARTED runs again, and is not started again."""
    assert expected == decide(STEP, record("STEP", status))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, Run(fn, (1,), START, barrier=True)),
        ("STARTED", Run(interrupted, ("x",))),
        ("PENDING", Block(LATER)),
        ("READY", Run(fn, (1,), START, barrier=True)),
        ("SUCCEEDED", Resolve("41")),
        *((bad, step_failed) for bad in BAD),
    ],
)
def test_step_that_must_not_repeat_then_its_start_is_a_barrier(status, expected):
    """An at-most-once step runs only after its START is acknowledged, and never after it was begun."""
    assert expected == decide(ONCE, record("STEP", status))


def test_interrupted_step_then_its_call_raises_step_interrupted():
    """What stands in for a step that was cut off raises an error that names it."""
    with pytest.raises(StepInterrupted) as caught:
        interrupted("charge")
    assert (
        "step interrupted for operation 'charge': it was begun, and the invocation ended before its "
        "end was recorded"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, Run(fn, (7,), START)),
        ("STARTED", Run(fn, (7,), state="41")),
        ("PENDING", Block(LATER)),
        ("READY", Run(fn, (7,), START, state="41")),
        ("SUCCEEDED", Resolve("41")),
        *((bad, condition_failed) for bad in BAD),
    ],
)
def test_condition_then_its_check_gets_the_last_recorded_state(status, expected):
    """A check begins with `initial` and goes on with the state of the last poll."""
    assert expected == decide(CONDITION, record("STEP", status))


@pytest.mark.parametrize("status", ["STARTED", "READY"])
def test_condition_without_a_recorded_state_then_its_check_gets_the_initial_one(status):
    """A check that was begun and never ended is given `initial` again."""
    assert decide(CONDITION, record("STEP", status, Attempt=0)).state is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, Emit(Change(Action.START, options={"WaitOptions": {"WaitSeconds": 90}}))),
        ("STARTED", Block(LATER)),
        ("PENDING", Block(LATER)),
        ("READY", Block(LATER)),
        ("SUCCEEDED", Resolve()),
        *((bad, failure(WaitFailed)) for bad in BAD),
    ],
)
def test_wait_then_it_is_started_once_and_the_service_ends_it(status, expected):
    """A wait blocks until the instant that the service named, and gives None."""
    record_ = record("WAIT", status)
    assert expected == decide(WAIT, record_)


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (NOW + timedelta(seconds=10), 10),
        (NOW + timedelta(seconds=10, milliseconds=1), 11),
        (NOW, 1),
        (NOW - timedelta(days=1), 1),
        (NOW + timedelta(days=366), 31_622_400),
    ],
)
def test_wait_until_an_instant_then_whole_seconds_from_now_are_sent(until, expected):
    """A wait never ends early: fractions are rounded up, and what is past is one second ahead."""
    decision = decide(Wait("x", 0, until), None)
    assert {"WaitOptions": {"WaitSeconds": expected}} == decision.change.options


def test_wait_until_an_instant_too_far_then_it_is_as_long_as_may_be():
    """The clock that it was refused by is the execution's: what ours adds to it is cut off."""
    decision = decide(Wait("x", 0, NOW + timedelta(days=367)), None)
    assert {"WaitOptions": {"WaitSeconds": 31_622_400}} == decision.change.options


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (
            None,
            Emit(
                Change(
                    Action.START,
                    options={
                        "CallbackOptions": {"TimeoutSeconds": 60, "HeartbeatTimeoutSeconds": 10}
                    },
                )
            ),
        ),
        *((status, Resolve("cb-1")) for status in Status),
    ],
)
def test_callback_then_it_gives_its_id_whatever_became_of_it(status, expected):
    """Creating a callback gives the id that the service made; only its result tells how it ended."""
    assert expected == decide(CREATE, record("CALLBACK", status))


def test_callback_record_without_an_id_then_it_is_an_error():
    """A callback of which nobody knows the id can never be answered."""
    with pytest.raises(CheckpointFailed) as caught:
        decide(CREATE, record("CALLBACK", "STARTED", Result="41"))
    assert "the service's answer has no callback id for callback 'x'" == str(caught.value)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("STARTED", Block()),
        ("PENDING", Block()),
        ("READY", Block()),
        ("SUCCEEDED", Resolve("41")),
    ],
)
def test_callback_result_then_it_blocks_until_it_is_answered(status, expected):
    """The answer to a callback is waited for without a time: the service keeps its timeout."""
    assert expected == decide(RESULT, record("CALLBACK", status))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("FAILED", CallbackFailed),
        ("CANCELLED", CallbackFailed),
        ("STOPPED", CallbackFailed),
        ("TIMED_OUT", CallbackTimedOut),
    ],
)
def test_callback_result_that_failed_then_its_error_has_the_callback_id(status, expected):
    """A callback that failed raises an error that knows its callback's id."""
    decision = decide(RESULT, record("CALLBACK", status))
    made = decision.wrapper("x", ERROR.type, ERROR.message)
    assert (expected, "cb-1", ERROR) == (type(made), made.callback_id, decision.error)


INVOKED = Change(
    Action.START,
    options={"ChainedInvokeOptions": {"FunctionName": "orders:live", "TenantId": "tenant-1"}},
)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, Emit(INVOKED, payload=True)),
        ("STARTED", Block()),
        ("PENDING", Block()),
        ("READY", Block()),
        ("SUCCEEDED", Resolve("41")),
        ("FAILED", outside(InvokeFailed)),
        ("CANCELLED", outside(InvokeFailed)),
        ("TIMED_OUT", outside(InvokeTimedOut)),
        ("STOPPED", outside(InvokeStopped)),
    ],
)
def test_invoke_then_it_is_sent_once_and_the_service_ends_it(status, expected):
    """An invocation is sent with its payload, and ends as the other function did."""
    assert expected == decide(INVOKE, record("CHAINED_INVOKE", status))


def test_invoke_without_a_tenant_then_none_is_sent():
    """A member that is absent is not on the wire."""
    decision = decide(Invoke("x", "orders"), None)
    assert {"ChainedInvokeOptions": {"FunctionName": "orders"}} == decision.change.options


@pytest.mark.parametrize("op", [CHILD, PARALLEL, MAP], ids=["child", "parallel", "map"])
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, Spawn(START)),
        ("STARTED", Spawn()),
        ("PENDING", Spawn()),
        ("READY", Spawn()),
        ("SUCCEEDED", Resolve("41")),
        *((bad, child_failed) for bad in BAD),
    ],
)
def test_context_then_only_an_absent_one_is_started(op, status, expected):
    """A context that was left STARTED is entered again, not started again."""
    assert expected == decide(op, record("CONTEXT", status))


@pytest.mark.parametrize("op", [CHILD, PARALLEL, MAP], ids=["child", "parallel", "map"])
def test_context_that_kept_its_children_then_its_flow_runs_again(op):
    """A context whose result was too large finds it again over its children's records."""
    found = record("CONTEXT", "SUCCEEDED", ReplayChildren=True, Result="")
    assert Spawn(again=True) == decide(op, found)


def test_transparent_child_that_failed_then_errors_of_operations_pass():
    """A context that the library made does not stand between an error and who waits for it."""
    op = Child("x", flow, transparent=True)
    assert failure(ChildContextFailed, OperationFailed) == decide(op, record("CONTEXT", "FAILED"))


@pytest.mark.parametrize(
    ("op", "type_", "noun"),
    [
        (STEP, "STEP", "step"),
        (ONCE, "STEP", "step"),
        (CONDITION, "STEP", "wait_for_condition"),
        (WAIT, "WAIT", "wait"),
        (CREATE, "CALLBACK", "callback"),
        (RESULT, "CALLBACK", "callback"),
        (INVOKE, "CHAINED_INVOKE", "invoke"),
        (CHILD, "CONTEXT", "child context"),
    ],
)
def test_unknown_status_then_an_error_names_the_kind_the_operation_and_the_word(op, type_, noun):
    """A status that the service's model does not have is no status at all."""
    with pytest.raises(CheckpointFailed) as caught:
        decide(op, record(type_, "PAUSED"))
    assert (
        f"the record of {noun} 'x' has the status 'PAUSED', which this version of durable_gen does "
        "not know: update durable_gen"
    ) == str(caught.value)


@pytest.mark.parametrize(("op", "noun"), [(PARALLEL, "parallel"), (MAP, "map")])
def test_unknown_status_of_a_fan_out_then_an_error_names_the_kind(op, noun):
    """A fan-out is its own kind, so the error calls it what the user called."""
    with pytest.raises(CheckpointFailed) as caught:
        decide(op, record("CONTEXT", "PAUSED"))
    assert str(caught.value).startswith(f"the record of {noun} 'x' has the status 'PAUSED'")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("FAILED", None),
        ("CANCELLED", "it was cancelled"),
        ("TIMED_OUT", "it was timed out"),
        ("STOPPED", "it was stopped"),
    ],
)
@pytest.mark.parametrize(
    ("op", "type_"),
    [
        (STEP, "STEP"),
        (CONDITION, "STEP"),
        (WAIT, "WAIT"),
        (RESULT, "CALLBACK"),
        (INVOKE, "CHAINED_INVOKE"),
        (CHILD, "CONTEXT"),
        (MAP, "CONTEXT"),
    ],
)
@pytest.mark.parametrize("details", [{"Attempt": 1}, {"Error": {}}], ids=["absent", "empty"])
def test_failure_without_an_error_then_the_status_is_its_text(op, type_, details, status, expected):
    """A record that ended badly and says nothing is still an error, with the status as its text."""
    error = decide(op, record(type_, status, **details)).error
    assert ErrorObject(message=expected) == error


# --- settle -----------------------------------------------------------------------------------------

NO = ValueError("no")
RETRY = Retry(max_attempts=3, initial=4, backoff=2, jitter="none", retry_on=ValueError)
TRYING = Step("x", fn, (1,), RETRY)


def delay(change):
    return (change.action, (change.options or {}).get("StepOptions"))


def test_step_that_gave_a_value_then_it_succeeds_with_its_text():
    """A value is recorded as the text that it was encoded to."""
    assert Change(Action.SUCCEED, "41") == settle(TRYING, Ok(41), text="41")


@pytest.mark.parametrize(
    ("op", "attempt", "error", "expected"),
    [
        (TRYING, 1, NO, (Action.RETRY, {"NextAttemptDelaySeconds": 4})),
        (TRYING, 2, NO, (Action.RETRY, {"NextAttemptDelaySeconds": 8})),
        (TRYING, 3, NO, (Action.FAIL, None)),
        (TRYING, 1, KeyError("k"), (Action.FAIL, None)),
        (TRYING, 1, UsageError("u"), (Action.FAIL, None)),
        (Step("x", fn, (), None), 1, NO, (Action.FAIL, None)),
        (STEP, 5, NO, (Action.RETRY, {"NextAttemptDelaySeconds": 30})),
        (STEP, 6, NO, (Action.FAIL, None)),
    ],
)
def test_step_that_raised_then_its_policy_decides(op, attempt, error, expected):
    """A step that failed is tried again while its policy says so, then it fails."""
    assert expected == delay(settle(op, Err(error), attempt=attempt))


@pytest.mark.parametrize("attempt", [1, 3], ids=["retry", "fail"])
def test_step_that_raised_then_its_error_is_recorded(attempt):
    """A retry and a failure both say with what error the attempt ended."""
    change = settle(TRYING, Err(NO), attempt=attempt)
    assert ErrorObject("ValueError", "no") == change.error


LOOKING = Condition(
    "x", fn, 7, Poll(until=lambda n: n > 9, max_attempts=3, initial=4, backoff=2, jitter="none")
)


def test_condition_that_is_met_then_it_succeeds_with_its_state():
    """The state that ends a wait for a condition is its value."""
    assert Change(Action.SUCCEED, "10") == settle(LOOKING, Ok(10), text="10")


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 4), (2, 8)])
def test_condition_that_is_not_met_then_it_is_looked_at_again_with_its_state(attempt, seconds):
    """A state that does not end the wait is kept for the next check."""
    options = {"StepOptions": {"NextAttemptDelaySeconds": seconds}}
    expected = Change(Action.RETRY, "8", None, options)
    assert expected == settle(LOOKING, Ok(8), attempt=attempt, text="8")


def test_condition_that_is_never_met_then_it_fails_with_the_number_of_attempts():
    """When `poll` allows no more looks the wait fails with ConditionFailed."""
    change = settle(LOOKING, Ok(8), attempt=3, text="8")
    assert (Action.FAIL, "ConditionFailed") == (change.action, change.error.type)
    assert "condition failed for operation 'x': not met after 3 attempts" == change.error.message


def test_check_that_raised_then_the_condition_fails_at_once():
    """A check that raises ends the wait; it is no step with retries."""
    expected = Change(Action.FAIL, error=ErrorObject("ValueError", "no"))
    assert expected == settle(LOOKING, Err(NO))


@pytest.mark.parametrize("op", [CHILD, PARALLEL, MAP], ids=["child", "parallel", "map"])
@pytest.mark.parametrize(
    ("text", "payload", "large"),
    [
        ("41", "41", False),
        ("x" * 262_144, "x" * 262_144, False),
        ("x" * 262_145, "short", True),
        ("é" * 131_073, "short", True),
    ],
    ids=["small", "at the limit", "over it", "over it in bytes"],
)
def test_context_that_ended_then_a_large_result_is_left_to_its_children(op, text, payload, large):
    """A result over 256 KiB is not kept twice: its children are kept and found again."""
    expected = Change(
        Action.SUCCEED, payload, options={"ContextOptions": {"ReplayChildren": large}}
    )
    assert expected == settle(op, Ok("short"), text=text)


@pytest.mark.parametrize("op", [CHILD, PARALLEL, MAP], ids=["child", "parallel", "map"])
def test_context_that_raised_then_it_is_checkpointed_fail_with_its_error(op):
    """FAIL what fails: a child, branch or item that raised is recorded with its error."""
    expected = Change(Action.FAIL, error=ErrorObject("ValueError", "no"))
    assert expected == settle(op, Err(NO))


@pytest.mark.parametrize("op", [WAIT, CREATE, RESULT, INVOKE])
def test_operation_that_the_service_ends_then_it_is_never_settled_here(op):
    """A wait, a callback and an invocation run no call of ours."""
    with pytest.raises(AssertionError):
        settle(op, Ok(1), text="1")


# --- words ------------------------------------------------------------------------------------------

in_child = partial(Child, "x", flow)


@pytest.mark.parametrize(
    ("op", "type_", "core", "aws"),
    [
        (STEP, Type.STEP, "Step", "Step"),
        (CONDITION, Type.STEP, "WaitForCondition", "WaitForCondition"),
        (WAIT, Type.WAIT, "Wait", "Wait"),
        (CREATE, Type.CALLBACK, "Callback", "Callback"),
        (RESULT, Type.CALLBACK, "Callback", "Callback"),
        (INVOKE, Type.CHAINED_INVOKE, "ChainedInvoke", "ChainedInvoke"),
        (CHILD, Type.CONTEXT, "Context", "RunInChildContext"),
        (in_child(sub_type="MapItem"), Type.CONTEXT, "MapItem", "MapIteration"),
        (in_child(sub_type="ParallelBranch"), Type.CONTEXT, "ParallelBranch", "ParallelBranch"),
        (in_child(sub_type="Compensation"), Type.CONTEXT, "Compensation", "RunInChildContext"),
        (in_child(sub_type="WaitForCallback"), Type.CONTEXT, "WaitForCallback", "WaitForCallback"),
        (in_child(sub_type="Mine"), Type.CONTEXT, "Mine", "Mine"),
        (PARALLEL, Type.CONTEXT, "Parallel", "Parallel"),
        (MAP, Type.CONTEXT, "Map", "Map"),
    ],
)
def test_kind_then_its_words_on_the_wire_are_the_dialects(op, type_, core, aws):
    """The type is the same in both dialects; the sub type is the dialect's word."""
    kind = TABLE[type(op)]
    assert (type_, core, aws) == (kind.type, kind.sub_type(op, CORE), kind.sub_type(op, AWS))


# --- what a record answers by itself -----------------------------------------------------------------

SHORTCUT_OPS = (
    Step("charge", fn),
    Step("charge", fn, semantics=Semantics.AT_MOST_ONCE),
    Condition("until", fn),
    Wait("pause", 60),
    Invoke("call", "orders:live"),
    CHILD,
)


@pytest.mark.parametrize("op", SHORTCUT_OPS, ids=lambda op: type(op).__name__)
def test_shortcut_that_succeeded_then_its_record_says_what_its_kind_would(op):
    """The short way of a replay comes to the same as the long one."""
    type_, sub_type, member = SHORTCUTS[type(op)]
    kind, found = TABLE[type(op)], record(type_, "SUCCEEDED")
    assert kind.type == type_
    if type(op) is Child:  # its word is the user's or the dialect's
        assert sub_type is None
    else:
        assert (sub_type, sub_type) == (kind.sub_type(op, CORE), kind.sub_type(op, AWS))
    text = None if member is None else found.raw[member].get("Result")
    assert Resolve(text) == kind.decide(op, found, NOW)


def test_shortcuts_then_they_are_what_gives_what_is_kept_of_it():
    """A callback gives its id, and a fan-out reads its branches: these take the long way."""
    assert set(SHORTCUTS) == {type(op) for op in SHORTCUT_OPS}
    assert set(TABLE) - set(SHORTCUTS) == {CreateCallback, CallbackResult, FanOut, Map}
