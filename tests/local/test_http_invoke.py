import base64
import json

import pytest
from botocore.exceptions import ClientError

from local.serving import until
from local.staging import PENDING, callback, code, finish, suspend, wait


def plain(event, context):
    if event.get("bad"):
        raise ValueError("no such thing")
    return {"event": event, "tenant": context.tenant_id}


@pytest.fixture(name="shop")
def _shop(site):
    site.service.register("plain", plain, durable=False)
    return site


def test_plain_function_then_its_answer_and_version(shop):
    """A plain function answers with its JSON; there is no execution."""
    answer = shop.client.invoke(FunctionName="plain", Payload=b'{"a": 1}', TenantId="blue")
    assert json.load(answer["Payload"]) == {"event": {"a": 1}, "tenant": "blue"}
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "DurableExecutionArn" not in answer
    assert "FunctionError" not in answer


def test_plain_function_without_payload_then_empty_object(shop):
    """No payload is an empty object."""
    answer = shop.client.invoke(FunctionName="plain")
    assert json.load(answer["Payload"])["event"] == {}


def test_plain_function_raises_then_unhandled_and_lambdas_body(shop):
    """A raised error is a FunctionError, status 200."""
    answer = shop.client.invoke(FunctionName="plain", Payload=b'{"bad": 1}', LogType="Tail")
    body = json.load(answer["Payload"])
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert (body["errorType"], body["errorMessage"]) == ("ValueError", "no such thing")
    assert base64.b64decode(answer["LogResult"]) == b""


def test_plain_function_by_event_then_run_unheard(shop):
    """An asynchronous call is answered at once, and run."""
    heard = []
    shop.service.register("plain", lambda event, _: heard.append(event), durable=False)
    answer = shop.client.invoke(FunctionName="plain", InvocationType="Event", Payload=b"[1]")
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    until(lambda: heard == [[1]])


def test_client_context_then_handed_on(shop):
    """What the client tells about itself reaches the function; what is no JSON is refused."""
    shop.service.register("plain", lambda _, context: context.client_context, durable=False)
    word = base64.b64encode(b'{"custom": {"a": 1}}').decode()
    answer = shop.client.invoke(FunctionName="plain", ClientContext=word)
    assert json.load(answer["Payload"]) == {"custom": {"a": 1}}
    with pytest.raises(ClientError) as error:
        shop.client.invoke(FunctionName="plain", ClientContext="?")
    assert code(error) == ("InvalidRequestContentException", 400)


def test_dry_run_then_nothing_happens(shop):
    """DryRun judges and does nothing."""
    shop.act("f", finish())
    for request in ({"FunctionName": "plain"}, {"FunctionName": "f", "Qualifier": "$LATEST"}):
        answer = shop.client.invoke(**request, InvocationType="DryRun", Payload=b"{}")
        assert (answer["StatusCode"], answer["Payload"].read()) == (204, b"")
    assert shop.service.executions() == []


def test_execution_waited_for_then_result_through_all_suspensions(site):
    """A synchronous caller gets the result after every suspension."""
    site.act("f", suspend(wait("w", 300)), finish(result='{"a": "ü"}'), execution_timeout=600)
    answer = site.client.invoke(FunctionName="f:$LATEST", Payload=b"{}")
    assert answer["Payload"].read() == '{"a": "ü"}'.encode()
    assert answer["ExecutedVersion"] == "$LATEST"
    assert (
        site.trace(answer["DurableExecutionArn"])
        == "WaitStarted | WaitSucceeded | ExecutionSucceeded"
    )


def test_execution_without_result_then_empty_body(site):
    """No result is an empty body."""
    site.act("f", lambda t: {"Status": "SUCCEEDED"}, execution_timeout=600)
    answer = site.client.invoke(FunctionName="f", Qualifier="$LATEST", Payload=b"{}")
    assert answer["Payload"].read() == b""


def test_execution_failed_then_unhandled_and_lambdas_body(site):
    """A failed execution answers like a failed function."""
    error = {"ErrorType": "E", "ErrorMessage": "m", "StackTrace": ["x"]}
    site.act("f", lambda t: {"Status": "FAILED", "Error": error}, execution_timeout=600)
    answer = site.client.invoke(FunctionName="f", Qualifier="$LATEST", Payload=b"{}")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert json.load(answer["Payload"]) == {
        "errorType": "E",
        "errorMessage": "m",
        "stackTrace": ["x"],
    }


