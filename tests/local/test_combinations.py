"""Rules where they meet: several clocks, answers, failures and pauses in one execution."""

import pytest
from botocore.exceptions import ClientError

from durable_gen.local._host import Unreachable
from durable_gen.local._work import Job
from local.staging import (
    DONE,
    PENDING,
    Stage,
    callback,
    finish,
    invoke,
    retry,
    suspend,
    update,
    wait,
)

MIB = 1_048_576


def boom(t):
    raise RuntimeError("boom")


def again(t):
    return PENDING


def answer(stage, arn, id_, how="success", **more):
    (word,) = (c.callback_id for c in stage.service.pending_callbacks(arn) if c.operation_id == id_)
    send = getattr(stage.client, f"send_durable_execution_callback_{how}")
    send(CallbackId=word, **more)


def started(stage, *script):
    """Play the first invocation only."""
    arn = stage.play(*script, run=False)
    stage.service.step()
    return arn


def child_of(stage, arn):
    return stage.details(arn, "ChainedInvokeStarted")[0]["DurableExecutionArn"]


# Clocks


def test_retry_and_wait_due_together_then_one_invocation_sees_both(stage):
    """What falls due at one instant shares an invocation, whatever its kind."""
    arn = stage.play(suspend(retry("s", 5), wait("w", 5), callback("c", 5)), finish())
    assert stage.trace(arn) == (
        "StepSucceeded WaitStarted CallbackStarted | WaitSucceeded CallbackTimedOut | "
        "ExecutionSucceeded"
    )
    assert stage.turns[1].updated == ["s", "w", "c"]
    assert [stage.turns[1].state[id_]["Status"] for id_ in "swc"] == [
        "READY",
        "SUCCEEDED",
        "TIMED_OUT",
    ]


def test_steps_with_delays_of_their_own_then_each_is_begun_when_it_is_ready(stage):
    """Two steps that are tried again wake the execution each at its time."""

    def second(t):
        assert [t.state[id_]["Status"] for id_ in "ab"] == ["PENDING", "READY"]
        t.send(update("STEP", "START", "b"), update("STEP", "SUCCEED", "b"))
        return PENDING

    error = {"ErrorType": "E"}
    first = suspend(retry("a", 4, Error=error), retry("b", 2, Error=error))
    arn = stage.play(first, second, finish(update("STEP", "SUCCEED", "a")))
    assert stage.trace(arn) == (
        "StepFailed StepFailed | StepStarted StepSucceeded | StepSucceeded | ExecutionSucceeded"
    )
    assert [turn.updated for turn in stage.turns] == [[], ["b"], ["a"]]
    assert [item["Id"] for item in stage.turns[2].items[1:]] == ["a", "b"]


def test_heartbeats_then_the_timeout_stands(stage):
    """Heartbeats keep the heartbeat's clock from running out, and never the timeout's."""
    arn = started(stage, suspend(callback("c", 10, 5)), finish())
    (set_,) = stage.details(arn, "CallbackStarted")
    assert (set_["Timeout"], set_["HeartbeatTimeout"]) == (10, 5)
    for _ in range(2):
        stage.clock.advance(4)
        answer(stage, arn, "c", "heartbeat")
    assert stage.service.run(arn) == "SUCCEEDED"
    (over,) = stage.details(arn, "CallbackTimedOut")
    assert over["Error"]["Payload"]["ErrorType"] == "Callback.Timeout"
    events = {event["EventType"]: event["EventTimestamp"] for event in stage.service.history(arn)}
    assert (events["CallbackTimedOut"] - events["CallbackStarted"]).total_seconds() == 10


def test_callbacks_of_one_batch_answered_apart_then_an_invocation_each(stage):
    """Each answer wakes the execution; those that come before it runs share an invocation."""
    arn = started(
        stage, suspend(callback("a"), callback("b"), callback("c")), again, lambda t: DONE
    )
    answer(stage, arn, "c")
    answer(stage, arn, "a", "failure", Error={"ErrorType": "E"})
    stage.service.step()
    answer(stage, arn, "b")
    assert stage.service.run(arn) == "SUCCEEDED"
    assert stage.trace(arn) == (
        "CallbackStarted CallbackStarted CallbackStarted | CallbackSucceeded CallbackFailed | "
        "CallbackSucceeded | ExecutionSucceeded"
    )
    assert [turn.updated for turn in stage.turns[1:]] == [["a", "c"], ["b"]]


