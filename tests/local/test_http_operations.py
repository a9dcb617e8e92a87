from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from local.serving import until
from local.staging import PENDING, callback, code, finish, suspend, update, wait

NOBODY = "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST/durable-execution/n/i"
INVALID = ("InvalidParameterValueException", 400)


def faults(*calls):
    """Collect the codes of what calls raise, and the texts."""
    found, texts = [], []
    for call in calls:
        with pytest.raises(ClientError) as error:
            call()
        found.append(code(error))
        texts.append(str(error.value))
    return found, texts


def test_checkpoint_then_operations_and_the_next_token(site):
    """A checkpoint gives what has changed, with aware timestamps, and the next token."""
    arn = site.play(finish(update("STEP", "START", "s", Name="s"), wait("w", 9)))
    (turn,) = site.turns
    step, waiting = turn.answers[0]["NewExecutionState"]["Operations"]
    assert (step["Status"], step["Name"], waiting["Type"]) == ("STARTED", "s", "WAIT")
    due = waiting["WaitDetails"]["ScheduledEndTimestamp"] - waiting["StartTimestamp"]
    assert due == timedelta(seconds=9)
    assert turn.token != turn.event["CheckpointToken"]
    assert site.trace(arn) == "StepStarted WaitStarted | ExecutionSucceeded"


def test_checkpoint_sent_again_by_the_client_then_the_same_answer(site):
    """The same ClientToken and token give the same answer, and nothing is applied twice."""

    def twice(t):
        first = t.token
        t.send(update("STEP", "SUCCEED", "s"), ClientToken="once")
        t.token = first
        t.send(update("STEP", "SUCCEED", "s"), ClientToken="once")
        return {"Status": "SUCCEEDED"}

    arn = site.play(twice)
    one, two = (answer["CheckpointToken"] for answer in site.turns[0].answers)
    assert one == two
    assert site.trace(arn) == "StepSucceeded | ExecutionSucceeded"


def test_checkpoint_refused_then_the_models_fault(site):
    """Spent, foreign and malformed tokens, and broken rules, are refused; the token stays good."""
    seen = []

    def refusals(t):
        spent = t.token
        t.send()
        foreign = {"DurableExecutionArn": NOBODY, "CheckpointToken": t.token}
        own = {"DurableExecutionArn": t.arn}
        send, state = t.client.checkpoint_durable_execution, t.client.get_durable_execution_state
        seen.extend(
            faults(
                lambda: send(**own, CheckpointToken=spent),
                lambda: send(**own, CheckpointToken="???"),
                lambda: send(**foreign),
                lambda: state(**own, CheckpointToken=spent),
                lambda: state(**foreign),
                lambda: t.send(update("STEP", "CANCEL", "s")),
                lambda: t.send(update("WAIT", "START", "w")),
                lambda: t.send(update("STEP", "SUCCEED", "s", Payload="x" * 1_048_577)),
            )
        )
        t.send(update("STEP", "SUCCEED", "s"))
        return {"Status": "SUCCEEDED"}

    site.play(refusals)
    codes, texts = seen
    assert set(codes) == {INVALID}
    assert [": Invalid checkpoint token" in text for text in texts] == [True] * 5 + [False] * 3


def test_state_in_pages_then_each_operation_once(site):
    """The state comes in pages, in the order of creation; a marker ends with its token."""
    pages = []

    def look(t):
        t.send(*[update("STEP", "SUCCEED", f"s{n}") for n in range(4)])
        request = {"DurableExecutionArn": t.arn, "CheckpointToken": t.token, "MaxItems": 2}
        marker = {}
        while True:
            page = t.client.get_durable_execution_state(**request, **marker)
            pages.append([operation["Id"] for operation in page["Operations"]])
            if "NextMarker" not in page:
                break
            marker = {"Marker": page["NextMarker"]}
        t.send()
        codes, _ = faults(
            lambda: t.client.get_durable_execution_state(
                **{**request, "CheckpointToken": t.token}, **marker
            )
        )
        pages.append(codes)
        return {"Status": "SUCCEEDED"}

    arn = site.play(look)
    root = arn.rpartition("/")[2]
    assert pages == [[root, "s0"], ["s1", "s2"], ["s3"], [INVALID]]


