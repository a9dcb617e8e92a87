"""What a client sends, taken apart: a request's line, its headers, its body."""

from __future__ import annotations

import re
import socket
import struct
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from http import HTTPStatus

from attrs import frozen

IDLE = 65.0  # seconds after which a connection that says nothing is closed
HEAD = 64 * 1024  # bytes of a request's line and headers
LINE = 4096  # bytes of the line before a chunk
CHUNK = 64 * 1024  # bytes that are read at once
HEX = frozenset(b"0123456789abcdefABCDEF")
DRAINED = 64 * 1024 * 1024  # bytes of a body that are read for nothing, so that its sender listens
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
NOW = getattr(socket, "MSG_DONTWAIT", 0)
PHRASES = {status.value: status.phrase for status in HTTPStatus}


@frozen
class Request:
    """What a client asks for.

    Attributes:
        method: GET, POST or any other.
        target: as it stands in the request line.
        headers: by name in lower case; what came twice is joined by commas.
        body: bytes, at most one more than the server's limit.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Unreadable(Exception):  # noqa: N818  # it becomes an answer at once
    """What has come is no request.

    Args:
        status: of the answer.
        text: what is wrong.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Gone(Exception):  # noqa: N818  # it ends a connection
    """The client has gone, or has said nothing for too long."""


class Arrival:
    """What a client sends. A request that has begun must be over within the server's patience.

    The kernel keeps the time of a wait: a timeout of Python's would cost another call for each one.
    """

    def __init__(self, connection: socket.socket, patience: float) -> None:
        self._connection, self._patience = connection, patience
        self._until: float | None = None
        self._come = bytearray()
        self._limit = 0.0
        self._wait(IDLE)

    def rest(self) -> None:
        """Wait for another request, as long as a connection may be idle."""
        self._until = None if not self._come else time.monotonic() + self._patience
        self._wait(IDLE)

    def _wait(self, seconds: float) -> None:
        """Say how long the next bytes may take."""
        if seconds != self._limit:
            self._limit = seconds
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, time_limit(seconds))

    def head(self) -> str:
        """Read a request's line and headers, without the empty line.

        Raises:
            Unreadable: it is too long.
            Gone: there is no further request.
        """
        start = 0
        while (end := self._come.find(b"\r\n\r\n", start)) < 0 and len(self._come) <= HEAD:
            start = max(0, len(self._come) - 3)
            try:
                self._more()
            except TimeoutError:
                raise Gone from None
        if not 0 <= end <= HEAD:
            status = 414 if self._come.find(b"\r\n", 0, HEAD) < 0 else 431
            raise Unreadable(status, PHRASES[status])
        return self._taken(end + 4)[:end].decode("latin-1")

    def exactly(self, count: int) -> bytes:
        """Read so many bytes; fewer if the client has gone."""
        with suppress(Gone):
            while len(self._come) < count:
                self._more()
        return self._taken(count)

    def line(self, limit: int) -> bytes:
        """Read a line with its end; without one if it is too long."""
        while (end := self._come.find(b"\n", 0, limit)) < 0 and len(self._come) < limit:
            self._more()
        return self._taken(limit if end < 0 else end + 1)

    def skip(self, count: int) -> bool:
        """Read what nobody will see; False if it is too much, or the client has gone."""
        left = min(count, DRAINED)
        while left > 0:
            data = self.exactly(min(left, CHUNK))
            if not data:
                return False
            left -= len(data)
        return count <= DRAINED

    def begun(self) -> bytearray:
        """Take what has come already, without waiting; at rest, it is the beginning of a request.

        Raises:
            Gone: nothing will come any more.
        """
        with suppress(BlockingIOError):
            data = self._connection.recv(CHUNK, NOW)
            if not data:
                raise Gone
            if self._until is None:
                self._until = time.monotonic() + self._patience
            self._come += data
        return self._come

    @property
    def empty(self) -> bool:
        """Whether nothing has come that is not read."""
        return not self._come

    def drop(self) -> None:
        """Forget what has come."""
        self._come.clear()

    def _taken(self, count: int) -> bytes:
        found = bytes(self._come[:count])
        del self._come[:count]
        return found

    def _more(self) -> None:
        """Wait for what comes next.

        Raises:
            TimeoutError: it did not come in time.
            Gone: nothing will.
        """
        if self._until is not None:
            left = self._until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._wait(left)
        try:
            data = self._connection.recv(CHUNK)
        except BlockingIOError:
            raise TimeoutError from None
        if not data:
            raise Gone
        if self._until is None:
            self._until = time.monotonic() + self._patience
        self._come += data

    def body(self, headers: Mapping[str, str], limit: int) -> tuple[bytes, bool]:
        """Read the body; a longer one than the limit is cut, and the rest read for nothing.

        Args:
            headers: of the request.
            limit: bytes.

        Returns:
            The body, and whether all of it has come.

        Raises:
            Unreadable: it is none.
            TimeoutError: it did not come in time.
        """
        text, coding = headers.get("content-length"), headers.get("transfer-encoding")
        if (text or coding) and headers.get("expect", "").lower() == "100-continue":
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if coding is not None:
            if coding.lower() != "chunked" or text is not None:
                msg = f"Transfer-Encoding is {coding!r:.40}, expected chunked and no Content-Length"
                raise Unreadable(400, msg)
            return self._chunked(limit)
        text = text or "0"
        if not (text.isascii() and text.isdecimal() and len(text) < 20):
            raise Unreadable(400, f"Content-Length is {text!r:.40}")
        length = int(text)
        body = self.exactly(min(length, limit))
        return body, length == len(body) or self.skip(length - len(body))

    def _chunked(self, limit: int) -> tuple[bytes, bool]:
        kept: list[bytes] = []
        count = 0
        while True:
            line = self.line(LINE)
            size = line.partition(b";")[0].strip()
            if not line.endswith(b"\n") or not set(size) <= HEX or not 0 < len(size) < 20:
                raise Unreadable(400, f"a chunk has the length {size!r:.40}")
            length = int(size, 16)
            if not length:
                while self.line(HEAD).strip():
                    pass  # trailers
                return b"".join(kept), True
            wanted = min(length, max(limit - count, 0))
            kept.append(self.exactly(wanted))
            count += length
            if not self.skip(length - wanted) or count > DRAINED:
                return b"".join(kept), False
            if self.line(2).strip():
                raise Unreadable(400, "a chunk does not end where it said")


