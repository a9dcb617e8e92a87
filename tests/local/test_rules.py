import pytest
from botocore.exceptions import ClientError, ParamValidationError

from local.staging import DONE, callback, code, finish, invoke, retry, suspend, update, wait

MIB = 1_048_576
REFUSED = [
    [update("EXECUTION", "SUCCEED"), update("STEP", "START")],
    [update("EXECUTION", "SUCCEED"), update("EXECUTION", "SUCCEED", "b")],
    [update("EXECUTION", "START")],
    [update("STEP", "START"), update("STEP", "START")],
    [update("STEP", "SUCCEED"), update("STEP", "SUCCEED")],
    [update("STEP", "START"), retry("a", 1), update("STEP", "SUCCEED")],
    [wait("a", 1), update("WAIT", "CANCEL")],
    [update("STEP", "START", at="nobody")],
    [update("STEP", "START", "s"), update("STEP", "START", at="s")],
    [update("STEP", "CANCEL")],
    [update("WAIT", "SUCCEED")],
    [update("CALLBACK", "SUCCEED")],
    [update("CHAINED_INVOKE", "FAIL")],
    [update("CONTEXT", "RETRY", StepOptions={"NextAttemptDelaySeconds": 1})],
    [update("STEP", "SUCCEED", Error={})],
    [update("STEP", "FAIL", Payload="1")],
    [retry("a", 1, Payload="1", Error={})],
    [update("STEP", "RETRY")],
    [update("WAIT", "START")],
    [update("CHAINED_INVOKE", "START")],
    [invoke("a", "arn:aws:lambda:eu-west-1:123456789012:function:g:1")],
    [invoke("a", "arn:aws:lambda:us-east-1:999999999999:function:g:1")],
    [invoke("a", "no such name!")],
    [wait("a", 31_622_401)],
    [update("NAP", "START")],
    [update("STEP", "START", "x" * 65)],
    [update("STEP", "START", "no blanks")],
    [update("STEP", "START", Name="\n")],
    [update("STEP", "START", "old", Name="other")],
    [update("WAIT", "CANCEL", "old")],
    [update("STEP", "SUCCEED", "old", SubType="Other")],
    [update("STEP", "SUCCEED", "old", ParentId="box")],
]


@pytest.mark.parametrize("batch", REFUSED)
def test_batch_breaks_a_rule_then_refused_whole_and_token_good(stage, batch):
    """A refused batch changes nothing, not even by its good updates, and its token stays good."""

    def turn(t):
        t.send(
            update("CONTEXT", "START", "box"), update("STEP", "START", "old", Name="n", SubType="S")
        )
        with pytest.raises(ClientError) as error:
            t.send(update("STEP", "START", "good"), *batch)
        assert code(error) == ("InvalidParameterValueException", 400)
        t.send()
        return DONE

    arn = stage.play(turn)
    assert stage.trace(arn) == "ContextStarted StepStarted | ExecutionSucceeded"


@pytest.mark.parametrize(
    "request_", [{"Id": 1}, {"Id": "a", "Type": "STEP"}, {**update("STEP", "START"), "X": 1}]
)
def test_request_is_no_shape_of_the_model_then_botocore_refuses(stage, request_):
    """What botocore itself would not send is a ParamValidationError."""

    def turn(t):
        with pytest.raises(ParamValidationError):
            t.send(request_)
        return DONE

    assert stage.status(stage.play(turn)) == "SUCCEEDED"


@pytest.mark.parametrize("text", ["x", "é"])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_payload_around_the_limit_then_bytes_decide(stage, text, more):
    """A payload of 1 MiB in UTF-8 is taken, one byte more is not."""
    payload = text * (MIB // len(text.encode()) - 1) + "x" * (len(text.encode()) + more)

    def turn(t):
        if more <= 0:
            t.send(update("STEP", "SUCCEED", Payload=payload))
        else:
            with pytest.raises(ClientError, match=f"has {MIB + 1} bytes, the limit is {MIB}"):
                t.send(update("STEP", "SUCCEED", Payload=payload))
        return DONE

    stage.status(stage.play(turn))
    assert len(payload.encode()) == MIB + more
    assert stage.status(stage.service.executions()[0]) == "SUCCEEDED"


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_error_around_the_limit_then_all_fields_count(stage, more):
    """An error of 1 MiB over all its fields is taken, one byte more is not."""
    error = {"ErrorType": "é", "StackTrace": ["x" * 98], "ErrorMessage": "m" * (MIB - 100 + more)}

    def turn(t):
        if more <= 0:
            t.send(update("STEP", "FAIL", Error=error))
        else:
            with pytest.raises(ClientError, match=f"has {MIB + 1} bytes, the limit is {MIB}"):
                t.send(update("STEP", "FAIL", Error=error))
        return DONE

    assert stage.status(stage.play(turn)) == "SUCCEEDED"


@pytest.mark.parametrize(("more", "status"), [(-1, "SUCCEEDED"), (0, "SUCCEEDED"), (1, "FAILED")])
def test_result_around_the_limit_then_over_it_fails_at_once(stage, more, status):
    """A result of 6 MiB is taken, one byte more fails the execution without another invocation."""
    arn = stage.play(finish(result="x" * (6 * MIB + more)))
    assert stage.status(arn) == status
    assert len(stage.turns) == 1


@pytest.mark.parametrize(("count", "status"), [(2, "SUCCEEDED"), (3, "SUCCEEDED"), (4, "FAILED")])
def test_operations_around_the_quota_then_over_it_fails_without_token(count, status):
    """One operation over the quota fails the execution; the updates count and no token comes back."""
    from local.staging import Stage

    stage = Stage(max_operations=3)
    arn = stage.play(finish(*(update("STEP", "START", f"s{n}") for n in range(count))))
    assert stage.status(arn) == status
    assert ("CheckpointToken" in stage.turns[0].answers[0]) == (status == "SUCCEEDED")
    assert stage.trace(arn).count("StepStarted") == count


def test_closed_parent_then_straggler_is_taken(stage):
    """A straggling branch may still send under a context that has closed."""
    arn = stage.play(
        finish(
            update("CONTEXT", "START", "box"),
            update("CONTEXT", "SUCCEED", "box"),
            update("STEP", "START", at="box"),
        )
    )
    assert stage.trace(arn).startswith("ContextStarted ContextSucceeded StepStarted |")


def test_callback_timeout_zero_then_none(stage):
    """A timeout of 0 is no timeout."""
    arn = stage.play(suspend(callback("c")))
    (pending,) = stage.service.pending_callbacks(arn)
    assert pending.deadline is None
