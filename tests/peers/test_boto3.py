import base64
import json
from datetime import timedelta

import pytest

from local.serving import until


def test_invoked_and_waited_for_then_the_result_and_the_arn(shop):
    """A synchronous caller gets the result after all suspensions, and the execution's ARN."""
    answer = shop.client.invoke(FunctionName="echo", Qualifier="$LATEST", Payload=b'"hello"')
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert answer["Payload"].read() == b'"hello"'
    assert shop.describe(answer["DurableExecutionArn"])["Status"] == "SUCCEEDED"


def test_plain_function_then_its_answer_and_what_it_printed(shop):
    """A plain function is invoked as ever; the tail of its log comes along."""
    answer = shop.client.invoke(FunctionName="plain", Payload=b"3", LogType="Tail")
    assert json.load(answer["Payload"]) == {"asked": 3, "by": "plain"}
    assert base64.b64decode(answer["LogResult"]) == b"asked 3\n"
    failed = shop.client.invoke(FunctionName="plain", Payload=b"null")
    assert (failed["FunctionError"], json.load(failed["Payload"])["errorType"]) == (
        "Unhandled",
        "LookupError",
    )


def test_dry_run_then_204_and_nothing_started(shop):
    """DryRun starts nothing."""
    list_ = shop.client.list_durable_executions_by_function
    before = list_(FunctionName="retry")["DurableExecutions"]
    answer = shop.client.invoke(FunctionName="retry:$LATEST", InvocationType="DryRun", Payload=b"1")
    assert answer["StatusCode"] == 204
    assert list_(FunctionName="retry")["DurableExecutions"] == before


def test_name_again_then_the_same_execution_or_a_conflict(shop):
    """A name is used once; with another payload boto3 raises the model's exception."""
    first = shop.start("echo", 1, DurableExecutionName="only-once")
    assert shop.start("echo", 1, DurableExecutionName="only-once") == first
    with pytest.raises(shop.client.exceptions.DurableExecutionAlreadyStartedException):
        shop.start("echo", 2, DurableExecutionName="only-once")


def test_history_in_pages_both_ways_then_the_same_events(shop):
    """Pages of any size, from either end, hold every event once."""
    arn = shop.start("echo", "a")
    shop.closed(arn)
    forward = shop.history(arn)
    paged = shop.history(arn, PaginationConfig={"PageSize": 2})
    backward = shop.history(arn, ReverseOrder=True, PaginationConfig={"PageSize": 3})
    assert [event["EventId"] for event in forward] == [1, 2, 3, 4, 5, 6]
    assert forward == paged == backward[::-1]
    bare = shop.history(arn, IncludeExecutionData=False)
    assert bare[0]["ExecutionStartedDetails"]["Input"] == {"Truncated": True}
    assert forward[0]["ExecutionStartedDetails"]["Input"] == {"Payload": '"a"', "Truncated": False}


def test_executions_listed_with_filters_then_only_those(shop):
    """The list is the newest first, and every filter holds."""
    first = shop.start("approve", DurableExecutionName="list-1")
    shop.callback(first)
    second = shop.start("approve", DurableExecutionName="list-2")
    shop.callback(second)
    shop.client.stop_durable_execution(DurableExecutionArn=first)

    def listed(**filters):
        pages = shop.client.get_paginator("list_durable_executions_by_function").paginate(
            FunctionName="approve", PaginationConfig={"PageSize": 1}, **filters
        )
        found = [
            item["DurableExecutionArn"] for page in pages for item in page["DurableExecutions"]
        ]
        return [arn for arn in found if arn in {first, second}]

    started = shop.describe(first)["StartTimestamp"]
    assert listed() == [second, first]
    assert listed(ReverseOrder=True) == [first, second]
    assert listed(DurableExecutionName="list-1") == [first]
    assert listed(Statuses=["STOPPED"]) == [first]
    assert listed(Statuses=["RUNNING"], Qualifier="$LATEST") == [second]
    assert listed(StartedAfter=started) == [second]
    assert listed(StartedBefore=started + timedelta(milliseconds=1)) == [first]
    shop.client.stop_durable_execution(DurableExecutionArn=second)