def test_execution_by_event_then_its_arn_in_the_header(site):
    """Event answers 202 with the ARN, in the member and in the header."""
    site.act("f", finish(), execution_timeout=10_000)
    answer = site.client.invoke(
        FunctionName="f", Qualifier="$LATEST", InvocationType="Event", Payload=b"{}"
    )
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    (arn,) = site.service.executions()
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert arn == answer["DurableExecutionArn"] == headers["x-amz-durable-execution-arn"]
    assert headers["x-amz-executed-version"] == "$LATEST"


def test_name_and_payload_again_then_the_same_execution(site):
    """A second caller of the same name gets the first one's execution and outcome."""
    request = {"FunctionName": "f:$LATEST", "DurableExecutionName": "n", "Payload": b"{}"}
    site.act("f", finish(), execution_timeout=600)
    first, second = (site.client.invoke(**request) for _ in range(2))
    assert first["DurableExecutionArn"] == second["DurableExecutionArn"]
    assert first["Payload"].read() == second["Payload"].read() == b'"done"'
    with pytest.raises(ClientError) as error:
        site.client.invoke(**{**request, "Payload": b"{ }"})
    assert code(error) == ("DurableExecutionAlreadyStartedException", 409)


def test_name_of_a_deleted_execution_then_a_new_one(site):
    """A deleted execution's name is free."""
    request = {"FunctionName": "f:$LATEST", "DurableExecutionName": "n", "Payload": b"{}"}
    site.act("f", finish(), finish(), execution_timeout=600)
    first = site.client.invoke(**request)["DurableExecutionArn"]
    site.client.delete_durable_execution(DurableExecutionArn=first)
    assert site.client.invoke(**request)["DurableExecutionArn"] != first


def test_trace_header_then_the_executions(site):
    """X-Ray's header of the caller is the execution's."""
    site.act("f", finish(), execution_timeout=600)
    headers = {"X-Amzn-Trace-Id": "Root=1-2-3", "X-Amz-Invocation-Type": "Event"}
    path = "/2015-03-31/functions/f:$LATEST/invocations"
    arn = site.raw("POST", path, b"{}", headers)[1]["X-Amz-Durable-Execution-Arn"]
    found = site.client.get_durable_execution(DurableExecutionArn=arn)
    assert found["TraceHeader"] == {"XAmznTraceId": "Root=1-2-3"}


@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"FunctionName": "f"}, ("InvalidParameterValueException", 400)),
        ({"FunctionName": "g"}, ("ResourceNotFoundException", 404)),
        ({"FunctionName": "f:7"}, ("ResourceNotFoundException", 404)),
        ({"FunctionName": "f:live", "Qualifier": "other"}, ("InvalidParameterValueException", 400)),
        (
            {"FunctionName": "arn:aws:lambda:us-east-1:999999999999:function:f:1"},
            ("ResourceNotFoundException", 404),
        ),
        (
            {"FunctionName": "plain", "DurableExecutionName": "n"},
            ("InvalidParameterValueException", 400),
        ),
        (
            {"FunctionName": "f:$LATEST", "DurableExecutionName": "no blanks"},
            ("InvalidParameterValueException", 400),
        ),
        ({"FunctionName": "f:$LATEST", "TenantId": "?"}, ("InvalidParameterValueException", 400)),
    ],
)
def test_invoke_that_cannot_be_then_the_models_fault(shop, kind, request_, expected):
    """What cannot be invoked is refused, whatever the invocation type."""
    shop.act("f", finish(), execution_timeout=600)
    with pytest.raises(ClientError) as error:
        shop.client.invoke(**request_, InvocationType=kind)
    assert code(error) == expected
    assert shop.service.executions() == []


@pytest.mark.parametrize(
    "name",
    [
        "f:$LATEST",
        "f:live",
        "123456789012:function:f:$LATEST",
        "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST",
    ],
)
def test_every_form_of_a_name_then_found(site, name):
    """Bare, partial and full names mean the same function."""
    site.act("f", finish(), execution_timeout=600)
    assert site.client.invoke(FunctionName=name)["Payload"].read() == b'"done"'


def test_execution_too_long_to_wait_for_then_refused(site):
    """A caller is not kept waiting for more than 900 seconds."""
    site.act("f", finish(), execution_timeout=901)
    with pytest.raises(ClientError, match="901 seconds cannot be waited for") as error:
        site.client.invoke(FunctionName="f:$LATEST")
    assert code(error) == ("InvalidParameterValueException", 400)


