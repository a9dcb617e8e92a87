"""The Runtime API of a sandbox, as a runtime that does not keep to the rules meets it."""

import http.client
import json
import socket

import pytest

from durable_gen.local._runtime_api import RuntimeApi
from durable_gen.local._sandbox_calls import Failure, Response, Task
from local.sandboxing import PATIENCE, eventually

ROOT = "/2018-06-01/runtime"
TASK = Task(b"[1]", "r", "arn")


class Stage:
    """An API, a runtime's connection to it, and what the API called."""

    def __init__(self):
        self.calls = []
        self.api = RuntimeApi(3, self.calls.append, lambda: self.calls.append("settled"))
        self.connection = http.client.HTTPConnection(self.api.address, timeout=PATIENCE)

    def ask(self, method, path, body=None, **headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, ROOT + path, body, names)
        answer = self.connection.getresponse()
        return answer.status, answer.read(), answer.headers


@pytest.fixture(name="stage")
def _stage():
    stage = Stage()
    yield stage
    stage.connection.close()
    stage.api.close()


def test_task_then_fetched_with_its_headers_and_ended(stage):
    """A task is handed out once, and its output is settled before its end is told."""
    stage.api.offer(Task(b"[1]", "r", "arn", tenant_id="blue\r\nX: 1", trace_id="Root=ü1"))
    status, body, headers = stage.ask("GET", "/invocation/next")
    assert (status, body) == (200, b"[1]")
    assert headers["Lambda-Runtime-Aws-Request-Id"] == "r"
    assert headers["Lambda-Runtime-Aws-Tenant-Id"] == "blueX: 1"
    assert headers["Lambda-Runtime-Trace-Id"] == "Root=1"
    assert headers["Lambda-Runtime-Client-Context"] is None
    assert stage.api.wait(0) is None
    assert stage.ask("POST", "/invocation/r/response", b"[2]")[0] == 202
    assert stage.api.wait(PATIENCE) == Response(b"[2]")
    assert stage.calls == ["r", "settled"]


@pytest.mark.parametrize("path", ["/invocation/other/response", "/invocation/other/error"])
def test_end_of_another_task_then_refused(stage, path):
    """Only the task under way can be ended."""
    stage.api.offer(TASK)
    stage.ask("GET", "/invocation/next")
    status, body, _ = stage.ask("POST", path, b"{}")
    assert (status, json.loads(body)["errorType"]) == (400, "InvalidRequestID")
    assert stage.api.wait(0) is None


def test_runtime_died_while_it_waited_then_another_gets_the_task(stage):
    """A task is not handed out to a connection whose runtime has gone."""
    dead = http.client.HTTPConnection(stage.api.address, timeout=PATIENCE)
    dead.request("GET", f"{ROOT}/invocation/next")
    eventually(lambda: stage.api._changed._waiters)
    dead.close()
    stage.api.offer(TASK)
    assert stage.ask("GET", "/invocation/next")[:2] == (200, b"[1]")


def test_end_before_the_task_is_fetched_then_refused(stage):
    """A task cannot end before it has been handed out."""
    stage.api.offer(TASK)
    assert stage.ask("POST", "/invocation/r/response", b"{}")[0] == 400


def test_second_end_then_refused(stage):
    """The first end stands."""
    stage.api.offer(TASK)
    stage.ask("GET", "/invocation/next")
    assert stage.ask("POST", "/invocation/r/response", b"1")[0] == 202
    assert stage.ask("POST", "/invocation/r/error", b"{}")[0] == 400
    assert stage.api.wait(0) == Response(b"1")


def test_unknown_paths_then_not_found(stage):
    """What the API does not have is said, and the connection goes on."""
    assert stage.ask("GET", "/invocation/last")[0] == 404
    assert stage.ask("POST", "/restore/error", b"{}")[0] == 404


@pytest.mark.parametrize(
    ("body", "error_type", "message"),
    [(b"oops", "Own.Error", "oops"), (b"[]", "Own.Error", "[]"), (b"{}", "Own.Error", "")],
)
def test_error_of_another_shape_then_read_as_far_as_it_goes(stage, body, error_type, message):
    """An error that is no Lambda error still ends the task."""
    stage.api.offer(TASK)
    stage.ask("GET", "/invocation/next")
    named = {"Lambda_Runtime_Function_Error_Type": "Own.Error"}
    assert stage.ask("POST", "/invocation/r/error", body, **named)[0] == 202
    reply = stage.api.wait(0)
    assert isinstance(reply, Failure)
    assert (reply.error_type, reply.message, reply.stack_trace) == (error_type, message, ())
    assert json.loads(reply.body)["requestId"] == "r"


def test_runtime_dies_while_it_writes_then_no_end(stage):
    """Half an answer is none."""
    stage.api.offer(TASK)
    stage.ask("GET", "/invocation/next")
    host, port = stage.api.address.split(":")
    with socket.create_connection((host, int(port)), PATIENCE) as raw:
        head = f"POST {ROOT}/invocation/r/response HTTP/1.1\r\nContent-Length: 10\r\n\r\n"
        raw.sendall(head.encode() + b"half")
        raw.shutdown(socket.SHUT_WR)
        assert raw.recv(1) == b""
    assert stage.api.wait(0) is None


def test_api_closes_then_a_runtime_that_waits_is_let_go(stage):
    """Closing ends the long wait for a task without an answer."""
    host, port = stage.api.address.split(":")
    with socket.create_connection((host, int(port)), PATIENCE) as raw:
        raw.sendall(f"GET {ROOT}/invocation/next HTTP/1.1\r\n\r\n".encode())
        eventually(lambda: stage.api._changed._waiters)
        stage.api.close()
        assert raw.recv(1) == b""
