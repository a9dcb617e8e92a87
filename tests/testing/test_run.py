"""A run: how an execution stands, what it did, and how it goes on."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from durable_gen import OperationFailed, UsageError, durable
from durable_gen.testing import Answer, Durable, Fails, Raises
from testing.flows import Declined, order, patient, sleeper

START = datetime(2025, 1, 1, tzinfo=UTC)


def test_execution_ends_then_the_run_has_its_status_and_its_result(durable):
    """A run tells how its execution ended, and what the workflow returned."""
    run = durable(order, {"id": 7}, callbacks={"approval": True})
    assert ("SUCCEEDED", {"receipt": "r-7", "approved": True}, None) == (
        run.status,
        run.result,
        run.error,
    )


def test_execution_fails_then_its_error_is_the_class_that_was_marked(durable):
    """A class under @durable_error is rebuilt as itself; asking for the result raises it."""

    @durable_handler
    def handler(event, ctx):
        raise Declined("no funds")
        yield

    run = durable(handler)
    assert ("FAILED", Declined, ("no funds",)) == (run.status, type(run.error), run.error.args)
    with pytest.raises(Declined):
        _ = run.result


durable_handler = durable


def test_execution_fails_with_any_error_then_it_is_told_of_by_one_of_ours(durable):
    """An error that is not marked comes as OperationFailed with its type and message."""

    @durable_handler
    def handler(event, ctx):
        raise KeyError("sku")
        yield

    error = durable(handler).error
    assert (OperationFailed, "KeyError", "'sku'") == (type(error), error.error_type, error.message)


def test_execution_has_no_result_yet_then_the_error_says_what_it_waits_for(durable):
    """A result that is not there yet is an error that says what to add to the script."""
    run = durable(patient)
    with pytest.raises(UsageError) as caught:
        _ = run.result
    assert (
        "the execution is RUNNING and has no result; it waits for callback 'approval'\n"
        "execution running after 0s, 1 invocation\n"
        "                                          began  took\n"
        "└─ wait_for_callback approval  started       0s\n"
        "   ├─ callback approval        started       0s\n"
        '   └─ step approval submit     succeeded     0s    0s  -> "CALLBACK…"\n'
        "answer it: callbacks={'approval': Answer(...)}, or run.answer('approval', ...).go_on()"
    ) == str(caught.value).replace(run["approval"].callback_id[:8], "CALLBACK")


def test_operations_then_they_are_found_by_their_paths(durable):
    """An operation is found by the names that it is inside; it has its own facts."""
    run = durable(order, {"id": 7}, callbacks={"approval": True})
    charged = run["payment/charge"]
    assert ("step", "STEP", "SUCCEEDED", {"receipt": "r-7"}) == (
        charged.kind,
        charged.type,
        charged.status,
        charged.result,
    )
    assert charged is run["payment"]["charge"]
    assert charged is run[charged.id]
    assert timedelta(hours=1) == run["payment/settle"].duration


def test_operation_is_not_there_then_the_error_lists_those_that_are(durable):
    """A path that leads nowhere is an error with the paths that there are."""
    run = durable(patient)
    with pytest.raises(LookupError) as caught:
        _ = run["aproval"]
    assert (
        "no operation has the path 'aproval'; "
        "there are: approval, approval/approval, approval/approval submit"
    ) == str(caught.value)


def test_names_come_again_then_they_are_numbered(durable):
    """The second operation of a name in one flow is `name#2`; one without a name has its place."""

    @durable_handler
    def handler(event, ctx):
        for _ in range(2):
            yield ctx.step("charge", lambda: 1)
        yield ctx.step(None, lambda: 2)

    run = durable(handler)
    assert ["charge", "charge#2", "#3"] == [one.path for one in run]


def test_operations_end_out_of_order_then_the_tree_has_the_order_of_the_code(durable):
    """Siblings stand in the order in which the code comes to them, whichever ended first."""

    @durable_handler
    def handler(event, ctx):
        yield ctx.all(
            ctx.wait("long", days=2), ctx.step("a", lambda: 1), ctx.wait("short", days=1), flow
        )

    def flow(ctx):
        yield ctx.wait("inner", seconds=1)

    assert ["long", "a", "short", "inner"] == [one.name for one in durable(handler)["all"]]


def test_step_fails_then_its_attempts_have_times_and_errors(durable):
    """Each attempt tells when it was, what it failed with, and when the next one comes."""
    run = durable(
        order, {"id": 7}, until="approval", steps={"charge": [Raises(OSError), Raises(OSError), 1]}
    )
    assert [
        (1, timedelta(0), "OSError", 5),
        (2, timedelta(seconds=5), "OSError", 10),
        (3, timedelta(seconds=15), None, None),
    ] == [
        (one.number, one.started - START, one.error and one.error.type, one.delay)
        for one in run["payment/charge"].attempts
    ]


def test_events_updates_and_invocations_are_the_services_own(durable):
    """What was sent and what the service wrote of it can be read in botocore's shape."""
    run = durable(sleeper, 2)
    assert ["ExecutionStarted", "ExecutionSucceeded"] == [
        run.history[0]["EventType"],
        run.history[-1]["EventType"],
    ]
    assert [("WAIT", "START", "day 0"), ("WAIT", "START", "day 1")] == [
        (one["Type"], one["Action"], one["Name"]) for one in run.updates
    ]
    assert [(1, 0), (2, 1), (3, 2)] == [
        (one.number, (one.started - START).days) for one in run.invocations
    ]
    assert 2 == len(run.checkpoints)


