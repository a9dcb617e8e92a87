import pytest

from local.staging import DONE, PENDING, callback, finish, retry, suspend, update, wait


def boom(t):
    raise RuntimeError("boom")


def test_wait_then_trace_of_a_wait(stage):
    """A wait ends between two invocations, and its end is named to the second."""
    arn = stage.play(suspend(wait("w", 5, Name="nap", SubType="Wait")), finish())
    assert stage.trace(arn) == "WaitStarted | WaitSucceeded | ExecutionSucceeded"
    first, second = stage.turns
    assert (first.updated, second.updated) == ([], ["w"])
    assert [item["Id"] for item in first.items] == [arn.split("/")[-1]]
    assert second.state["w"]["Status"] == "SUCCEEDED"
    assert second.state["w"]["EndTimestamp"] - second.state["w"]["StartTimestamp"] == 5000
    assert stage.details(arn, "WaitSucceeded") == [{"Duration": 5}]


def test_callback_during_a_wait_then_an_invocation_of_its_own(stage):
    """A callback that ends during a wait costs an invocation that writes nothing."""
    arn = stage.play(suspend(callback("c"), wait("w", 5)), lambda t: PENDING, finish(), run=False)
    stage.service.step()
    (pending,) = stage.service.pending_callbacks(arn)
    stage.client.send_durable_execution_callback_success(
        CallbackId=pending.callback_id, Result=b' {"a": 1} '
    )
    assert stage.service.run(arn) == "SUCCEEDED"
    assert (
        stage.trace(arn)
        == "CallbackStarted WaitStarted | CallbackSucceeded | WaitSucceeded | ExecutionSucceeded"
    )
    assert stage.turns[1].state["c"]["CallbackDetails"]["Result"] == ' {"a": 1} '
    assert [turn.updated for turn in stage.turns[1:]] == [["c"], ["w"]]


def test_submitter_fails_twice_then_callback_is_left_started(stage):
    """A wait-for-callback whose submitter fails ends the execution, its callback still open."""
    error = {"ErrorType": "E", "ErrorMessage": "no"}

    def second(t):
        assert t.state["s"]["Status"] == "READY"
        assert "NextAttemptTimestamp" not in t.state["s"]["StepDetails"]
        t.send(update("STEP", "START", "s"), update("STEP", "FAIL", "s", Error=error))
        t.send(update("CONTEXT", "FAIL", "x", Error=error))
        return {"Status": "FAILED", "Error": error}

    arn = stage.play(
        suspend(
            update("CONTEXT", "START", "x"),
            callback("c", at="x"),
            update("STEP", "START", "s", at="x"),
            retry("s", 1, Error=error),
        ),
        second,
    )
    assert stage.trace(arn) == (
        "ContextStarted CallbackStarted StepStarted StepFailed | "
        "StepStarted StepFailed ContextFailed | ExecutionFailed"
    )
    assert [d["RetryDetails"] for d in stage.details(arn, "StepFailed")] == [
        {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1},
        {"CurrentAttempt": 2},
    ]
    assert stage.service.describe(arn)["Error"] == error


def test_poll_then_each_state_in_its_own_event(stage):
    """A poll that goes on is a StepSucceeded with that poll's state and the delay."""

    def poll(state):
        def turn(t):
            t.send(update("STEP", "START", "p"), retry("p", 2, Payload=state))
            return PENDING

        return turn

    def last(t):
        assert t.state["p"]["StepDetails"] == {"Attempt": 2, "Result": "2"}
        t.send(update("STEP", "START", "p"), update("STEP", "SUCCEED", "p", Payload="3"))
        return DONE

    arn = stage.play(poll("1"), poll("2"), last)
    assert stage.trace(arn) == (
        "StepStarted StepSucceeded | StepStarted StepSucceeded | "
        "StepStarted StepSucceeded | ExecutionSucceeded"
    )
    results = stage.details(arn, "StepSucceeded")
    assert [{"Payload": str(n), "Truncated": False} for n in (1, 2, 3)] == [
        d["Result"] for d in results
    ]
    assert [d["RetryDetails"].get("NextAttemptDelaySeconds") for d in results] == [2, 2, None]


