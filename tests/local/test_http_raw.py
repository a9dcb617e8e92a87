import http.client
import socket
from urllib.parse import quote, urlsplit

import pytest

from local.serving import PATIENCE
from local.staging import callback, finish, suspend

ROOT = "/2025-12-01/durable-executions"


@pytest.fixture(name="arn")
def _arn(site):
    return site.play(finish())


def fault(answer):
    status, headers, body = answer
    assert headers["x-amzn-RequestId"]
    return status, headers["x-amzn-ErrorType"], body.get("message") or body.get("Message")


@pytest.mark.parametrize("encode", [str, lambda arn: quote(arn, safe=""), quote])
@pytest.mark.parametrize("suffix", ["", "/history"])
def test_arn_raw_or_encoded_then_found(site, arn, encode, suffix):
    """An ARN in the path is found raw, as curl sends it, and encoded, as SDKs do."""
    status, _, body = site.raw("GET", f"{ROOT}/{encode(arn)}{suffix}")
    assert status == 200
    assert body.get("DurableExecutionArn", arn) == arn


def test_callback_id_raw_or_encoded_then_found(slow):
    """A CallbackId's own = may be sent raw."""
    arn = slow.play(suspend(callback("c")), until_closed=False)
    slow.await_trace(arn, "CallbackStarted |")
    (open_,) = slow.service.pending_callbacks(arn)
    for word in (open_.callback_id, quote(open_.callback_id, safe="")):
        path = f"/2025-12-01/durable-execution-callbacks/{word}/heartbeat"
        assert slow.raw("POST", path)[0] == 200


def test_answer_then_timestamps_are_seconds_and_bodies_json(site, arn):
    """Timestamps in bodies are epoch seconds with a fraction."""
    status, headers, body = site.raw("GET", f"{ROOT}/{arn}?IncludeExecutionData=false")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    stamp = body["StartTimestamp"]
    assert isinstance(stamp, float)
    known = site.client.get_durable_execution(DurableExecutionArn=arn)["StartTimestamp"]
    assert stamp == known.timestamp()
    assert body["ExecutionDataIncluded"] is False


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/favicon.ico"),
        ("PUT", f"{ROOT}/x"),
        ("POST", "/2015-03-31/functions/f/../g/invocations"),
        ("GET", "/2015-03-31/functions/f/configuration"),
        ("POST", "/2025-12-01/durable-execution-callbacks/abc"),
        ("OPTIONS", "*"),
    ],
)
def test_no_such_operation_then_404(site, method, path):
    """A path that no operation has is a 404 with a code."""
    status, code, _ = fault(site.raw(method, path))
    assert (status, code) == (404, "UnknownOperationException")


@pytest.mark.parametrize(
    "path",
    [
        f"{ROOT}/%2F..%2F..%2Fetc%2Fpasswd",
        f"{ROOT}/..%2f..",
        f"{ROOT}/%00",
        f"{ROOT}/%ff%fe",
        f"{ROOT}/%zz",
        f"{ROOT}//",
        f"{ROOT}/x/history?MaxItems=many",
        f"{ROOT}/x/history?ReverseOrder=maybe",
        "/2025-12-01/functions/f/durable-executions?StartedAfter=yesterday",
        "/2025-12-01/functions/f/durable-executions?MaxItems=-1",
        "/2025-12-01/functions/%2e%2e%2f/durable-executions",
    ],
)
def test_path_or_query_malformed_then_invalid(site, path):
    """Tricks in the path and malformed values are a 400."""
    status, code, _ = fault(site.raw("GET", path))
    assert (status, code) == (400, "InvalidParameterValueException")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "Could not parse request body into json"),
        (b"\xff", "Could not parse request body into json"),
        (b"NaN", "NaN is no JSON"),
        (b"[" * 50_000, "Could not parse request body into json"),
        (b"[]", "The body is expected to be a JSON object"),
        (b"{}", "Missing required parameter"),
        (b'{"CheckpointToken": 7}', "CheckpointToken is 7, expected a value of type string"),
        (
            b'{"CheckpointToken": "x", "Updates": {}}',
            "Updates is {}, expected a value of type list",
        ),
        (b'{"CheckpointToken": "x", "Updates": [1]}', "Updates[0] is 1, expected"),
        (
            b'{"CheckpointToken": "x", "Updates": [{"Id": "a", "Type": "STEP", "Action": "RETRY", "StepOptions": {"NextAttemptDelaySeconds": true}}]}',
            "NextAttemptDelaySeconds is True, expected a value of type integer",
        ),
        (
            b'{"CheckpointToken": "x", "Updates": [{"Id": "a", "Type": "NO", "Action": "START"}]}',
            "Updates[0].Type is 'NO'",
        ),
        (
            b'{"CheckpointToken": "x", "Unknown": 1, "ClientToken": null}',
            "Invalid checkpoint token",
        ),
    ],
)
def test_checkpoint_body_malformed_then_invalid(site, arn, body, expected):
    """A body that the model does not allow is a 400 that says where."""
    status, code, text = fault(site.raw("POST", f"{ROOT}/{arn}/checkpoint", body))
    assert (status, code) == (400, "InvalidParameterValueException")
    assert expected in text


