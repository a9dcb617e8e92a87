import pytest
from botocore.exceptions import ClientError

from local.staging import PENDING, callback, code, finish, suspend, update, wait


def open_callback(stage, arn):
    (pending,) = stage.service.pending_callbacks(arn)
    return pending


def begin(stage, *script):
    arn = stage.play(*script, run=False)
    stage.service.step()
    return arn, open_callback(stage, arn).callback_id


@pytest.mark.parametrize("body", [None, b""])
def test_answer_without_body_then_success_without_result(stage, body):
    """A success without a body has no Result."""
    arn, id_ = begin(stage, suspend(callback("c")), finish())
    more = {} if body is None else {"Result": body}
    stage.client.send_durable_execution_callback_success(CallbackId=id_, **more)
    stage.service.run(arn)
    assert stage.turns[1].state["c"]["CallbackDetails"] == {"CallbackId": id_}


@pytest.mark.parametrize("error", [{"ErrorType": "E", "ErrorMessage": "m"}, None])
def test_failure_then_wakes_with_the_error(stage, error):
    """A failure wakes the execution, with a body or without."""
    arn, id_ = begin(stage, suspend(callback("c")), finish())
    more = {} if error is None else {"Error": error}
    stage.client.send_durable_execution_callback_failure(CallbackId=id_, **more)
    assert stage.service.run(arn) == "SUCCEEDED"
    assert stage.turns[1].state["c"]["Status"] == "FAILED"
    assert stage.turns[1].state["c"]["CallbackDetails"]["Error"] == (error or {})


@pytest.mark.parametrize(("timeout", "heartbeat", "word"), [(5, 0, "Timeout"), (0, 5, "Heartbeat")])
def test_deadline_passes_then_timed_out(stage, timeout, heartbeat, word):
    """A deadline that passes ends the callback, and history shows what was set."""
    arn = stage.play(suspend(callback("c", timeout, heartbeat)), finish())
    assert stage.trace(arn) == "CallbackStarted | CallbackTimedOut | ExecutionSucceeded"
    (error,) = stage.details(arn, "CallbackTimedOut")
    assert error["Error"]["Payload"]["ErrorType"] == f"Callback.{word}"
    (started,) = stage.details(arn, "CallbackStarted")
    expected = {"Timeout": 5} if timeout else {"HeartbeatTimeout": 5}
    assert {k: v for k, v in started.items() if k != "CallbackId"} == expected


def test_heartbeats_then_the_clock_starts_again_without_an_event(stage):
    """Each heartbeat restarts the heartbeat clock in full, and writes and wakes nothing."""
    arn, id_ = begin(stage, suspend(callback("c", 0, 5)), finish())
    for _ in range(3):
        stage.clock.advance(4)
        stage.client.send_durable_execution_callback_heartbeat(CallbackId=id_)
    start = stage.service.describe(arn)["StartTimestamp"]
    assert (open_callback(stage, arn).deadline - start).total_seconds() == 17
    stage.service.run(arn)
    assert stage.trace(arn) == "CallbackStarted | CallbackTimedOut | ExecutionSucceeded"


def test_answer_after_the_deadline_then_too_late(stage):
    """Past its deadline a callback is closed even if nothing has looked at the clock yet."""
    _, id_ = begin(stage, suspend(callback("c", 5)), finish())
    stage.clock.advance(5)
    with pytest.raises(ClientError) as error:
        stage.client.send_durable_execution_callback_success(CallbackId=id_)
    assert code(error) == ("CallbackTimeoutException", 400)
    assert isinstance(error.value, stage.client.exceptions.CallbackTimeoutException)


@pytest.mark.parametrize("how", ["success", "failure", "heartbeat"])
def test_answered_already_then_too_late(stage, how):
    """An answered callback takes nothing more."""
    _, id_ = begin(stage, suspend(callback("c")), finish())
    stage.client.send_durable_execution_callback_success(CallbackId=id_)
    with pytest.raises(ClientError) as error:
        getattr(stage.client, f"send_durable_execution_callback_{how}")(CallbackId=id_)
    assert code(error) == ("CallbackTimeoutException", 400)