def test_year_passes_then_nobody_waits(durable):
    """A workflow of a year is over at once, and its own time has gone by."""
    run = durable(sleeper, 365)
    assert (365, timedelta(days=365), START) == (run.result, run.duration, run.started)


def test_execution_takes_longer_than_the_service_allows_then_it_times_out(durable):
    """An execution of more than 366 days is TIMED_OUT, as it is on AWS."""
    assert "TIMED_OUT" == durable(sleeper, 400).status


def test_timeout_is_none_then_nothing_ends_an_execution(durable):
    """The kit can run what takes longer than AWS lets it."""
    run = durable(sleeper, 400, timeout=None)
    assert 400 == run.result
    assert 0 == run.history[0]["ExecutionStartedDetails"]["ExecutionTimeout"]


def test_timeout_is_given_then_an_execution_that_rests_comes_to_it(durable):
    """A timeout of the test's own is passed to, also when nothing else happens before it."""
    run = durable(patient, timeout=60)
    assert ("TIMED_OUT", timedelta(seconds=60)) == (run.status, run.duration)


@pytest.mark.parametrize("timeout", [0, 40_000_000])
def test_timeout_is_none_that_lambda_takes_then_it_is_refused(durable, timeout):
    """A timeout out of range is the test's mistake."""
    with pytest.raises(UsageError, match="expected an execution_timeout of 1 to 31622400"):
        durable(patient, timeout=timeout)


# --- going on ------------------------------------------------------------------------------------


def test_until_a_path_then_it_stops_there_and_goes_on(durable):
    """A run stops where an operation is waited for; the test looks, answers and goes on."""
    run = durable(order, {"id": 7}, until="approval")
    assert ("RUNNING", "STARTED") == (run.status, run["approval"].status)
    run.answer("approval", False)
    assert "SUCCEEDED" == run["approval/approval"].status
    assert {"receipt": "r-7", "approved": False} == run.go_on().result


def test_operation_was_held_then_it_stays_as_it_was(durable):
    """An operation that was asked for tells how it stood then."""
    run = durable(order, {"id": 7}, until="approval")
    before = run["approval"]
    run.answer("approval", True).go_on()
    assert ("STARTED", "SUCCEEDED") == (before.status, run["approval"].status)


def test_until_a_wait_then_it_stops_before_time_passes(durable):
    """Any operation can be stopped at, not only callbacks."""
    run = durable(sleeper, 3, until="day 1")
    assert timedelta(days=1) == run.now - START


def test_until_an_instant_then_its_time_is_that(durable):
    """A run can be stopped at an instant of its own time."""
    run = durable(sleeper, 3, until=START + timedelta(hours=36))
    assert ("RUNNING", timedelta(hours=36)) == (run.status, run.now - START)
    assert timedelta(hours=60) == run.advance(days=1).now - START
    assert "SUCCEEDED" == run.advance(days=1).status


def test_until_was_never_waited_for_then_the_error_lists_what_was(durable):
    """A path that the execution never waits for is an error, not a test that passes."""
    with pytest.raises(LookupError) as caught:
        durable(sleeper, 1, until="approval")
    assert (
        "the execution is SUCCEEDED and 'approval' was never waited for; there are: day 0"
    ) == str(caught.value)