def test_timer_of_a_finished_context_then_it_still_wakes(stage):
    """A wait that a finished context has left behind ends in its time, and costs an invocation."""
    arn = stage.play(
        suspend(
            update("CONTEXT", "START", "x"),
            wait("lost", 3, at="x"),
            update("CONTEXT", "SUCCEED", "x"),
            wait("w", 9),
        ),
        again,
        finish(),
    )
    assert stage.trace(arn) == (
        "ContextStarted WaitStarted ContextSucceeded WaitStarted | WaitSucceeded | "
        "WaitSucceeded | ExecutionSucceeded"
    )
    assert "lost" not in stage.turns[1].state


@pytest.mark.parametrize("action", ["SUCCEED", "FAIL"])
@pytest.mark.parametrize("flag", [False, True])
def test_context_closed_either_way_then_pruned_unless_replayed(stage, action, flag):
    """A failed context is pruned as one that succeeded is, and keeps its children when it says so."""
    close = update("CONTEXT", action, "x", ContextOptions={"ReplayChildren": flag})
    inside = update("STEP", "SUCCEED", "s", at="x")
    stage.play(suspend(update("CONTEXT", "START", "x"), inside, close, wait("w", 1)), finish())
    shown = stage.turns[1].state
    assert flag == ("s" in shown)
    assert flag == shown["x"]["ContextDetails"]["ReplayChildren"]


# Failures


def test_timer_due_while_a_failed_invocation_waits_then_seen_by_the_next_try(stage):
    """What ends during the delay after a failure costs no invocation of its own."""

    def first(t):
        t.send(wait("w", 1), wait("x", 30))
        raise RuntimeError("boom")

    arn = stage.play(first, again, finish())
    assert stage.trace(arn) == (
        "WaitStarted WaitStarted | WaitSucceeded | WaitSucceeded | ExecutionSucceeded"
    )
    assert [turn.updated for turn in stage.turns[1:]] == [["w"], ["x"]]


def test_answer_while_a_failed_invocation_waits_then_no_earlier_try(stage):
    """An answer does not cut the delay after a failure short."""

    def first(t):
        t.send(callback("c"))
        raise RuntimeError("boom")

    arn = started(stage, first, finish())
    answer(stage, arn, "c")
    assert stage.service.run(arn) == "SUCCEEDED"
    assert stage.turns[1].updated == ["c"]
    ends = stage.details(arn, "InvocationCompleted")
    assert (ends[1]["StartTimestamp"] - ends[0]["EndTimestamp"]).total_seconds() == 1


def test_failed_invocation_then_nothing_of_the_state_changes(stage):
    """Between the tries the context and its step are as they were; attempts are not spent."""

    def first(t):
        t.send(update("CONTEXT", "START", "x"), update("STEP", "START", "s", at="x"))
        raise RuntimeError("boom")

    def second(t):
        assert [t.state[id_]["Status"] for id_ in "xs"] == ["STARTED", "STARTED"]
        assert t.state["s"]["StepDetails"] == {"Attempt": 0}
        assert t.updated == []
        t.send(update("STEP", "SUCCEED", "s", Payload="1"), update("CONTEXT", "SUCCEED", "x"))
        return DONE

    arn = stage.play(first, second)
    assert stage.trace(arn) == (
        "ContextStarted StepStarted | StepSucceeded ContextSucceeded | ExecutionSucceeded"
    )
    assert stage.details(arn, "StepSucceeded")[0]["RetryDetails"] == {"CurrentAttempt": 1}


def test_no_host_ran_it_then_the_next_try_is_told_the_same(stage):
    """An invocation that no host has run names what it would have named, when it is run."""
    arn = started(stage, suspend(wait("w", 5)), finish())
    stage.clock.advance(5)
    stage.service.step()
    work = stage.service._work
    for _ in range(2):
        job = work.take()
        assert isinstance(job, Job)
        work.finish(job, Unreachable(code="TooManyRequestsException", message="busy"))
        stage.clock.advance(1)
        stage.service.step()
    assert stage.service.run(arn) == "SUCCEEDED"
    assert stage.turns[1].updated == ["w"]
    assert stage.trace(arn) == "WaitStarted | WaitSucceeded | ExecutionSucceeded"


