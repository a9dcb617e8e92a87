import pytest
from botocore.exceptions import ClientError

from local.staging import DONE, PENDING, code, finish, suspend, update, wait


def refused(t, token, *updates, match="Invalid checkpoint token"):
    with pytest.raises(ClientError, match=match) as error:
        t.client.checkpoint_durable_execution(
            DurableExecutionArn=t.arn, CheckpointToken=token, Updates=list(updates)
        )
    assert code(error) == ("InvalidParameterValueException", 400)
    if match.startswith("Invalid"):
        assert error.value.response["Error"]["Message"].startswith("Invalid checkpoint token")


def test_token_used_twice_then_refused(stage):
    """A token is spent by any accepted checkpoint, an empty one too."""

    def turn(t):
        first = t.token
        t.send()
        refused(t, first)
        second = t.token
        t.send(update("STEP", "START"))
        refused(t, second)
        return DONE

    assert stage.status(stage.play(turn)) == "SUCCEEDED"


@pytest.mark.parametrize("token", ["x", "AAAA", "not base64!", "MSAy"])
def test_unparsable_token_then_refused_as_invalid(stage, token):
    """A token that this service never made is an invalid one."""

    def turn(t):
        refused(t, token)
        return DONE

    assert stage.status(stage.play(turn)) == "SUCCEEDED"


def test_token_of_an_earlier_invocation_then_refused(stage):
    """A later invocation supersedes the tokens of an earlier one."""

    def second(t):
        refused(t, stage.turns[0].token)
        return DONE

    assert stage.status(stage.play(suspend(wait("w", 1)), second)) == "SUCCEEDED"


def test_no_invocation_runs_then_token_refused(stage):
    """Between invocations and after the end no token is good."""
    arn = stage.play(suspend(wait("w", 1)), finish(), run=False)
    stage.service.step()
    refused(stage.turns[0], stage.turns[0].token)
    stage.service.run(arn)
    refused(stage.turns[1], stage.turns[1].token)


def test_unknown_execution_then_bad_token_not_missing(stage):
    """A checkpoint of an unknown execution is told that its token is bad."""

    def turn(t):
        t.arn = t.arn[:-1] + ("0" if t.arn[-1] != "0" else "1")
        refused(t, "AAAA")
        return DONE

    assert stage.status(stage.play(turn)) == "SUCCEEDED"


def test_token_of_another_execution_then_another_text(stage):
    """A token of another execution is refused with a text of its own."""
    stage.play(suspend(wait("w", 1)), run=False)
    stage.service.step()
    other = stage.turns[0].token

    def turn(t):
        refused(t, other, match="another execution")
        return DONE

    stage.act("g", turn)
    assert stage.service.run(stage.service.start("g", "{}")) == "SUCCEEDED"


def test_same_client_token_and_inbound_token_then_same_answer(stage):
    """A repeated checkpoint gets the stored answer, and nothing is applied twice."""

    def turn(t):
        inbound = t.token
        t.send(update("STEP", "START"), ClientToken="once")
        t.token = inbound
        t.send(update("STEP", "START"), ClientToken="once")
        first, second = ({**a, "ResponseMetadata": None} for a in t.answers)
        assert first == second
        refused(t, inbound)
        t.send(update("STEP", "SUCCEED"))
        return DONE

    arn = stage.play(turn)
    assert stage.trace(arn) == "StepStarted StepSucceeded | ExecutionSucceeded"


def test_same_client_token_with_a_new_inbound_token_then_applied(stage):
    """A ClientToken alone makes no repetition: the inbound token must be the same too."""

    def turn(t):
        t.send(update("STEP", "START"), ClientToken="once")
        t.send(update("STEP", "SUCCEED"), ClientToken="once")
        return DONE

    assert stage.trace(stage.play(turn)).startswith("StepStarted StepSucceeded")


@pytest.mark.parametrize("how", ["stop", "timeout"])
def test_closed_during_an_invocation_then_its_next_checkpoint_is_refused(stage, how):
    """Stop and timeout take the token of the invocation that runs; its answer is ignored."""

    def turn(t):
        if how == "stop":
            t.client.stop_durable_execution(DurableExecutionArn=t.arn)
        else:
            stage.clock.advance(60)
            t.client.get_durable_execution(DurableExecutionArn=t.arn)
        refused(t, t.token, update("STEP", "START"))
        return PENDING

    arn = stage.play(turn, execution_timeout=60)
    word = "Stopped" if how == "stop" else "TimedOut"
    assert stage.trace(arn) == f"Execution{word} |"


def test_timeout_falls_due_in_a_checkpoint_then_updates_count_and_token_withheld(stage):
    """Updates are applied before the timers that are due; the answer has no token then."""

    def turn(t):
        stage.clock.advance(60)
        t.send(update("STEP", "START"))
        assert t.token is None
        return PENDING

    arn = stage.play(turn, execution_timeout=60)
    assert stage.trace(arn) == "StepStarted ExecutionTimedOut |"
