import json


def test_order_approved_from_the_command_line(shop, tmp_path):
    """An execution is started, watched, answered, listed and read with the `aws` command."""
    out = tmp_path / "out.json"
    started = shop.aws(
        "invoke", "--function-name", "approve:$LATEST", "--invocation-type", "Event",
        "--durable-execution-name", "by-hand", "--payload", "{}", str(out),
    )  # fmt: skip
    arn = started["DurableExecutionArn"]
    assert (started["StatusCode"], out.read_bytes()) == (202, b"")
    word = shop.callback(arn)
    this = ("--durable-execution-arn", arn)
    assert shop.aws("get-durable-execution", *this)["Status"] == "RUNNING"
    assert shop.aws("send-durable-execution-callback-heartbeat", "--callback-id", word) is None
    shop.aws("send-durable-execution-callback-success", "--callback-id", word, "--result", "fine")
    assert shop.closed(arn)["Result"] == '"fine"'
    events = shop.aws("get-durable-execution-history", *this, "--page-size", "2")["Events"]
    backward = shop.aws("get-durable-execution-history", *this, "--reverse-order")["Events"]
    assert [event["EventId"] for event in events] == list(range(1, 9))
    assert events == backward[::-1]
    (item,) = shop.aws(
        "list-durable-executions-by-function", "--function-name", "approve",
        "--durable-execution-name", "by-hand", "--statuses", "SUCCEEDED",
    )["DurableExecutions"]  # fmt: skip
    assert item["DurableExecutionArn"] == arn


def test_waited_for_from_the_command_line_then_its_result_in_the_file(shop, tmp_path):
    """A synchronous `aws lambda invoke` writes the result."""
    out = tmp_path / "out.json"
    answer = shop.aws("invoke", "--function-name", "echo:$LATEST", str(out))
    assert (answer["StatusCode"], json.loads(out.read_text())) == (200, {})


def test_stopped_or_failed_from_the_command_line(shop):
    """Errors are given as JSON, and come back."""
    error = json.dumps({"ErrorType": "Changed", "ErrorMessage": "my mind"})
    stopped, failed = shop.start("approve"), shop.start("approve")
    shop.aws("stop-durable-execution", "--durable-execution-arn", stopped, "--error", error)
    assert shop.describe(stopped)["Error"] == json.loads(error)
    shop.aws(
        "send-durable-execution-callback-failure",
        "--callback-id", shop.callback(failed), "--error", error,
    )  # fmt: skip
    assert shop.closed(failed)["Error"]["ErrorMessage"] == "my mind"


def test_functions_from_the_command_line(shop):
    """Functions are listed and described."""
    listed = shop.aws("list-functions")["Functions"]
    assert {"retry", "plain"} <= {function["FunctionName"] for function in listed}
    described = shop.aws("get-function", "--function-name", "retry")["Configuration"]
    assert described["DurableConfig"] == {"ExecutionTimeout": 600, "RetentionPeriodInDays": 7}


def test_unknown_execution_from_the_command_line_then_said_so(shop):
    """The command line shows the model's code."""
    arn = "arn:aws:lambda:us-east-1:123456789012:function:echo:$LATEST/durable-execution/none/none"
    said = shop.aws("get-durable-execution", "--durable-execution-arn", arn, status=255)
    assert "(ResourceNotFoundException) when calling the GetDurableExecution operation" in said
