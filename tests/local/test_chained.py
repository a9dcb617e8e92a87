import pytest
from botocore.exceptions import ClientError

from local.staging import DONE, PENDING, callback, code, finish, invoke, suspend, update, wait


def caller(stage, target, child=None, **more):
    """Play a parent that invokes a target and ends on its answer."""
    if child is not None:
        stage.act("g", *child, **more)
    return stage.play(suspend(invoke("i", target, Payload='{"n":1}')), finish())


def outcome(stage):
    item = next(t for t in reversed(stage.turns) if "i" in t.state).state["i"]
    return item["Status"], item["ChainedInvokeDetails"]


def test_durable_target_then_child_execution_and_its_result(stage):
    """A durable target is an execution of its own; its result comes after the parent suspended."""
    arn = caller(stage, "g:$LATEST", [suspend(wait("w", 5)), finish(result="7")])
    assert stage.trace(arn) == "ChainedInvokeStarted | ChainedInvokeSucceeded | ExecutionSucceeded"
    child = next(other for other in stage.service.executions() if other != arn)
    assert stage.details(arn, "ChainedInvokeStarted") == [
        {
            "FunctionName": "g:$LATEST",
            "Input": {"Payload": '{"n":1}', "Truncated": False},
            "ExecutedVersion": "$LATEST",
            "DurableExecutionArn": child,
        }
    ]
    assert stage.trace(child) == "WaitStarted | WaitSucceeded | ExecutionSucceeded"
    assert outcome(stage) == ("SUCCEEDED", {"Result": "7"})
    assert stage.turns[-1].updated == ["i"]


def test_child_fails_then_its_error_unchanged(stage):
    """A child's failure is the invoke's error."""
    error = {"ErrorType": "E", "ErrorMessage": "m", "ErrorData": "d"}
    caller(stage, "g:$LATEST", [lambda t: {"Status": "FAILED", "Error": error}])
    assert outcome(stage) == ("FAILED", {"Error": error})


def test_child_times_out_then_timed_out(stage):
    """A child that outlives its own timeout ends the invoke TIMED_OUT."""
    caller(stage, "g:$LATEST", [suspend(wait("w", 50))], execution_timeout=10)
    status, details = outcome(stage)
    assert (status, details["Error"]["ErrorType"]) == ("TIMED_OUT", "ChainedInvoke.Timeout")


def test_child_stopped_then_stopped_with_the_stops_error(stage):
    """A stopped child ends the invoke STOPPED, with the error that the stop gave."""
    stage.act("g", suspend(callback("c")))
    arn = stage.play(suspend(invoke("i", "g:$LATEST")), finish())
    assert stage.status(arn) == "RUNNING"
    child = stage.details(arn, "ChainedInvokeStarted")[0]["DurableExecutionArn"]
    stage.client.stop_durable_execution(DurableExecutionArn=child, Error={"ErrorMessage": "x"})
    assert stage.service.run(arn) == "SUCCEEDED"
    assert outcome(stage) == ("STOPPED", {"Error": {"ErrorMessage": "x"}})


def test_child_closes_while_the_parent_runs_then_held_back_until_its_end(stage):
    """A child's result stands after the InvocationCompleted of the invocation that asked for it."""

    def parent(t):
        t.send(invoke("i", "g:$LATEST"))
        (child,) = (arn for arn in stage.service.executions() if arn != t.arn)
        t.client.stop_durable_execution(DurableExecutionArn=child)
        assert t.send() == []
        return PENDING

    stage.act("g")
    arn = stage.play(parent, finish())
    assert stage.trace(arn) == "ChainedInvokeStarted | ChainedInvokeStopped | ExecutionSucceeded"