def test_get_execution_then_described_as_long_as_it_lives(slow):
    """An open execution tells its timeout, a closed one its end; data are shown unless refused."""
    arn = slow.play(suspend(callback("c")), finish(), until_closed=False, payload=b'{"a":1}')
    slow.await_trace(arn, "CallbackStarted |")
    found = slow.client.get_durable_execution(DurableExecutionArn=arn)
    assert found["ExpectedExecutionTimeoutTimestamp"] - found["StartTimestamp"] == timedelta(
        seconds=600
    )
    assert (found["Status"], found["Version"]) == ("RUNNING", "$LATEST")
    assert (found["InputPayload"], found["ExecutionDataIncluded"]) == ('{"a":1}', True)
    (open_,) = slow.service.pending_callbacks(arn)
    slow.client.send_durable_execution_callback_success(CallbackId=open_.callback_id)
    until(lambda: slow.status(arn) == "SUCCEEDED")
    found = slow.client.get_durable_execution(DurableExecutionArn=arn, IncludeExecutionData=False)
    assert "EndTimestamp" in found
    assert {"InputPayload", "Result", "ExpectedExecutionTimeoutTimestamp"}.isdisjoint(found)
    assert found["ExecutionDataIncluded"] is False


@pytest.mark.parametrize("newest", [False, True])
def test_history_then_in_pages_and_without_data(site, newest):
    """The history comes in pages in either direction; without data the wrappers say so."""
    arn = site.play(suspend(wait("w", 1)), finish())
    request = {"DurableExecutionArn": arn, "ReverseOrder": newest, "MaxItems": 2}
    paginator = site.client.get_paginator("get_durable_execution_history")
    events = [e for page in paginator.paginate(**request) for e in page["Events"]]
    ids = [event["EventId"] for event in events]
    assert ids == sorted(range(1, 7), reverse=newest)
    bare = site.client.get_durable_execution_history(
        DurableExecutionArn=arn, IncludeExecutionData=False
    )["Events"]
    assert bare[0]["ExecutionStartedDetails"]["Input"] == {"Truncated": True}
    assert bare[-1]["ExecutionSucceededDetails"]["Result"] == {"Truncated": True}


def test_list_then_filtered_and_in_pages(site):
    """A function's executions are listed newest first, by name, status, version and start."""
    site.act(
        "f", *[finish()] * 3, lambda t: {"Status": "FAILED", "Error": {}}, execution_timeout=600
    )
    arns = [
        site.client.invoke(FunctionName="f:$LATEST", DurableExecutionName=f"n{n}", Payload=b"{}")[
            "DurableExecutionArn"
        ]
        for n in range(4)
    ]

    def listed(**request):
        pages = site.client.get_paginator("list_durable_executions_by_function").paginate(
            FunctionName="f", MaxItems=3, **request
        )
        return [i["DurableExecutionArn"] for page in pages for i in page["DurableExecutions"]]

    start = site.client.get_durable_execution(DurableExecutionArn=arns[1])["StartTimestamp"]
    assert listed() == arns[::-1]
    assert listed(ReverseOrder=True) == arns
    assert listed(Statuses=["FAILED"]) == arns[3:]
    assert sorted(listed(Statuses=["FAILED", "SUCCEEDED"])) == sorted(arns)
    assert listed(DurableExecutionName="n2") == [arns[2]]
    assert listed(Qualifier="7") == []
    assert set(listed(StartedAfter=start)) == set(arns[2:]) - {
        arn
        for arn in arns[2:]
        if site.client.get_durable_execution(DurableExecutionArn=arn)["StartTimestamp"] == start
    }
    assert listed(StartedBefore=datetime(2000, 1, 1, tzinfo=UTC)) == []


