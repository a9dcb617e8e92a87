from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from durable_gen.local import MemoryStore, SqliteStore
from local.staging import (
    DONE,
    PENDING,
    Stage,
    callback,
    code,
    finish,
    invoke,
    retry,
    suspend,
    update,
    wait,
)

CONFLICT = ("ResourceConflictException", 409)


def pause(stage, arn, **more):
    stage.client.pause_durable_execution(DurableExecutionArn=arn, **more)


def resume(stage, arn, **more):
    stage.client.resume_durable_execution(DurableExecutionArn=arn, **more)


def answer(stage, arn):
    (open_,) = stage.service.pending_callbacks(arn)
    stage.client.send_durable_execution_callback_success(CallbackId=open_.callback_id)


def test_paused_while_idle_then_timers_fire_and_the_invocation_is_owed(stage):
    """A paused execution's timers fire and write events; resumed, it is invoked once."""
    arn = stage.play(suspend(wait("a", 5), wait("b", 6), callback("c")), finish(), run=False)
    stage.service.step()
    pause(stage, arn, Reason="why")
    stage.clock.advance(10)
    stage.service.run(arn)
    assert stage.trace(arn).split()[-3:] == ["ExecutionPaused", "WaitSucceeded", "WaitSucceeded"]
    assert stage.status(arn) == "PAUSED"
    resume(stage, arn, Reason="so")
    stage.service.run(arn)
    assert stage.status(arn) == "SUCCEEDED"
    assert stage.turns[1].updated == ["a", "b"]
    (paused,) = stage.details(arn, "ExecutionPaused")
    (resumed,) = stage.details(arn, "ExecutionResumed")
    assert paused["Reason"] == {"Payload": "why", "Truncated": False}
    assert resumed["Reason"] == {"Payload": "so", "Truncated": False}


def test_paused_and_nothing_happened_then_resume_invokes_nothing(stage):
    """Resumed with nothing new, it goes on waiting."""
    arn = stage.play(suspend(callback("c")))
    pause(stage, arn)
    resume(stage, arn)
    stage.service.run(arn)
    assert stage.trace(arn) == "CallbackStarted | ExecutionPaused ExecutionResumed"


def test_paused_before_its_first_invocation_then_begun_when_resumed(stage):
    """An invocation that is due waits for the end of the pause."""
    arn = stage.play(finish(), run=False)
    pause(stage, arn)
    stage.service.run(arn)
    assert stage.turns == []
    resume(stage, arn)
    assert stage.service.run(arn) == "SUCCEEDED"


def test_paused_during_an_invocation_then_its_next_checkpoint_has_no_token(stage):
    """The updates of the checkpoint that meets the pause are kept, and its token is not given."""

    def met(t):
        pause(stage, t.arn)
        assert stage.status(t.arn) == "PAUSING"
        assert t.send(update("STEP", "SUCCEED", "s")) == []
        assert t.token is None
        return PENDING

    arn = stage.play(met, finish())
    assert stage.trace(arn) == "StepSucceeded ExecutionPaused |"
    resume(stage, arn)
    stage.service.run(arn)
    assert stage.status(arn) == "SUCCEEDED"
    assert stage.turns[1].state["s"]["Status"] == "SUCCEEDED"


def test_resumed_while_the_cut_invocation_runs_then_one_more_invocation(stage):
    """An invocation that a pause cut short is made up for, also if it is resumed before its end."""

    def met(t):
        pause(stage, t.arn)
        t.send()
        resume(stage, t.arn)
        return PENDING

    arn = stage.play(met, finish())
    assert stage.trace(arn) == "ExecutionPaused ExecutionResumed | | ExecutionSucceeded"


def test_pausing_taken_back_then_the_invocation_goes_on(stage):
    """A pause that has not been reached is taken back without a trace."""

    def met(t):
        pause(stage, t.arn)
        resume(stage, t.arn)
        t.send(update("STEP", "SUCCEED", "s"))
        return DONE

    arn = stage.play(met)
    assert stage.trace(arn) == "StepSucceeded | ExecutionSucceeded"