def test_failures_and_idle_ends_in_turn_then_neither_counts_up(stage):
    """Failures in a row and suspensions with nothing pending in a row are counted apart."""
    arn = stage.play(*[boom, again] * 6, finish())
    assert stage.status(arn) == "SUCCEEDED"


@pytest.mark.parametrize("how", ["asynchronous", "child"])
@pytest.mark.parametrize(("size", "status"), [(MIB, "SUCCEEDED"), (MIB + 1, "FAILED")])
def test_result_of_an_execution_nobody_waits_for_then_a_mebibyte(stage, how, size, status):
    """An asynchronous execution's result, and a child's, has at most 1 MiB."""
    script = finish(result="x" * size)
    if how == "child":
        stage.act("g", script)
        parent = stage.play(suspend(invoke("i", "g:$LATEST")), finish())
        arn = child_of(stage, parent)
        assert stage.turns[-1].state["i"]["Status"] == status
    else:
        stage.act("f", script)
        arn = stage.service.start("f", "{}", asynchronous=True)
        stage.service.run(arn)
    assert stage.status(arn) == status
    assert stage.trace(arn) == ("| ExecutionSucceeded" if size == MIB else "| ExecutionFailed")


@pytest.mark.parametrize("closing", ["update", "quota"])
def test_answer_without_a_token_then_not_given_again(closing):
    """A checkpoint whose answer had no token is not repeated by its ClientToken."""
    stage = Stage(max_operations=1)
    batch = {
        "update": [update("EXECUTION", "FAIL", "r", Error={"ErrorType": "E"})],
        "quota": [update("STEP", "START", id_) for id_ in "ab"],
    }

    def turn(t):
        token = t.token
        t.send(*batch[closing], ClientToken="x")
        assert t.token is None
        t.token = token
        with pytest.raises(ClientError, match="Invalid checkpoint token"):
            t.send(*batch[closing], ClientToken="x")
        return PENDING

    assert stage.status(stage.play(turn)) == "FAILED"


# Chained invokes


@pytest.mark.parametrize(
    ("gives", "status", "details"),
    [
        (lambda e, c: None, "SUCCEEDED", {"Result": "null"}),
        (lambda e, c: e, "SUCCEEDED", {"Result": "{}"}),
        (lambda e, c: "x" * (MIB - 2), "SUCCEEDED", {"Result": f'"{"x" * (MIB - 2)}"'}),
        (
            lambda e, c: "x" * (MIB - 1),
            "FAILED",
            {
                "Error": {
                    "ErrorType": "InvalidParameterValueException",
                    "ErrorMessage": f"The answer has {MIB + 1} bytes, the limit is {MIB}.",
                }
            },
        ),
    ],
)
def test_plain_target_without_payload_then_an_empty_object_and_its_answer(
    stage, gives, status, details
):
    """No payload is an empty object; an answer has at most 1 MiB."""
    stage.service.register("g", gives, durable=False)
    arn = stage.play(suspend(invoke("i", "g")), finish())
    assert stage.turns[1].state["i"]["Status"] == status
    assert stage.turns[1].state["i"]["ChainedInvokeDetails"] == details
    assert stage.details(arn, "ChainedInvokeStarted")[0]["Input"]["Payload"] == "{}"


def test_plain_target_given_no_json_then_failed_and_not_called(stage):
    """What is no JSON cannot be invoked with, and the invoke says so."""
    stage.service.register("g", boom, durable=False)
    stage.play(suspend(invoke("i", "g", Payload="no JSON")), finish())
    found = stage.turns[1].state["i"]
    assert found["Status"] == "FAILED"
    assert found["ChainedInvokeDetails"]["Error"]["ErrorType"] == "InvalidRequestContentException"


def test_plain_target_that_no_host_runs_then_failed_with_its_code(stage):
    """An Invoke that is refused is the invoke's failure, under the refusal's code."""
    stage.service.register("g", boom, durable=False)
    arn = started(stage, suspend(invoke("i", "g")), finish())
    work = stage.service._work
    job = work.take()
    work.finish(job, Unreachable(code="TooManyRequestsException", message="busy"))
    assert stage.service.run(arn) == "SUCCEEDED"
    assert stage.turns[1].state["i"]["ChainedInvokeDetails"]["Error"] == {
        "ErrorType": "TooManyRequestsException",
        "ErrorMessage": "busy",
    }


