"""A connection: requests come in, answers go out, one after the other."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache

from durable_gen.local._answers import Answered, faulty
from durable_gen.local._arrival import (
    IDLE,
    NOW,
    PHRASES,
    Arrival,
    Gone,
    Request,
    Unreadable,
    opened,
    time_limit,
)


class Connection:
    """What a client has connected to.

    Args:
        wire: the socket.
        limit: bytes of a body that the application is shown; of a longer one it gets one more.
        patience: seconds in which a request must have come, whole.

    Attributes:
        wire: the socket.
        since: when it came to rest, on the monotonic clock.
    """

    def __init__(self, wire: socket.socket, limit: int, patience: float) -> None:
        wire.setblocking(True)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, time_limit(IDLE))
        self.wire, self.since = wire, time.monotonic()
        self._limit, self._patience = limit, patience
        self._arrival = Arrival(wire, patience)
        self._unsent = b""

    def whole(self, wanted: Callable[[Request], bool]) -> Request | None:
        """Take the request that has come whole, if it is wanted and says nothing unusual.

        What has come otherwise is left to `serve`, which waits for the rest and judges it.

        Args:
            wanted: tells whether it is.

        Raises:
            Gone: the client has gone.
        """
        come = self._arrival.begun()
        end = come.find(b"\r\n\r\n")
        if end < 0:
            return None
        try:
            method, target, version, headers = opened(come[:end].decode("latin-1"))
        except Unreadable:
            return None
        length = headers.get("content-length", "0")
        plain = length.isdecimal() and len(come) - end - 4 == int(length[:9]) <= self._limit
        if not plain or version != "HTTP/1.1" or UNUSUAL & headers.keys() or method == "HEAD":
            return None
        if headers.get("connection", "keep-alive").lower() != "keep-alive":
            return None
        request = Request(method, target, headers, bytes(come[end + 4 :]))
        if not wanted(request):
            return None
        self._arrival.drop()
        return request

    def answer(self, answer: Answered) -> bool:
        """Send the answer to a whole request, as far as the client takes it at once.

        Returns:
            Whether all is sent; if not, `serve` sends the rest.

        Raises:
            ConnectionError: the client has gone.
        """
        data = _written(answer, last=False, bare=False)
        try:
            sent = self.wire.send(data, NOW)
        except BlockingIOError:
            sent = 0
        self._unsent = data[sent:]
        if not self._unsent:
            self.rest()
        return not self._unsent

    def rest(self) -> None:
        """Wait for another request."""
        self.since = time.monotonic()
        self._arrival.rest()

    def serve(self, app: Callable[[Request], Answered]) -> bool:
        """Answer requests as they come, until none has begun; tell whether another may follow."""
        with suppress(Gone, OSError):
            if self._unsent:
                self.wire.sendall(self._unsent)
                self._unsent = b""
            elif not self._exchange(app):
                return False
            self.rest()
            while not self._arrival.empty:
                if not self._exchange(app):
                    return False
                self.rest()
            return True
        return False

    def _exchange(self, app: Callable[[Request], Answered]) -> bool:
        """Answer one request; tell whether another may follow."""
        try:
            method, target, version, headers = opened(self._arrival.head())
            body, whole = self._arrival.body(headers, self._limit + 1)
        except (Unreadable, TimeoutError) as error:
            text = str(error) or f"The body has not come within {self._patience:g} seconds"
            status = error.status if isinstance(error, Unreadable) else 408
            answer = faulty("InvalidRequestContentException", text, status)
            headers = {"x-amzn-RequestId": str(uuid.uuid4()), **answer.headers}
            self._send(Answered(answer.status, headers, answer.body), last=True, bare=False)
            return False
        wish = headers.get("connection", "").lower()
        last = not whole or wish == "close" or (version == "HTTP/1.0" and wish != "keep-alive")
        answer = app(Request(method, target, headers, body))
        self._send(answer, last=last, bare=method == "HEAD")
        return not last

    def _send(self, answer: Answered, *, last: bool, bare: bool) -> None:
        self.wire.sendall(_written(answer, last=last, bare=bare))

    def close(self) -> None:
        """Let go of it."""
        with suppress(OSError):
            self.wire.shutdown(socket.SHUT_WR)
        self.wire.close()


UNUSUAL = frozenset({"transfer-encoding", "expect"})
"""Headers of requests that are left to `serve`."""


def _written(answer: Answered, *, last: bool, bare: bool) -> bytes:
    """Write a response.

    Args:
        answer: it.
        last: whether the connection ends with it.
        bare: whether its body is left out.
    """
    empty = answer.status == 204
    headers: Mapping[str, str] = {"Date": _date(int(time.time())), **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} {PHRASES.get(answer.status, '')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if not empty:
        lines.append(f"Content-Length: {len(answer.body)}")
    if last:
        lines.append("Connection: close")
    head = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
    return head if empty or bare else head + answer.body


@lru_cache(maxsize=1)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