def test_process_dies_then_exit_error_and_another_invocation(stage):
    """An exit passes through, is written as Runtime.ExitError, and the state is as it was."""

    def die(t):
        t.send(update("STEP", "START", "s"))
        raise SystemExit(3)

    def second(t):
        assert t.state["s"]["Status"] == "STARTED"
        t.send(retry("s", 1, Error={"ErrorType": "StepInterrupted"}))
        return PENDING

    def third(t):
        t.send(update("STEP", "START", "s"), update("STEP", "SUCCEED", "s"))
        return DONE

    arn = stage.play(die, second, third, run=False)
    with pytest.raises(SystemExit):
        stage.service.run(arn)
    assert stage.service.run(arn) == "SUCCEEDED"
    assert stage.trace(arn) == (
        "StepStarted | StepFailed | StepStarted StepSucceeded | ExecutionSucceeded"
    )
    errors = [d.get("Error") for d in stage.details(arn, "InvocationCompleted")]
    assert errors[0]["Payload"]["ErrorType"] == "Runtime.ExitError"
    assert errors[1:] == [None, None]
    assert stage.details(arn, "StepSucceeded")[0]["RetryDetails"] == {"CurrentAttempt": 2}


def test_waits_of_different_length_then_an_invocation_each(stage):
    """Each wait of several wakes the execution on its own; those of one instant share."""
    arn = stage.play(suspend(wait("a", 8), wait("b", 2), wait("c", 2)), lambda t: PENDING, finish())
    assert stage.trace(arn) == (
        "WaitStarted WaitStarted WaitStarted | WaitSucceeded WaitSucceeded | "
        "WaitSucceeded | ExecutionSucceeded"
    )
    assert stage.turns[1].updated == ["b", "c"]
    assert stage.turns[1].state["a"]["Status"] == "STARTED"


def test_timer_due_during_an_invocation_then_delivered_by_its_next_checkpoint(stage):
    """What falls due during an invocation is delivered by an empty checkpoint, and wakes nobody."""

    def turn(t):
        t.send(wait("w", 5))
        stage.clock.advance(5)
        (seen,) = t.send()
        assert (seen["Id"], seen["Status"]) == ("w", "SUCCEEDED")
        return DONE

    arn = stage.play(turn)
    assert stage.trace(arn) == "WaitStarted WaitSucceeded | ExecutionSucceeded"


def test_timer_due_and_unseen_then_pending_wakes_at_once(stage):
    """An operation that ended unseen keeps a suspension honest and is named to the next invocation."""

    def turn(t):
        t.send(wait("w", 5))
        stage.clock.advance(5)
        return PENDING

    arn = stage.play(turn, finish())
    assert stage.trace(arn) == "WaitStarted WaitSucceeded | | ExecutionSucceeded"
    assert stage.turns[1].updated == ["w"]


def test_execution_update_then_terminal_event_first_and_answer_ignored(stage):
    """An EXECUTION update closes at once, withholds the token, and stores no operation."""

    def turn(t):
        assert t.send(update("EXECUTION", "SUCCEED", "execution-result-1", Payload="7")) == []
        assert t.token is None
        return {"Status": "FAILED", "Error": {}}

    arn = stage.play(turn)
    assert stage.trace(arn) == "ExecutionSucceeded |"
    assert stage.service.describe(arn)["Result"] == "7"


