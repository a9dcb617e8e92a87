"""The Runtime API of one sandbox: where its runtime fetches invocations and brings their ends."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

from durable_gen.local._sandbox_calls import Failure, Kind, Reply, Response, Task

RESPONSE_LIMIT = 6 * 1024 * 1024 + 100  # bytes; a larger one is refused as Lambda does
_HOST = "127.0.0.1"
_ROOT = "/2018-06-01/runtime"
_CHUNK = 1 << 16


class RuntimeApi:
    """Lambda's Runtime API on a port of its own, for a runtime that runs one task at a time.

    Args:
        timeout: seconds that a task may take.
        begin: called with a request id before its task is handed out.
        settle: called before a task's end is told, while the runtime still waits for the answer.
    """

    def __init__(
        self, timeout: float, begin: Callable[[str], None], settle: Callable[[], None]
    ) -> None:
        self._timeout = timeout
        self._begin = begin
        self._settle = settle
        self._changed = threading.Condition()
        self._task: Task | None = None
        self._end: Reply | None = None
        self._limit: float | None = None
        self._woken = False
        self._closed = False
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._serve, name="runtime-api", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """What goes into AWS_LAMBDA_RUNTIME_API."""
        return f"{_HOST}:{self._server.port}"

    @property
    def limit(self) -> float | None:
        """When the task must be over, on the monotonic clock; None before it is fetched."""
        with self._changed:
            return self._limit

    def offer(self, task: Task) -> None:
        """Let the runtime fetch a task; the one before must be over."""
        with self._changed:
            self._task, self._end, self._limit = task, None, None
            self._changed.notify_all()

    def wait(self, seconds: float) -> Reply | None:
        """Wait for the task's end.

        Args:
            seconds: how long at most; a `wake` ends it too.

        Returns:
            The end, or None if it has not come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._end is not None or self._woken, seconds)
            self._woken = False
            return self._end

    def wake(self) -> None:
        """Have whoever waits look around."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def close(self) -> None:
        """Close the port. A runtime that lives on finds nobody."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        socket.create_connection((_HOST, self._server.port), 5).close()  # ends the accepting
        self._thread.join()
        self._server.server_close()

    def take(self, there: Callable[[], bool]) -> tuple[Task, int] | None:
        """Wait for a task and hand it out.

        Args:
            there: tells whether the runtime that asks has not gone meanwhile.

        Returns:
            It and its deadline; None when the API closes, or nobody is there to take it.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._fresh)
            if self._closed or self._task is None or not there():
                return None
            self._begin(self._task.request_id)
            now, deadline = time.time_ns() // 1_000_000, self._task.deadline_ms
            if deadline is None:
                deadline = now + round(self._timeout * 1000)
            self._limit = time.monotonic() + (deadline - now) / 1000
            return self._task, deadline

    def end(self, request_id: str | None, reply: Callable[[Task], Reply]) -> bool:
        """Take in a task's end.

        Args:
            request_id: the task's; None if the runtime could not be set up for any.
            reply: gives the end of the task.

        Returns:
            Whether there is such a task and it was not over.
        """
        with self._changed:
            task = self._task
            if task is None or self._end is not None:
                return False
            if request_id is not None and (self._limit is None or request_id != task.request_id):
                return False
            self._settle()
            self._end = reply(task)
            self._changed.notify_all()
            return True

    @property
    def _fresh(self) -> bool:
        return self._task is not None and self._limit is None and self._end is None

    def _serve(self) -> None:
        while not self._closed:
            self._server.handle_request()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 16

    def __init__(self, api: RuntimeApi) -> None:
        super().__init__((_HOST, 0), _Exchange)
        self.api = api
        self.port: int = self.socket.getsockname()[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a sandbox that is killed drops its connection."""


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        if self.path != f"{_ROOT}/invocation/next":
            self._refuse(404, "InvalidPath", self.path)
            return
        taken = self.server.api.take(self._there)
        if taken is None:
            self.close_connection = True
        else:
            self._reply(200, taken[0].payload, dict(_headers(*taken)))

    def _there(self) -> bool:
        """Tell whether the runtime still waits: one that has died says so by an end of its input."""
        try:
            said: bytes = self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return said != b""

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self._body(size)
        if body is not None and len(body) < size:  # it died while it wrote
            self.close_connection = True
            return
        named = self.headers.get("Lambda-Runtime-Function-Error-Type", "")
        api = self.server.api
        match self.path.removeprefix(f"{_ROOT}/").split("/"):
            case ["invocation", request_id, "response"]:
                done = api.end(request_id, lambda _: _response(body))
            case ["invocation", request_id, "error"]:
                done = api.end(request_id, lambda t: _failure("handler", body, named, t))
            case ["init", "error"]:
                done = api.end(None, lambda t: _failure("init", body, named, t))
            case _:
                self._refuse(404, "InvalidPath", self.path)
                return
        if done:
            self._reply(202, b'{"status":"OK"}\n', {})
        else:
            self._refuse(400, "InvalidRequestID", "no such invocation is under way")

    def handle_expect_100(self) -> bool:
        """Tell at once that the body may come: the answer is buffered otherwise."""
        go_on = super().handle_expect_100()
        self.wfile.flush()
        return go_on

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base's name
        """Keep the sandbox's requests out of the service's output."""

    def _body(self, left: int) -> bytes | None:
        """Read a request's body; None if it is too large to be kept."""
        if left <= RESPONSE_LIMIT:
            return self.rfile.read(left)
        while left > 0 and (chunk := self.rfile.read(min(left, _CHUNK))):
            left -= len(chunk)
        return None

    def _refuse(self, status: int, error_type: str, text: str) -> None:
        body = json.dumps({"errorType": error_type, "errorMessage": text}).encode()
        self._reply(status, body, {})

    def _reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _response(body: bytes | None) -> Reply:
    if body is not None:
        return Response(body)
    text = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
    return Failure.of("handler", "Function.ResponseSizeTooLarge", text)


def _failure(kind: Kind, body: bytes | None, named: str, task: Task) -> Failure:
    return Failure.read(kind, b"{}" if body is None else body, named, task.request_id)


def _headers(task: Task, deadline: int) -> Iterator[tuple[str, str]]:
    given = {
        "Aws-Request-Id": task.request_id,
        "Deadline-Ms": str(deadline),
        "Invoked-Function-Arn": task.arn,
        "Trace-Id": task.trace_id,
        "Client-Context": task.client_context,
        "Cognito-Identity": task.cognito_identity,
        "Aws-Tenant-Id": task.tenant_id,
    }
    for name, value in given.items():
        if value is not None:
            kept = "".join(letter for letter in value if letter.isascii() and letter.isprintable())
            yield f"Lambda-Runtime-{name}", kept