@pytest.mark.parametrize("body", [None, b"", b"{}"])
def test_stop_without_error_then_accepted(site, body):
    """Stop's body may be empty."""
    arn = site.play(finish())
    status, _, answer = site.raw("POST", f"{ROOT}/{arn}/stop", body)
    assert (status, list(answer)) == (200, ["StopTimestamp"])


def test_content_type_that_is_no_json_then_refused(site, arn):
    """What says that it is text or XML is not read as JSON; curl's form type is."""
    site.act("f", finish(), execution_timeout=600)
    text, form = (
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    path = "/2015-03-31/functions/f:$LATEST/invocations"
    assert fault(site.raw("POST", path, b"{}", text))[:2] == (415, "UnsupportedMediaTypeException")
    status, code, _ = fault(site.raw("POST", f"{ROOT}/{arn}/checkpoint", b"{}", text))
    assert (status, code) == (400, "InvalidParameterValueException")
    status, headers, body = site.raw("POST", path, b"{}", form)
    assert (status, body) == (200, "done")
    assert headers["X-Amz-Durable-Execution-Arn"].startswith("arn:")


def test_invocation_type_unknown_then_invalid(site):
    """A header's value is judged by the model too."""
    headers = {"X-Amz-Invocation-Type": "Soon"}
    answer = site.raw("POST", "/2015-03-31/functions/f/invocations", b"{}", headers)
    assert fault(answer)[:2] == (400, "InvalidParameterValueException")


@pytest.mark.parametrize("size", [7_000_000, 70_000_000])
def test_body_beyond_all_limits_then_413(site, size):
    """A body that no operation takes is refused, not read into memory."""
    path = "/2015-03-31/functions/f/invocations"
    assert fault(site.raw("POST", path, b"x" * size))[:2] == (413, "RequestTooLargeException")


def test_chunked_body_then_read(site):
    """A body without a length may come in chunks."""
    site.act(
        "f",
        lambda t: {"Status": "SUCCEEDED", "Result": t.items[0]["ExecutionDetails"]["InputPayload"]},
        execution_timeout=600,
    )
    chunks = iter([b'{"a"', b": 1", b"}"])
    headers = {"Transfer-Encoding": "chunked"}
    answer = site.raw("POST", "/2015-03-31/functions/f:live/invocations", chunks, headers)
    assert (answer[0], answer[2]) == (200, {"a": 1})


def test_one_connection_then_many_requests(site, arn):
    """A connection is kept, whatever the answers were, a 204 and a fault with a body among them."""
    site.service.register("plain", lambda *_: 1, durable=False)
    where = urlsplit(site.endpoint)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=PATIENCE)
    dry = {"X-Amz-Invocation-Type": "DryRun"}
    found = []
    for method, path, body, headers in [
        ("GET", f"{ROOT}/{arn}", None, {}),
        ("POST", "/2015-03-31/functions/plain/invocations", b"{}", dry),
        ("POST", "/nowhere", b"some body", {}),
        ("POST", "/2015-03-31/functions/plain/invocations", b"{}", {}),
    ]:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        response.read()
        found.append(response.status)
        assert connection.sock is not None
    connection.close()
    assert found == [200, 204, 404, 200]


def test_body_cut_short_then_the_service_goes_on(site, arn):
    """A client that goes away in the middle of its body hinders nobody."""
    where = urlsplit(site.endpoint)
    with socket.create_connection((where.hostname, where.port), PATIENCE) as wire:
        wire.sendall(
            b"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"
        )
    assert site.raw("GET", f"{ROOT}/{arn}")[2]["Status"] == "SUCCEEDED"