def test_start_and_success_in_one_batch_then_reported_once(stage):
    """A checkpoint's answer holds each changed operation once, in its final form."""

    def turn(t):
        (seen,) = t.send(
            update("STEP", "START", "s", Name="n", SubType="Step"),
            update("STEP", "SUCCEED", "s", Payload="1"),
        )
        assert seen.pop("StartTimestamp") == seen.pop("EndTimestamp")
        assert seen == {
            "Id": "s",
            "Type": "STEP",
            "Name": "n",
            "SubType": "Step",
            "Status": "SUCCEEDED",
            "StepDetails": {"Attempt": 1, "Result": "1"},
        }
        return DONE

    assert stage.status(stage.play(turn)) == "SUCCEEDED"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (None, "Expected an object"),
        ("text", "Expected an object"),
        ({}, "Expected Status"),
        ({"Status": "DONE"}, "Expected Status"),
        ({"Status": "SUCCEEDED", "Error": {}}, "carries no Error"),
        ({"Status": "FAILED", "Result": "1"}, "carries no Result"),
        ({"Status": "FAILED", "Error": "text"}, "Expected Error to be an object"),
        ({"Status": "SUCCEEDED", "Result": 1}, "Expected Result to be text"),
    ],
)
def test_malformed_answer_then_failed_at_once(stage, answer, fault):
    """An answer that is no envelope fails the execution without another invocation."""
    arn = stage.play(lambda t: answer)
    assert stage.trace(arn) == "| ExecutionFailed"
    error = stage.service.describe(arn)["Error"]
    assert error["ErrorType"] == "InvalidParameterValueException"
    assert fault in error["ErrorMessage"]


def test_handler_raises_then_retried_with_growing_delays(stage):
    """A handler that raises is invoked again after 1, 2, 4 and 8 seconds, then the execution fails."""
    arn = stage.play(*[boom] * 5)
    assert stage.trace(arn) == "| | | | | ExecutionFailed"
    starts = [d["StartTimestamp"] for d in stage.details(arn, "InvocationCompleted")]
    assert [(t - starts[0]).total_seconds() for t in starts[1:]] == [1, 3, 7, 15]
    error = stage.service.describe(arn)["Error"]
    assert (error["ErrorType"], error["ErrorMessage"]) == ("RuntimeError", "boom")


def test_clean_invocation_between_failures_then_count_begins_anew(stage):
    """Only failures in a row count."""
    arn = stage.play(*[boom] * 4, suspend(wait("w", 1)), *[boom] * 4, finish())
    assert stage.status(arn) == "SUCCEEDED"


def test_pending_with_nothing_pending_then_failed_after_three(stage):
    """Suspending with nothing pending is an error, and the third in a row is final."""
    arn = stage.play(*[lambda t: PENDING] * 3)
    assert stage.trace(arn) == "| | | ExecutionFailed"
    assert (
        stage.service.describe(arn)["Error"]["ErrorMessage"]
        == "Cannot return PENDING status with no pending operations."
    )


def test_event_ids_then_gapless_and_times_never_fall(stage):
    """EventIds are 1, 2, 3 without gaps in append order, and timestamps never fall."""
    arn = stage.play(suspend(wait("a", 1), wait("b", 2)), lambda t: PENDING, finish())
    history = stage.service.history(arn)
    assert [event["EventId"] for event in history] == list(range(1, len(history) + 1))
    times = [event["EventTimestamp"] for event in history]
    assert times == sorted(times)


def test_execution_times_out_then_operations_stay_as_they_are(stage):
    """The execution timeout closes with TIMED_OUT and touches no operation."""
    arn = stage.play(suspend(wait("w", 100)), execution_timeout=10)
    assert stage.trace(arn) == "WaitStarted | ExecutionTimedOut"
    described = stage.service.describe(arn)
    assert (described["EndTimestamp"] - described["StartTimestamp"]).total_seconds() == 10


def test_cancelled_wait_then_wakes_nobody(stage):
    """A cancelled wait is over, and its timer with it."""

    def turn(t):
        t.send(wait("w", 5))
        t.send(update("WAIT", "CANCEL", "w"))
        t.send(callback("c"))
        return PENDING

    arn = stage.play(turn)
    assert stage.trace(arn) == "WaitStarted WaitCancelled CallbackStarted |"
    assert stage.status(arn) == "RUNNING"
