"""A small HTTP/1.1 server for one WSGI application: a thread per connection, kept alive."""

from __future__ import annotations

import io
import socket
import time
import uuid
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from durable_gen.local._answers import faulty

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from _typeshed.wsgi import WSGIApplication

IDLE = 65  # seconds after which a connection that says nothing is closed
PATIENCE = 60.0  # seconds in which a request must have come, whole
LINE = 4096  # bytes of the line before a chunk
HEX = frozenset(b"0123456789abcdefABCDEF")
DRAINED = 64 * 1024 * 1024  # bytes of a body that are read for nothing, so that its sender listens


class BadLength(Exception):  # noqa: N818  # it becomes a 400 at once
    """A body whose length cannot be told."""


class _Arrival(io.RawIOBase):
    """What a client sends. A request that has begun must be over within the server's patience."""

    def __init__(self, connection: socket.socket, patience: float) -> None:
        self._connection, self._patience = connection, patience
        self._until: float | None = None

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Wait for what comes next.

        Raises:
            TimeoutError: it did not come in time.
        """
        left = IDLE if self._until is None else self._until - time.monotonic()
        if left <= 0:
            msg = f"The request has not come within {self._patience:g} seconds"
            raise TimeoutError(msg)
        self._connection.settimeout(left)
        count = self._connection.recv_into(buffer)
        if self._until is None:
            self._until = time.monotonic() + self._patience
        return count

    def rest(self) -> None:
        """Wait for another request, as long as a connection may be idle."""
        self._until = None
        self._connection.settimeout(IDLE)


class Server(ThreadingMixIn, TCPServer):
    """The server; `serve_forever` runs it, `shutdown` from another thread ends that.

    What it serves is its `app`, to be set before.

    Args:
        host: the address that it listens at.
        port: 0 for any.
        limit: bytes of a body that the application is shown; of a longer one it gets one more.

    Attributes:
        patience: seconds in which a request must have come, whole.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    app: WSGIApplication

    def __init__(self, host: str, port: int, limit: int) -> None:
        self.limit, self.patience = limit, PATIENCE
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "durable-gen", ""
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave together
    server: Server

    def setup(self) -> None:
        """Read through the server's patience."""
        super().setup()
        self.rfile.close()
        self._arrival = _Arrival(self.connection, self.server.patience)
        self.rfile = io.BufferedReader(self._arrival)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # whatever the method: the application says what there is
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        try:
            body, whole = self._body()
        except BadLength as error:
            self.send_error(400, str(error))
            return
        except TimeoutError:
            self.send_error(408, f"The body has not come within {self.server.patience:g} seconds")
            return
        self._arrival.rest()
        if not whole:
            self.close_connection = True
        sent: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
            sent[:] = [status, headers]

        chunks = b"".join(self.server.app(self._environ(body), start_response))
        status, headers = sent
        code, _, words = status.partition(" ")
        self.send_response(int(code), words)
        for key, value in headers:
            self.send_header(key, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and code != "204":
            self.wfile.write(chunks)
        self.wfile.flush()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request as Lambda's endpoint does, and close the connection."""
        self._arrival.rest()
        self.close_connection = True
        self.request_version = self.protocol_version
        text = message or explain or self.responses[code][0]
        answer = faulty("InvalidRequestContentException", text, code)
        self.send_response(code)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

    def handle_expect_100(self) -> bool:
        """Tell at once that the body may come: answers are buffered otherwise."""
        go_on = super().handle_expect_100()
        self.wfile.flush()
        return go_on

    def _body(self) -> tuple[bytes, bool]:
        """Read the body; a longer one than the limit is cut, and the rest read for nothing."""
        limit = self.server.limit + 1
        lengths = self.headers.get_all("Content-Length", [])
        coding = self.headers.get("Transfer-Encoding")
        if coding is not None:
            if coding.strip().lower() != "chunked" or lengths:
                msg = f"Transfer-Encoding is {coding!r:.40}, expected chunked and no Content-Length"
                raise BadLength(msg)
            return self._chunked(limit)
        text = ", ".join(lengths).strip() or "0"
        if not (text.isascii() and text.isdecimal() and len(text) < 20):
            msg = f"Content-Length is {text!r:.40}"
            raise BadLength(msg)
        length = int(text)
        body = self.rfile.read(min(length, limit))
        return body, self._skip(length - len(body))

    def _chunked(self, limit: int) -> tuple[bytes, bool]:
        kept: list[bytes] = []
        count = 0
        while True:
            line = self.rfile.readline(LINE)
            size = line.partition(b";")[0].strip()
            if not line.endswith(b"\n") or not set(size) <= HEX or not 0 < len(size) < 20:
                msg = f"a chunk has the length {size!r:.40}"
                raise BadLength(msg)
            length = int(size, 16)
            if not length:
                while self.rfile.readline(65_537).strip():
                    pass  # trailers
                return b"".join(kept), True
            wanted = min(length, max(limit - count, 0))
            kept.append(self.rfile.read(wanted))
            count += length
            if not self._skip(length - wanted) or count > DRAINED:
                return b"".join(kept), False
            if self.rfile.readline(3).strip():
                msg = "a chunk does not end where it said"
                raise BadLength(msg)

    def _skip(self, count: int) -> bool:
        """Read what nobody will see; False if it is too much."""
        left = min(count, DRAINED)
        while left > 0:
            data = self.rfile.read(min(left, 65_536))
            if not data:
                return False
            left -= len(data)
        return count <= DRAINED

    def _environ(self, body: bytes) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "REQUEST_URI": self.path,
            "SERVER_NAME": str(self.server.server_address[0]),
            "SERVER_PORT": str(self.server.port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for key, value in self.headers.items():
            name = key.upper().replace("-", "_")
            if name == "CONTENT_TYPE":
                environ[name] = value
            elif name not in {"CONTENT_LENGTH", "TRANSFER_ENCODING"}:
                environ[f"HTTP_{name}"] = value
        return environ

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Say nothing: the service's log is of functions."""
