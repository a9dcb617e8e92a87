"""Functions that run elsewhere, called over connections that are kept."""

import contextlib
import json
import socket
import threading

import pytest

from durable_gen.local import _remote
from durable_gen.local._functions import Function
from durable_gen.local._host import Call, Unreachable
from durable_gen.local._remote import Remote
from local.serving import PATIENCE

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull"


class Endpoint:
    """An endpoint that answers each connection with bytes, one after the other, then closes it.

    Attributes:
        asked: the requests that have come, those of each connection in a list.
    """

    def __init__(self, *connections):
        self.asked = []
        self.closed = threading.Semaphore(0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, args=(connections,), daemon=True)
        self._thread.start()

    def _run(self, connections):
        for answers in connections:
            wire, _ = self._listener.accept()
            wire.settimeout(PATIENCE)
            self.asked.append([])
            with wire, wire.makefile("rb") as file:
                for answer in answers:
                    lines = list(iter(file.readline, b"\r\n"))
                    length = next(int(x[15:]) for x in lines if x.startswith(b"Content-Length:"))
                    self.asked[-1].append((lines, file.read(length)))
                    wire.sendall(answer)
            self.closed.release()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._thread.join(PATIENCE)
        self._listener.close()


@pytest.fixture(autouse=True)
def _nobody(monkeypatch, tmp_path):
    """This machine has no credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def call(version="$LATEST", **more):
    return Call(Function("f", version, None, durable=True, timeout=60), '{"a":1}', "r", **more)


@contextlib.contextmanager
def remote(endpoint, path=""):
    host = Remote(f"http://127.0.0.1:{endpoint.port}{path}")
    yield host
    host.close()


def test_called_again_then_over_the_same_connection():
    """A connection is kept for the next call."""
    with Endpoint([FINE, FINE]) as endpoint, remote(endpoint) as host:
        assert ["null", "null"] == [host.invoke(call()).text for _ in range(2)]
    ((first, second),) = endpoint.asked
    assert b'{"a":1}' == first[1] == second[1]


def test_connection_ended_while_nothing_ran_then_another_is_made():
    """An endpoint may close what is idle: no call is lost by that."""
    with Endpoint([FINE], [FINE]) as endpoint, remote(endpoint) as host:
        assert host.invoke(call()).text == "null"
        assert endpoint.closed.acquire(timeout=PATIENCE)
        assert host.invoke(call()).text == "null"
    assert [1, 1] == list(map(len, endpoint.asked))


def test_version_tenant_and_a_path_before_then_asked_as_the_model_says():
    """The request is Invoke's, below the endpoint's own path."""
    with Endpoint([FINE]) as endpoint, remote(endpoint, "/local/") as host:
        host.invoke(call("7", tenant="t"))
    (((lines, _),),) = endpoint.asked
    assert lines[0] == b"POST /local/2015-03-31/functions/f/invocations?Qualifier=7 HTTP/1.1\r\n"
    assert b"X-Amz-Tenant-Id: t\r\n" in lines
    assert not any(line.startswith(b"Authorization:") for line in lines)


def test_credentials_then_signed(monkeypatch):
    """What is sent is signed if this machine has credentials."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with Endpoint([FINE]) as endpoint, remote(endpoint) as host:
        host.invoke(call())
    (((lines, _),),) = endpoint.asked
    (signed,) = [line for line in lines if line.startswith(b"Authorization:")]
    assert signed.startswith(b"Authorization: AWS4-HMAC-SHA256 Credential=me/")
    assert b"/us-east-1/lambda/aws4_request" in signed


@pytest.mark.parametrize(
    ("status", "code", "gone", "passing"),
    [
        (400, "InvalidParameterValueException", False, False),
        (404, "ResourceNotFoundException", True, False),
        (429, "TooManyRequestsException", False, True),
        (503, "ServiceException", False, True),
    ],
)
def test_refused_then_its_code_and_whether_it_may_pass(status, code, gone, passing):
    """A refusal is read by the model; 429 and 5xx may pass by themselves."""
    body = b'{"Message":"no"}'
    head = f"HTTP/1.1 {status} X\r\nx-amzn-ErrorType: {code}:http://x/\r\nContent-Length: {len(body)}\r\n\r\n"
    with (
        Endpoint([head.encode() + body]) as endpoint,
        remote(endpoint) as host,
        pytest.raises(Unreachable) as error,
    ):
        host.invoke(call())
    found = error.value
    assert (code, "no", gone, passing) == (found.code, found.message, found.gone, found.passing)


def test_function_failed_then_its_error():
    """The header tells a failed function from one that answered."""
    body = json.dumps({"errorType": "E", "errorMessage": "m"}).encode()
    head = b"HTTP/1.1 200 OK\r\nX-Amz-Function-Error: Unhandled\r\nContent-Length: %d\r\n\r\n"
    with Endpoint([head % len(body) + body]) as endpoint, remote(endpoint) as host:
        assert {"ErrorType": "E", "ErrorMessage": "m"} == host.invoke(call()).error


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"?\r\n\r\n"]
)
def test_answer_that_is_none_then_it_may_be_tried_again(answer):
    """An endpoint that goes away meanwhile has not run the function, as far as is known."""
    with (
        Endpoint([answer]) as endpoint,
        remote(endpoint) as host,
        pytest.raises(Unreachable, match="has ended the connection") as error,
    ):
        host.invoke(call())
    assert ("ServiceException", True) == (error.value.code, error.value.passing)


def test_no_answer_in_time_then_the_function_has_timed_out(monkeypatch):
    """Longer than a function may run, nobody waits."""
    monkeypatch.setattr(_remote, "ANSWERING", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = Remote(f"http://127.0.0.1:{listener.getsockname()[1]}")
        answer = host.invoke(call())
    assert answer.error["ErrorType"] == "Sandbox.Timedout"