def test_pausing_and_no_more_checkpoint_then_paused_at_the_end(stage):
    """An invocation that ends without a checkpoint lets the pause take effect."""

    def met(t):
        t.send(callback("c"))
        pause(stage, t.arn)
        return PENDING

    arn = stage.play(met)
    assert stage.trace(arn) == "CallbackStarted | ExecutionPaused"


def test_pausing_and_it_succeeds_then_closed(stage):
    """An answer that closes closes, pause or not."""

    def met(t):
        pause(stage, t.arn)
        return DONE

    arn = stage.play(met)
    assert stage.trace(arn) == "| ExecutionSucceeded"


def test_retry_due_while_paused_then_ready_and_begun_when_resumed(stage):
    """A step's next attempt becomes READY in a pause, and begins after it."""
    arn = stage.play(suspend(retry("s", 5)), finish(update("STEP", "SUCCEED", "s")), run=False)
    stage.service.step()
    pause(stage, arn)
    stage.clock.advance(6)
    stage.service.step()
    resume(stage, arn)
    stage.service.run(arn)
    assert stage.turns[1].state["s"]["Status"] == "READY"
    assert stage.trace(arn) == (
        "StepSucceeded | ExecutionPaused ExecutionResumed StepSucceeded | ExecutionSucceeded"
    )


def test_timeout_paused_then_the_pause_is_added(stage):
    """The time spent PAUSED is added to the timeout, unless the pause says otherwise."""
    arn = stage.play(suspend(callback("c")), execution_timeout=100)
    start = stage.service.describe(arn)["StartTimestamp"]
    stage.clock.advance(50)
    pause(stage, arn)
    shown = stage.service.describe(arn)["ExpectedExecutionTimeoutTimestamp"]
    assert shown - start == timedelta(days=366)
    stage.clock.advance(1000)
    resume(stage, arn)
    shown = stage.service.describe(arn)["ExpectedExecutionTimeoutTimestamp"]
    assert shown - start == timedelta(seconds=1100)
    stage.clock.advance(49)
    assert stage.status(arn) == "RUNNING"
    stage.clock.advance(1)
    stage.service.step()
    assert stage.status(arn) == "TIMED_OUT"


def test_timeout_not_paused_then_it_ends_the_pause(stage):
    """With ExecutionTimeoutPaused false the clock runs on."""
    arn = stage.play(suspend(callback("c")), execution_timeout=100)
    pause(stage, arn, ExecutionTimeoutPaused=False)
    stage.clock.advance(100)
    stage.service.step()
    assert stage.trace(arn) == "CallbackStarted | ExecutionPaused ExecutionTimedOut"


def test_paused_for_ever_then_timed_out_after_a_year(stage):
    """No pause carries an execution beyond 366 days."""
    arn = stage.play(suspend(callback("c")), execution_timeout=100)
    pause(stage, arn)
    stage.clock.advance(366 * 86_400 - 1)
    assert stage.status(arn) == "PAUSED"
    stage.clock.advance(1)
    assert stage.status(arn) == "TIMED_OUT"


def test_paused_then_stopped(stage):
    """A paused execution can be stopped; it tells of no pause then."""
    arn = stage.play(suspend(callback("c")))
    pause(stage, arn)
    stage.client.stop_durable_execution(DurableExecutionArn=arn)
    found = stage.service.describe(arn)
    assert found["Status"] == "STOPPED"
    assert "PauseDetails" not in found


def test_client_token_again_then_no_second_effect(stage):
    """The same ClientToken within 15 minutes is the same request."""
    arn = stage.play(suspend(callback("c")))
    pause(stage, arn, ClientToken="p")
    pause(stage, arn, ClientToken="p")
    resume(stage, arn, ClientToken="r")
    pause(stage, arn, ClientToken="p")
    resume(stage, arn, ClientToken="r")
    assert stage.trace(arn) == "CallbackStarted | ExecutionPaused ExecutionResumed"
    with pytest.raises(ClientError) as error:
        resume(stage, arn, ClientToken="s")
    assert code(error) == CONFLICT
    stage.clock.advance(15 * 60)
    pause(stage, arn, ClientToken="p")
    assert stage.status(arn) == "PAUSED"