def test_list_refused_then_the_models_fault(site):
    """Unknown functions, bad markers and bad sizes are refused."""
    site.act("f", finish())
    list_ = site.client.list_durable_executions_by_function
    codes, _ = faults(
        lambda: list_(FunctionName="nobody"),
        lambda: list_(FunctionName="f", Marker="AAAA"),
        lambda: list_(FunctionName="f", MaxItems=1001),
        lambda: list_(FunctionName="f", Statuses=["GONE"]),
        lambda: list_(FunctionName="f", Qualifier="?"),
    )
    assert codes == [("ResourceNotFoundException", 404), *[INVALID] * 4]


def test_stop_then_stopped_once_with_its_error(slow):
    """Stop closes with the error that it is given; the second one changes nothing."""
    arn = slow.play(suspend(callback("c")), until_closed=False)
    slow.await_trace(arn, "CallbackStarted |")
    error = {"ErrorType": "E", "ErrorMessage": "m", "ErrorData": "d", "StackTrace": ["s"]}
    first = slow.client.stop_durable_execution(DurableExecutionArn=arn, Error=error)
    second = slow.client.stop_durable_execution(DurableExecutionArn=arn)
    assert first["StopTimestamp"] == second["StopTimestamp"]
    found = slow.client.get_durable_execution(DurableExecutionArn=arn)
    assert (found["Status"], found["Error"]) == ("STOPPED", error)


def test_pause_and_resume_then_held_between(slow):
    """A paused execution stands still with its reason; resumed, it takes what came meanwhile."""
    arn = slow.play(suspend(callback("c")), finish(), until_closed=False)
    slow.await_trace(arn, "CallbackStarted |")
    own = {"DurableExecutionArn": arn}
    answer = slow.client.pause_durable_execution(**own, Reason="why")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    found = slow.client.get_durable_execution(**own)
    assert (found["Status"], found["PauseDetails"]["Reason"]) == ("PAUSED", "why")
    assert found["PauseDetails"]["ExecutionTimeoutPaused"] is True
    bare = slow.client.get_durable_execution(**own, IncludeExecutionData=False)
    assert "Reason" not in bare["PauseDetails"]
    (open_,) = slow.service.pending_callbacks(arn)
    slow.client.send_durable_execution_callback_success(CallbackId=open_.callback_id)
    codes, _ = faults(lambda: slow.client.pause_durable_execution(**own))
    assert codes == [("ResourceConflictException", 409)]
    assert len(slow.turns) == 1
    slow.client.resume_durable_execution(**own)
    until(lambda: slow.status(arn) == "SUCCEEDED")
    assert slow.trace(arn) == (
        "CallbackStarted | ExecutionPaused CallbackSucceeded ExecutionResumed | ExecutionSucceeded"
    )
    codes, _ = faults(lambda: slow.client.resume_durable_execution(**own))
    assert codes == [("ResourceConflictException", 409)]


def test_delete_then_gone_but_only_when_closed(slow):
    """An open execution cannot be deleted; a deleted one is not found."""
    arn = slow.play(suspend(callback("c")), until_closed=False)
    slow.await_trace(arn, "CallbackStarted |")
    own = {"DurableExecutionArn": arn}
    codes, _ = faults(lambda: slow.client.delete_durable_execution(**own))
    assert codes == [("ResourceConflictException", 409)]
    slow.client.stop_durable_execution(**own)
    answer = slow.client.delete_durable_execution(**own)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["DeletionRequestTimestamp"].tzinfo is not None
    codes, _ = faults(lambda: slow.client.get_durable_execution(**own))
    assert codes == [("ResourceNotFoundException", 404)]


@pytest.mark.parametrize("verb", ["get", "stop", "pause", "resume", "delete", "history"])
def test_unknown_execution_then_not_found(site, verb):
    """Every operation on an unknown execution is a 404, and on a malformed ARN a 400."""
    operation = {"history": "get_durable_execution_history"}.get(verb, f"{verb}_durable_execution")
    call = getattr(site.client, operation)
    codes, _ = faults(
        lambda: call(DurableExecutionArn=NOBODY), lambda: call(DurableExecutionArn="../x/%2F?a#b")
    )
    assert codes == [("ResourceNotFoundException", 404), INVALID]