def opened(text: str) -> tuple[str, str, str, dict[str, str]]:
    """Read a request's head: method, target, version, headers.

    Raises:
        Unreadable: it is none.
    """
    first, *lines = text.split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not TOKEN.fullmatch(words[0]) or words[2] not in {"HTTP/1.1", "HTTP/1.0"}:
        raise Unreadable(400, f"The request begins with {first!r:.80}")
    headers: dict[str, str] = {}
    for line in lines:
        name, value = _field(line)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return words[0], words[1], words[2], headers


@lru_cache(maxsize=256)  # a client's headers are mostly the same
def _field(line: str) -> tuple[str, str]:
    """Read a header: its name in lower case, its value.

    Raises:
        Unreadable: it is none.
    """
    name, colon, value = line.partition(":")
    if not colon or not TOKEN.fullmatch(name):
        raise Unreadable(400, f"A header reads {line!r:.80}")
    return name.lower(), value.strip(" \t")


def time_limit(seconds: float) -> bytes:
    """Write a socket's time limit as the system has it; never 0, which means none."""
    if sys.platform == "win32":
        return struct.pack("@L", max(1, round(seconds * 1000)))
    micros = max(1, round(seconds * 1e6))
    return struct.pack("@ll", micros // 1_000_000, micros % 1_000_000)