def test_durable_target_then_tenant_trace_and_an_empty_object_reach_it(stage):
    """A child has the tenant that it is invoked for, and its parent's trace unless it is given one."""
    stage.act("g", *[finish()] * 2)
    options = {"FunctionName": "g:$LATEST", "TenantId": "blue", "XAmznTraceId": "Root=1-2"}
    arn = stage.play(
        suspend(
            update("CHAINED_INVOKE", "START", "i", ChainedInvokeOptions=options),
            invoke("j", "g:$LATEST"),
        ),
        *[finish()] * 2,
    )
    first, second = stage.details(arn, "ChainedInvokeStarted")
    assert (first["TenantId"], "TenantId" in second) == ("blue", False)
    one, other = (stage.service.describe(item["DurableExecutionArn"]) for item in (first, second))
    assert one["InputPayload"] == "{}"
    assert one["TraceHeader"] == {"XAmznTraceId": "Root=1-2"}
    assert "TraceHeader" not in other
    contexts = [t.context.tenant_id for t in stage.turns if t.arn == one["DurableExecutionArn"]]
    assert contexts == ["blue"]


@pytest.mark.parametrize(
    ("end", "word"),
    [
        ({"Status": "SUCCEEDED", "Result": "1"}, "Succeeded"),
        ({"Status": "SUCCEEDED"}, "Succeeded"),
        ({"Status": "FAILED", "Error": {"ErrorType": "E"}}, "Failed"),
        ({"Status": "FAILED"}, "Failed"),
        (None, "TimedOut"),
    ],
)
def test_children_end_any_way_then_an_event_of_that_word_with_the_outcome(stage, end, word):
    """However a child ends, the parent's history says so, with the child's own result or error."""
    stage.act("g", (lambda t: end) if end else suspend(wait("w", 99)), execution_timeout=9)
    arn = stage.play(suspend(invoke("i", "g:$LATEST", Payload="1")), finish())
    assert stage.trace(arn) == f"ChainedInvokeStarted | ChainedInvoke{word} | ExecutionSucceeded"
    (details,) = stage.details(arn, f"ChainedInvoke{word}")
    described = stage.service.describe(child_of(stage, arn))
    if end is None:
        assert details["Error"]["Payload"]["ErrorType"] == "ChainedInvoke.Timeout"
        assert "9 seconds" in details["Error"]["Payload"]["ErrorMessage"]
    else:
        member = "Result" if word == "Succeeded" else "Error"
        assert details[member].get("Payload") == described.get(member)


def test_child_ends_in_a_pause_of_its_parent_then_kept_and_seen_afterwards(stage):
    """Chained invokes complete in a pause too, and the invocation comes when it is over."""
    stage.act("g", suspend(wait("w", 5)), finish(result="1"))
    arn = started(stage, suspend(invoke("i", "g:$LATEST")), finish())
    stage.client.pause_durable_execution(DurableExecutionArn=arn)
    assert stage.service.run(child_of(stage, arn)) == "SUCCEEDED"
    assert stage.service.run(arn) == "PAUSED"
    stage.client.resume_durable_execution(DurableExecutionArn=arn)
    assert stage.service.run(arn) == "SUCCEEDED"
    assert stage.trace(arn) == (
        "ChainedInvokeStarted | ExecutionPaused ChainedInvokeSucceeded ExecutionResumed | "
        "ExecutionSucceeded"
    )


def test_child_paused_then_its_parent_waits(stage):
    """A parent waits for a child that is paused; the parent's own timeout runs on."""
    stage.act("g", suspend(wait("w", 5)), finish())
    arn = stage.play(suspend(invoke("i", "g:$LATEST")), run=False, execution_timeout=60)
    stage.service.step()
    child = child_of(stage, arn)
    stage.client.pause_durable_execution(DurableExecutionArn=child)
    stage.service.step()
    stage.clock.advance(60)
    stage.service.step()
    assert (stage.status(arn), stage.status(child)) == ("TIMED_OUT", "PAUSED")
    assert stage.trace(arn) == "ChainedInvokeStarted | ExecutionTimedOut"


def test_two_children_end_while_the_parent_runs_then_both_after_its_end(stage):
    """Results that came during an invocation stand after it, and share the next one."""
    stage.act("g", *[suspend(callback("c"))] * 2)

    def parent(t):
        t.send(invoke("i", "g:$LATEST"), invoke("j", "g:$LATEST"))
        for child in stage.service.executions()[1:]:
            t.client.stop_durable_execution(DurableExecutionArn=child)
        return PENDING

    arn = stage.play(parent, finish())
    assert stage.trace(arn) == (
        "ChainedInvokeStarted ChainedInvokeStarted | ChainedInvokeStopped ChainedInvokeStopped | "
        "ExecutionSucceeded"
    )
    assert stage.turns[-1].updated == ["i", "j"]


