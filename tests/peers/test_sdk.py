import json

import pytest

EXECUTIONS = [
    (
        "retry",
        7,
        [7, 3],
        (
            "StepStarted StepFailed | StepStarted StepFailed | StepStarted StepSucceeded "
            "WaitStarted | WaitSucceeded | ExecutionSucceeded"
        ),
    ),
    ("echo", "ü", "ü", "WaitStarted | WaitSucceeded | ExecutionSucceeded"),
    (
        "compose",
        1,
        [{"asked": 1, "by": "plain"}, "nothing asked", 2],
        (
            "ContextStarted ChainedInvokeStarted | ChainedInvokeSucceeded ChainedInvokeStarted | "
            "ChainedInvokeSucceeded ChainedInvokeStarted | ChainedInvokeFailed ContextSucceeded "
            "StepStarted StepSucceeded | StepStarted StepSucceeded | ExecutionSucceeded"
        ),
    ),
]


@pytest.fixture(name="started", scope="module")
def _started(shop):
    """All executions at once: they wait together."""
    return {name: shop.start(name, event) for name, event, *_ in EXECUTIONS}


@pytest.mark.parametrize(("name", "result", "trace"), [(n, r, t) for n, _, r, t in EXECUTIONS])
def test_workflow_of_awss_sdk_then_its_result_and_history(shop, started, name, result, trace):
    """AWS's SDK in sandboxes on the real runtime finds on our service what it finds on AWS's."""
    found = shop.closed(started[name])
    assert result == json.loads(found["Result"])
    assert trace == shop.trace(started[name])


def test_fan_out_of_awss_sdk_then_every_branch_has_its_outcome(shop):
    """Items fail alone, and a branch that waits is come back to."""
    found = shop.closed(shop.start("fan_out", ["hat", "cat", "mat"]))
    assert json.loads(found["Result"]) == [
        ["hat shipped", "mat shipped"],
        1,
        ["painted", "wrapped"],
    ]
    trace = shop.trace(found["DurableExecutionArn"]).split()
    assert trace.count("ContextStarted") == trace.count("ContextSucceeded") + 1 == 7
    assert trace[-4:] == ["ContextSucceeded", "ContextSucceeded", "|", "ExecutionSucceeded"]


def test_more_state_than_an_event_carries_then_read_in_pages(shop):
    """Seven megabytes of results come to the second invocation in pages, and none is lost."""
    found = shop.closed(shop.start("bulk", "x"))
    assert json.loads(found["Result"]) == 30 * 240_000 + 50
    assert shop.trace(found["DurableExecutionArn"]).endswith(
        "StepSucceeded WaitStarted | WaitSucceeded | ExecutionSucceeded"
    )


def test_process_of_awss_sdk_dies_then_the_step_is_run_again(shop, tmp_path):
    """A sandbox that dies ends its invocation, and the next one goes on."""
    found = shop.closed(shop.start("crash", str(tmp_path / "crashed")))
    assert found["Result"] == '"done"'
    first, second = (
        event["InvocationCompletedDetails"]
        for event in shop.history(found["DurableExecutionArn"])
        if event["EventType"] == "InvocationCompleted"
    )
    assert first["Error"]["Payload"]["ErrorType"] == "Runtime.ExitError"
    assert "Error" not in second


def test_retried_step_of_awss_sdk_then_its_attempts_are_in_the_history(shop, started):
    """Every attempt is told with the delay after it, and the error of the user's own code."""
    arn = started["retry"]
    shop.closed(arn)
    details = [
        event[f"{event['EventType']}Details"]
        for event in shop.history(arn)
        if event["EventType"] in {"StepFailed", "StepSucceeded"}
    ]
    assert [d["RetryDetails"] for d in details] == [
        {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1},
        {"CurrentAttempt": 2, "NextAttemptDelaySeconds": 1},
        {"CurrentAttempt": 3},
    ]
    error = details[0]["Error"]["Payload"]
    assert (error["ErrorType"], error["ErrorMessage"]) == ("ConnectionError", "the shop is closed")