@pytest.mark.parametrize(
    ("id_", "expected"),
    [
        ("junk", "InvalidParameterValueException"),
        ("not an id!", "InvalidParameterValueException"),
        ("bm8gb25l", "CallbackTimeoutException"),
    ],
)
def test_unknown_callback_then_refused(stage, id_, expected):
    """An undecodable CallbackId is invalid, a well formed one that nobody knows is too late."""
    with pytest.raises(ClientError) as error:
        stage.client.send_durable_execution_callback_success(CallbackId=id_)
    assert code(error) == (expected, 400)


def test_closed_execution_then_its_callbacks_are_too_late(stage):
    """The callbacks of a closed execution take no answer, and are not listed."""
    arn, id_ = begin(stage, suspend(callback("c")), finish())
    stage.client.stop_durable_execution(DurableExecutionArn=arn)
    assert stage.service.pending_callbacks(arn) == ()
    with pytest.raises(ClientError) as error:
        stage.client.send_durable_execution_callback_success(CallbackId=id_)
    assert code(error) == ("CallbackTimeoutException", 400)


@pytest.mark.parametrize(("more", "taken"), [(-1, True), (0, True), (1, False)])
def test_answer_around_the_limit_then_bytes_decide(stage, more, taken):
    """An answer of 1 MiB is taken, one byte more is not and the callback stays open."""
    arn, id_ = begin(stage, suspend(callback("c")), finish())
    body = b"x" * (1_048_576 + more)
    try:
        stage.client.send_durable_execution_callback_success(CallbackId=id_, Result=body)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidParameterValueException"  # noqa: PT017
    assert (stage.service.pending_callbacks(arn) == ()) == taken


def test_nothing_but_an_answer_can_move_it_then_run_returns_running(stage):
    """Run gives back the open status instead of hanging, and goes on after the answer."""
    inside = callback("c", at="x", Name="approve")
    arn = stage.play(suspend(update("CONTEXT", "START", "x", Name="order"), inside), finish())
    assert stage.status(arn) == "RUNNING"
    pending = open_callback(stage, arn)
    assert (
        pending.name,
        pending.path,
        pending.operation_id,
    ) == ("approve", "order/approve", "c")
    stage.client.send_durable_execution_callback_success(CallbackId=pending.callback_id)
    assert stage.service.run(arn) == "SUCCEEDED"


def test_on_idle_answers_then_run_goes_on_without_waiting(stage):
    """The idle hook is asked before time moves, and may answer what is open."""
    asked = []

    def on_idle(idle):
        asked.append(idle)
        for pending in idle.callbacks:
            stage.client.send_durable_execution_callback_success(CallbackId=pending.callback_id)
        return bool(idle.callbacks)

    arn = stage.play(suspend(callback("c", 60)), finish(), run=False)
    assert stage.service.run(arn, on_idle) == "SUCCEEDED"
    (idle,) = asked
    described = stage.service.describe(arn)
    assert described["EndTimestamp"] == described["StartTimestamp"]
    assert (idle.until - described["StartTimestamp"]).total_seconds() == 60


def test_answered_from_inside_the_invocation_then_delivered_by_its_checkpoint(stage):
    """A callback that its own submitter answers is seen by the next checkpoint."""

    def turn(t):
        (seen,) = t.send(callback("c"))
        id_ = seen["CallbackDetails"]["CallbackId"]
        t.client.send_durable_execution_callback_success(CallbackId=id_, Result=b"1")
        (seen,) = t.send(wait("w", 1))[:1]
        assert (seen["Id"], seen["Status"]) == ("c", "SUCCEEDED")
        return PENDING

    arn = stage.play(turn, finish())
    assert stage.turns[1].updated == ["w"]
    assert stage.status(arn) == "SUCCEEDED"