def test_parent_deleted_then_its_child_goes_on(stage):
    """A child outlives its parent, and tells nobody."""
    stage.act("g", suspend(wait("w", 5)), finish())
    arn = started(stage, suspend(invoke("i", "g:$LATEST")))
    child = child_of(stage, arn)
    stage.client.stop_durable_execution(DurableExecutionArn=arn)
    stage.client.delete_durable_execution(DurableExecutionArn=arn)
    assert stage.service.run(child) == "SUCCEEDED"
    assert stage.service.executions() == [child]


# History


def test_events_of_all_kinds_then_their_members(stage):
    """Operations' events repeat Id, Name, SubType and ParentId; an execution's has its id and name."""
    named = {"Name": "n", "SubType": "S"}
    stage.act(
        "f",
        suspend(
            update("CONTEXT", "START", "x", **named),
            wait("w", 1, at="x", **named),
            callback("c", 1, at="x", **named),
            retry("s", 1, at="x", Error={}, **named),
            invoke("i", "nobody", at="x", **named),
        ),
        finish(update("STEP", "SUCCEED", "s"), update("CONTEXT", "FAIL", "x", Error={})),
    )
    arn = stage.service.start("f", "{}", "order-1")
    stage.service.run(arn)
    seen = {}
    for event in stage.service.history(arn):
        members = {key: event.get(key) for key in ("Id", "Name", "SubType", "ParentId")}
        seen.setdefault(event["EventType"], members)
        own = f"{event['EventType']}Details"
        assert [key for key in event if key.endswith("Details")] == [own]
    nothing = {"Id": None, "Name": None, "SubType": None, "ParentId": None}
    whole = {**nothing, "Id": arn.rpartition("/")[2], "Name": "order-1"}

    def inside(id_):
        return {"Id": id_, "ParentId": "x", **named}

    assert seen == {
        "ExecutionStarted": whole,
        "ContextStarted": {**nothing, "Id": "x", **named},
        "WaitStarted": inside("w"),
        "CallbackStarted": inside("c"),
        "StepFailed": inside("s"),
        "ChainedInvokeStarted": inside("i"),
        "ChainedInvokeFailed": inside("i"),
        "InvocationCompleted": nothing,
        "WaitSucceeded": inside("w"),
        "CallbackTimedOut": inside("c"),
        "StepSucceeded": inside("s"),
        "ContextFailed": {**nothing, "Id": "x", **named},
        "ExecutionSucceeded": whole,
    }


def test_history_without_data_then_every_payload_is_truncated(stage):
    """Without data no payload, reason or error is shown, and all else is."""
    arn = started(stage, suspend(callback("c"), retry("s", 9, Error={"ErrorType": "E"})), finish())
    stage.client.pause_durable_execution(DurableExecutionArn=arn, Reason="secret")
    stage.client.resume_durable_execution(DurableExecutionArn=arn, Reason="secret")
    answer(stage, arn, "c", "failure", Error={"ErrorMessage": "secret"})
    stage.client.stop_durable_execution(DurableExecutionArn=arn, Error={"ErrorMessage": "secret"})
    bare = stage.client.get_durable_execution_history(
        DurableExecutionArn=arn, IncludeExecutionData=False
    )["Events"]
    full = stage.service.history(arn)
    assert len(bare) == len(full)
    for shown, event in zip(bare, full, strict=True):
        own = f"{event['EventType']}Details"
        expected = {
            key: {"Truncated": True} if isinstance(value, dict) and "Truncated" in value else value
            for key, value in event[own].items()
        }
        assert {**event, own: expected} == shown
    assert "secret" not in str(bare)


def test_stopped_by_its_own_invocation_then_terminal_event_before_its_end(stage):
    """A stop is the history's at its moment; the invocation that runs on adds its end after it."""

    def turn(t):
        t.send(update("STEP", "START", "s"))
        t.client.stop_durable_execution(DurableExecutionArn=t.arn)
        return DONE

    arn = stage.play(turn)
    assert stage.trace(arn) == "StepStarted ExecutionStopped |"
    assert stage.status(arn) == "STOPPED"