def test_same_name_while_paused_then_it_stays_paused(stage):
    """Starting a paused execution again finds it, and does not wake it."""
    stage.act("f", suspend(callback("c")))
    arn = stage.service.start("f", "{}", "n")
    stage.service.run(arn)
    pause(stage, arn)
    assert stage.service.start("f", "{}", "n") == arn
    assert stage.status(arn) == "PAUSED"


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_paused_then_the_store_opened_again_then_still_paused(kind, tmp_path, stage):
    """A pause, and what is owed in it, outlive the service."""
    store = MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "s.db")
    first = Stage(store=store, clock=stage.clock)
    arn = first.play(suspend(callback("c")))
    pause(first, arn, Reason="why")
    answer(first, arn)
    if kind == "sqlite":
        first.service.close()
        store = SqliteStore(tmp_path / "s.db")
    second = Stage(store=store, clock=stage.clock)
    second.act("f", finish())
    assert second.service.run(arn) == "PAUSED"
    resume(second, arn)
    assert second.service.run(arn) == "SUCCEEDED"
    second.service.close()


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_retention_over_then_gone_and_its_name_free(kind, tmp_path, stage):
    """An execution is forgotten so many days after its end, with all that it had."""
    store = MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "s.db")
    shop = Stage(store=store, clock=stage.clock)
    shop.act("f", finish(update("STEP", "SUCCEED", "s")), finish(), retention_days=3)
    arn = shop.service.start("f", "{}", "n")
    shop.service.run(arn)
    assert shop.service.describe(arn)["DurableConfig"]["RetentionPeriodInDays"] == 3
    shop.clock.advance(3 * 86_400 - 1)
    assert shop.service.start("f", "{}", "n") == arn
    shop.clock.advance(1)
    with pytest.raises(ClientError) as error:
        shop.service.describe(arn)
    assert code(error) == ("ResourceNotFoundException", 404)
    assert shop.service.executions() == list(store.operations(arn)) == []
    assert list(store.events(arn, 1, 100)) == []
    assert shop.service.start("f", "[]", "n") != arn
    shop.service.close()


def test_retention_over_while_closed_then_gone_at_the_next_start(tmp_path, stage):
    """Days pass also while no service runs."""
    first = Stage(store=SqliteStore(tmp_path / "s.db"), clock=stage.clock)
    first.play(finish())
    first.service.close()
    stage.clock.advance(14 * 86_400)
    second = Stage(store=SqliteStore(tmp_path / "s.db"), clock=stage.clock)
    second.service.step()
    assert second.service.executions() == []
    second.service.close()


def test_deleted_child_then_its_caller_keeps_the_outcome(stage):
    """A child that is deleted before its caller has heard of it leaves its outcome."""
    stage.act("g", finish(result='"child"'))

    def ask(t):
        t.send(invoke("i", "g:$LATEST"))
        (operation,) = t.answers[0]["NewExecutionState"]["Operations"]
        child = next(arn for arn in stage.service.executions() if ":g:" in arn)
        stage.client.stop_durable_execution(DurableExecutionArn=child, Error={"ErrorType": "S"})
        stage.client.delete_durable_execution(DurableExecutionArn=child)
        assert operation["Status"] == "STARTED"
        return PENDING

    arn = stage.play(ask, finish())
    assert stage.turns[1].state["i"]["Status"] == "STOPPED"
    assert stage.turns[1].state["i"]["ChainedInvokeDetails"]["Error"] == {"ErrorType": "S"}
    assert stage.status(arn) == "SUCCEEDED"


def test_deleted_while_its_last_invocation_runs_then_nothing_comes_back(stage):
    """An invocation that outlives its execution changes nothing."""

    def late(t):
        stage.client.stop_durable_execution(DurableExecutionArn=t.arn)
        stage.client.delete_durable_execution(DurableExecutionArn=t.arn)
        return DONE

    stage.play(late, run=False)
    stage.service.step()
    assert stage.service.executions() == []