@pytest.mark.parametrize("payload", [b"{", b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("name", ["f:$LATEST", "plain"])
def test_payload_is_no_json_then_refused(shop, name, payload):
    """A payload that is no JSON starts nothing."""
    shop.act("f", finish(), execution_timeout=600)
    with pytest.raises(ClientError) as error:
        shop.client.invoke(FunctionName=name, Payload=payload)
    assert code(error) == ("InvalidRequestContentException", 400)


@pytest.mark.parametrize("name", ["f:$LATEST", "plain"])
@pytest.mark.parametrize(
    ("kind", "bytes_"), [("Event", 1_048_577), ("RequestResponse", 6_291_457), ("Event", 9_000_000)]
)
def test_payload_too_large_then_refused(shop, name, kind, bytes_):
    """An asynchronous payload has at most 1 MiB, a synchronous one 6."""
    shop.act("f", finish(), execution_timeout=600)
    payload = b'"' + b"x" * (bytes_ - 2) + b'"'
    with pytest.raises(ClientError) as error:
        shop.client.invoke(FunctionName=name, InvocationType=kind, Payload=payload)
    assert code(error) == ("RequestTooLargeException", 413)


def test_get_function_then_its_configuration(shop):
    """GetFunction tells what Lambda knows of a function."""
    shop.act("f", finish(), execution_timeout=600)
    configuration = shop.client.get_function(FunctionName="f")["Configuration"]
    assert configuration["DurableConfig"] == {"ExecutionTimeout": 600, "RetentionPeriodInDays": 14}
    assert configuration["FunctionArn"] == "arn:aws:lambda:us-east-1:123456789012:function:f"
    qualified = shop.client.get_function(FunctionName="f", Qualifier="$LATEST")["Configuration"]
    assert qualified["FunctionArn"] == f"{configuration['FunctionArn']}:$LATEST"
    assert "DurableConfig" not in shop.client.get_function(FunctionName="plain")["Configuration"]
    with pytest.raises(ClientError) as error:
        shop.client.get_function(FunctionName="nobody")
    assert code(error) == ("ResourceNotFoundException", 404)


def test_list_functions_then_each_once_over_pages(site):
    """Functions are listed in pages; with ALL, every version."""
    for n in range(5):
        site.service.register(f"f{n}", plain, durable=False)
    site.service.register("f4", plain, durable=False, version="1")
    pages = site.client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    assert [f["FunctionName"] for page in pages for f in page["Functions"]] == [
        f"f{n}" for n in range(5)
    ]
    every = site.client.list_functions(FunctionVersion="ALL")["Functions"]
    assert [(f["FunctionName"], f["Version"]) for f in every][-2:] == [
        ("f4", "$LATEST"),
        ("f4", "1"),
    ]
    with pytest.raises(ClientError) as error:
        site.client.list_functions(Marker="x")
    assert code(error) == ("InvalidParameterValueException", 400)


def test_many_executions_at_once_then_each_its_own(slow):
    """Invocations of different executions run side by side: each waits for all the others."""
    arrived = []

    def meet(t):
        arrived.append(t.arn)
        until(lambda: len(arrived) >= 10)
        return {"Status": "SUCCEEDED", "Result": "1"}

    slow.act("f", *[meet] * 10, execution_timeout=600)
    arns = [
        slow.client.invoke(FunctionName="f:$LATEST", InvocationType="Event")["DurableExecutionArn"]
        for _ in range(10)
    ]
    until(lambda: {slow.status(arn) for arn in arns} == {"SUCCEEDED"})
    assert sorted(arrived) == sorted(arns)


def test_quick_plain_target_then_its_result_after_the_callers_invocation(slow):
    """A chained invoke's result stands after the invocation that asked for it, however quick it is."""
    called = []
    slow.service.register("plain", lambda event, _: called.append(event), durable=False)

    def ask(t):
        t.send(
            {
                "Id": "i",
                "Type": "CHAINED_INVOKE",
                "Action": "START",
                "ChainedInvokeOptions": {"FunctionName": "plain"},
            }
        )
        until(lambda: called)
        return PENDING

    arn = slow.play(ask, finish())
    assert slow.trace(arn) == "ChainedInvokeStarted | ChainedInvokeSucceeded | ExecutionSucceeded"


def test_callback_answered_while_its_invocation_runs_then_one_more_invocation(slow):
    """An answer that no checkpoint has shown wakes the execution once its invocation has ended."""

    def ask(t):
        t.send(callback("c"))
        (operation,) = t.answers[0]["NewExecutionState"]["Operations"]
        word = operation["CallbackDetails"]["CallbackId"]
        t.client.send_durable_execution_callback_success(CallbackId=word, Result=b'"yes"')
        return PENDING

    arn = slow.play(ask, finish())
    assert slow.trace(arn) == "CallbackStarted CallbackSucceeded | | ExecutionSucceeded"
    assert slow.turns[1].updated == ["c"]