def test_until_has_no_time_zone_then_it_is_refused(durable):
    """An instant without a time zone is nobody's."""
    with pytest.raises(UsageError, match="must have a time zone"):
        durable(sleeper, 1, until=datetime(2026, 1, 1))  # noqa: DTZ001


def test_callback_is_failed_then_the_workflow_hears_of_it(durable):
    """`fail` answers with a failure, with a class in words."""
    run = durable(patient).fail("approval", "too dear", "Refused").go_on()
    assert ("Refused", "too dear") == (run["approval"].error.error_type, run.error.message)


@pytest.mark.parametrize("answer", [Answer(3), 3])
def test_answer_is_a_value_or_an_answer(durable, answer):
    """A value stands for an Answer with it."""
    assert 3 == durable(patient).answer("approval", answer).go_on().result


def test_answer_may_be_a_failure(durable):
    """`answer` takes what a script takes."""
    assert "FAILED" == durable(patient).answer("approval", Fails("no")).go_on().status


def test_callback_is_not_open_then_the_error_lists_those_that_are(durable):
    """Only what is open can be answered."""
    with pytest.raises(LookupError) as caught:
        durable(patient).answer("aproval")
    assert "no callback 'aproval' is open; there are: approval" == str(caught.value)


def test_heartbeat_is_sent_then_the_callback_lives_on(durable):
    """A heartbeat restarts the clock of a callback."""

    @durable_handler
    def handler(event, ctx):
        return (yield ctx.wait_for_callback("work", lambda _: None, heartbeat=60))

    run = durable(handler, until=START + timedelta(seconds=50)).heartbeat("work")
    run.advance(seconds=50)
    assert "RUNNING" == run.status
    assert "Callback.Heartbeat" == run.advance(seconds=50)["work"].error.error_type


def test_execution_is_stopped_then_its_status_says_so(durable):
    """An execution can be stopped, as an operator does."""
    run = durable(patient).stop("enough")
    assert ("STOPPED", "enough") == (run.status, run.error.message)


# --- what may be given ---------------------------------------------------------------------------


def test_event_is_no_json_then_it_is_refused(durable):
    """An event that Lambda could not be sent is the test's mistake."""
    with pytest.raises(UsageError, match="the event of an execution is JSON"):
        durable(patient, object())


def test_handler_is_none_then_it_is_refused(durable):
    """What is run is a Lambda handler."""
    with pytest.raises(UsageError, match="handler must be a Lambda handler, not 'order'"):
        durable("order")


def test_handler_is_wrapped_then_its_wrapper_runs(durable):
    """Anything around a handler is run too."""
    seen = []

    def wrapper(event, context):
        seen.append(context.aws_request_id)
        return sleeper(event, context)

    run = durable(wrapper, 1)
    assert seen == [one.request_id for one in run.invocations]


def test_run_is_made_again_then_everything_is_the_same():
    """Two kits with one seed make the same execution, ids and all; so do those in other processes."""
    one, other = (Durable("seed")(order, {"id": 7}, callbacks={"approval": 1}) for _ in range(2))
    assert one.arn == other.arn
    assert list(one.history) == list(other.history)


def test_two_runs_of_one_test_then_their_executions_are_two(durable):
    """Keys that are made of an execution's ARN are not mixed up between runs."""
    assert durable(sleeper, 1).arn != durable(sleeper, 1).arn


def test_delays_have_jitter_then_a_run_takes_all_of_it(durable):
    """Nothing is left to chance: delays are as long as their policy lets them be."""

    @durable_handler
    def handler(event, ctx):
        yield ctx.step("a", Raises(OSError))

    run = durable(handler)
    delays = [one.delay for one in run["a"].attempts]
    assert [5, 10, 20, 40, 60, None] == delays


def test_payload_of_an_invoke_can_be_read(durable):
    """An invoke tells which function it calls, and with what."""

    @durable_handler
    def handler(event, ctx):
        return (yield ctx.invoke("rate", "rates", {"currency": "EUR"}))

    run = durable(handler, invokes={"rates": 1.1})
    assert ("rates", {"currency": "EUR"}, 1.1) == (
        run["rate"].function,
        run["rate"].payload,
        run["rate"].result,
    )
    assert '{"currency":"EUR"}' == json.dumps(run["rate"].payload, separators=(",", ":"))