@pytest.mark.parametrize(
    ("body", "result"), [(b" [1,  2] ", " [1,  2] "), ("é".encode(), "é"), (b"", None)]
)
def test_callback_succeeds_then_its_bytes_are_the_result(slow, body, result):
    """The bytes of an answer are kept as they are sent."""
    arn = slow.play(suspend(callback("c")), finish(), until_closed=False)
    slow.await_trace(arn, "CallbackStarted |")
    (open_,) = slow.service.pending_callbacks(arn)
    slow.client.send_durable_execution_callback_success(CallbackId=open_.callback_id, Result=body)
    until(lambda: slow.status(arn) == "SUCCEEDED")
    assert slow.turns[1].state["c"]["CallbackDetails"].get("Result") == result


def test_callback_fails_then_its_error(slow):
    """A failure's body is the error itself."""
    arn = slow.play(suspend(callback("c")), finish(), until_closed=False)
    slow.await_trace(arn, "CallbackStarted |")
    (open_,) = slow.service.pending_callbacks(arn)
    error = {"ErrorType": "E", "ErrorData": "d"}
    slow.client.send_durable_execution_callback_heartbeat(CallbackId=open_.callback_id)
    slow.client.send_durable_execution_callback_failure(CallbackId=open_.callback_id, Error=error)
    until(lambda: slow.status(arn) == "SUCCEEDED")
    assert slow.turns[1].state["c"]["CallbackDetails"]["Error"] == error


@pytest.mark.parametrize("verb", ["success", "failure", "heartbeat"])
def test_callback_closed_or_unknown_then_timeout_or_invalid(site, verb):
    """Closed and unknown callbacks have timed out; what is no id is invalid."""
    arn = site.play(suspend(callback("c", 5)), finish())
    (started,) = site.details(arn, "CallbackStarted")
    call = getattr(site.client, f"send_durable_execution_callback_{verb}")
    codes, _ = faults(
        lambda: call(CallbackId=started["CallbackId"]),
        lambda: call(CallbackId="bm9ib2R5IGNhbGw="),
        lambda: call(CallbackId="AAA"),
        lambda: call(CallbackId="a/b+c%"),
    )
    assert codes == [("CallbackTimeoutException", 400)] * 2 + [INVALID] * 2
    assert site.trace(arn) == "CallbackStarted | CallbackTimedOut | ExecutionSucceeded"


def test_callback_answer_too_large_or_no_text_then_refused(slow):
    """An answer has at most 1 MiB of UTF-8."""
    arn = slow.play(suspend(callback("c")), until_closed=False)
    slow.await_trace(arn, "CallbackStarted |")
    (open_,) = slow.service.pending_callbacks(arn)
    call = slow.client.send_durable_execution_callback_success
    codes, _ = faults(
        lambda: call(CallbackId=open_.callback_id, Result=b"x" * 1_048_577),
        lambda: call(CallbackId=open_.callback_id, Result=b"x" * 9_000_000),
        lambda: call(CallbackId=open_.callback_id, Result=b"\xff"),
    )
    assert codes == [INVALID] * 3
    assert slow.status(arn) == "RUNNING"


def test_function_raises_again_and_again_then_retried_and_failed(site):
    """A failing invocation is tried five times, and its error closes the execution."""

    def broken(t):
        raise ValueError("no")

    arn = site.play(*[broken] * 5)
    assert site.trace(arn) == "| | | | | ExecutionFailed"
    assert site.details(arn, "ExecutionFailed")[0]["Error"]["Payload"]["ErrorType"] == "ValueError"


def test_function_leaves_its_process_then_it_counts_as_a_death(site):
    """An exit inside of a function ends its invocation, not the service."""

    def leave(t):
        raise SystemExit(3)

    arn = site.play(leave, finish())
    assert site.trace(arn) == "| | ExecutionSucceeded"
    (first, _) = site.details(arn, "InvocationCompleted")
    assert first["Error"]["Payload"]["ErrorType"] == "Runtime.ExitError"


def test_suspended_with_nothing_pending_then_failed_after_three(site):
    """PENDING with nothing pending is an error of the function's."""
    arn = site.play(*[lambda t: PENDING] * 3)
    assert site.trace(arn) == "| | | ExecutionFailed"