def test_plain_target_then_called_with_the_payload(stage):
    """A plain target is called once with the payload, and its answer is the result as JSON text."""
    calls = []
    stage.service.register("g", lambda e, c: calls.append((e, c.tenant_id)) or [e], durable=False)
    target = {"FunctionName": "g", "TenantId": "t"}
    start = update("CHAINED_INVOKE", "START", "i", ChainedInvokeOptions=target, Payload="[1]")
    arn = stage.play(suspend(start), finish())
    assert calls == [([1], "t")]
    assert outcome(stage) == ("SUCCEEDED", {"Result": "[[1]]"})
    (started,) = stage.details(arn, "ChainedInvokeStarted")
    assert (started["TenantId"], started["ExecutedVersion"]) == ("t", "$LATEST")
    assert "DurableExecutionArn" not in started


def test_plain_target_raises_then_failed_with_lambdas_error(stage):
    """What a plain target raises is the invoke's error."""

    def target(event, context):
        raise ValueError("no")

    stage.service.register("g", target, durable=False)
    caller(stage, "g")
    status, details = outcome(stage)
    assert (
        status,
        details["Error"]["ErrorType"],
        details["Error"]["ErrorMessage"],
    ) == ("FAILED", "ValueError", "no")
    assert "in target" in details["Error"]["StackTrace"][0]


def test_unknown_target_then_failed_in_the_checkpoints_answer(stage):
    """A target that is not found fails at once, and history shows no input."""

    def turn(t):
        (seen,) = t.send(invoke("i", "nobody:1", Payload="1"))
        assert seen["Status"] == "FAILED"
        assert seen["ChainedInvokeDetails"]["Error"]["ErrorType"] == "ResourceNotFoundException"
        return DONE

    arn = stage.play(turn)
    assert stage.trace(arn) == "ChainedInvokeStarted ChainedInvokeFailed | ExecutionSucceeded"
    assert stage.details(arn, "ChainedInvokeStarted") == [{"FunctionName": "nobody:1"}]


def test_durable_target_without_qualifier_then_failed(stage):
    """A durable target must be named with a version or an alias."""

    def turn(t):
        (seen,) = t.send(invoke("i", "g"))
        error = seen["ChainedInvokeDetails"]["Error"]
        assert error["ErrorType"] == "InvalidParameterValueException"
        return DONE

    stage.act("g")
    assert stage.status(stage.play(turn)) == "SUCCEEDED"


def test_parent_closes_then_child_goes_on(stage):
    """Stopping the parent leaves its child running, and drops what it answers."""
    stage.act("g", suspend(wait("w", 5)), finish())
    arn = stage.play(suspend(invoke("i", "g:$LATEST")), run=False)
    stage.service.step()
    child = stage.details(arn, "ChainedInvokeStarted")[0]["DurableExecutionArn"]
    stage.client.stop_durable_execution(DurableExecutionArn=arn)
    assert stage.service.run(child) == "SUCCEEDED"
    assert stage.trace(arn) == "ChainedInvokeStarted | ExecutionStopped"


@pytest.mark.parametrize("name", ["g:$LATEST", "function:g:$LATEST", "g:live"])
def test_names_of_a_target_then_all_forms_reach_it(stage, name):
    """Bare names, partial ARNs and aliases reach the same function."""
    caller(stage, name, [finish(result="1")])
    assert outcome(stage) == ("SUCCEEDED", {"Result": "1"})


def test_stop_without_error_then_empty_error_and_second_stop_changes_nothing(stage):
    """A stop carries the given error or an empty one; another stop answers with the first's time."""
    arn = stage.play(suspend(callback("c")))
    first = stage.client.stop_durable_execution(DurableExecutionArn=arn)
    stage.clock.advance(5)
    second = stage.client.stop_durable_execution(DurableExecutionArn=arn)
    assert first["StopTimestamp"] == second["StopTimestamp"]
    assert stage.details(arn, "ExecutionStopped") == [
        {"Error": {"Payload": {}, "Truncated": False}}
    ]


def test_unknown_execution_then_not_found(stage):
    """An execution that does not exist is a ResourceNotFoundException, 404."""
    arn = "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST/durable-execution/a/b"
    with pytest.raises(ClientError) as error:
        stage.client.get_durable_execution(DurableExecutionArn=arn)
    assert code(error) == ("ResourceNotFoundException", 404)