def test_stopped_then_its_error_and_no_answer_taken(shop):
    """A stopped execution has the error that it was stopped with, and its callback is over."""
    arn = shop.start("approve")
    word = shop.callback(arn)
    error = {"ErrorType": "Changed", "ErrorMessage": "my mind"}
    stopped = shop.client.stop_durable_execution(DurableExecutionArn=arn, Error=error)
    found = shop.describe(arn)
    assert (found["Status"], found["Error"]) == ("STOPPED", error)
    assert found["EndTimestamp"] == stopped["StopTimestamp"]
    with pytest.raises(shop.client.exceptions.CallbackTimeoutException):
        shop.client.send_durable_execution_callback_success(CallbackId=word, Result=b"1")


def test_paused_then_held_until_it_is_resumed(shop):
    """An answer in a pause is kept; the workflow goes on when it is resumed."""
    arn = shop.start("approve")
    word = shop.callback(arn)
    paused = shop.client.pause_durable_execution(DurableExecutionArn=arn, Reason="lunch")
    assert paused["ResponseMetadata"]["HTTPStatusCode"] == 202
    shop.client.send_durable_execution_callback_success(CallbackId=word, Result=b"yes")
    found = shop.describe(arn)
    assert (found["Status"], found["PauseDetails"]["Reason"]) == ("PAUSED", "lunch")
    with pytest.raises(shop.client.exceptions.ResourceConflictException):
        shop.client.pause_durable_execution(DurableExecutionArn=arn)
    shop.client.resume_durable_execution(DurableExecutionArn=arn)
    assert shop.closed(arn)["Result"] == '"yes"'
    assert shop.trace(arn) == (
        "CallbackStarted StepStarted StepSucceeded | ExecutionPaused CallbackSucceeded "
        "ExecutionResumed | ExecutionSucceeded"
    )


def test_deleted_then_unknown_and_an_open_one_is_not(shop):
    """Only a closed execution can be deleted; then it is gone."""
    arn = shop.start("approve")
    with pytest.raises(shop.client.exceptions.ResourceConflictException):
        shop.client.delete_durable_execution(DurableExecutionArn=arn)
    shop.client.stop_durable_execution(DurableExecutionArn=arn)
    answer = shop.client.delete_durable_execution(DurableExecutionArn=arn)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["DeletionRequestTimestamp"]
    with pytest.raises(shop.client.exceptions.ResourceNotFoundException):
        shop.describe(arn)


def test_callback_beaten_for_and_failed_then_the_execution_fails(shop):
    """The three answers to a callback: a heartbeat, and one of two ends."""
    arn = shop.start("approve")
    word = shop.callback(arn)
    shop.client.send_durable_execution_callback_heartbeat(CallbackId=word)
    error = {"ErrorType": "Refused", "ErrorMessage": "too dear", "ErrorData": "99"}
    shop.client.send_durable_execution_callback_failure(CallbackId=word, Error=error)
    found = shop.closed(arn)
    assert (found["Status"], found["Error"]["ErrorMessage"]) == ("FAILED", "too dear")
    (failed,) = (e for e in shop.history(arn) if e["EventType"] == "CallbackFailed")
    assert failed["CallbackFailedDetails"]["Error"]["Payload"] == error


def test_what_functions_log_then_in_the_log_with_the_request_id(shop):
    """The log says which request wrote what."""
    arn = shop.start("approve")
    word = shop.callback(arn)
    line = until(lambda: [n for n in shop.log.read_text().splitlines() if word in n])[0]
    (event,) = (e for e in shop.history(arn) if e["EventType"] == "InvocationCompleted")
    assert event["InvocationCompletedDetails"]["RequestId"] in line
    shop.client.stop_durable_execution(DurableExecutionArn=arn)
