"""A small HTTP/1.1 server for one application: one thread answers what is quick, others the rest.

The law: the thread that listens never waits for a client. It answers the requests that have come whole
when it looks, all of them together, so that they share what they wait for. A request that is not whole
yet, one that may take long, and an answer that its client is slow to take, are left to a thread of their
own, and the connection comes back when that is over.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from durable_gen.local._answers import Answered
from durable_gen.local._arrival import IDLE, Gone, Request
from durable_gen.local._connection import Connection
from durable_gen.local._threads import Threads

PATIENCE = 60.0  # seconds in which a request must have come, whole
SWEEP = 5.0  # seconds between two looks for connections that are idle
BACKLOG = 256  # connections that may wait to be taken


class App(Protocol):
    """What answers requests."""

    def __call__(self, request: Request) -> Answered:
        """Answer a request, however long it takes."""

    def quick(self, request: Request) -> bool:
        """Tell whether a request may be answered together with others."""

    def together(self, requests: Sequence[Request]) -> list[Answered]:
        """Answer the first of some quick requests, at least one."""


class Server:
    """The server; `serve_forever` runs it, `shutdown` from another thread ends that.

    What it serves is its `app`, to be set before.

    Args:
        host: the address that it listens at.
        port: 0 for any.
        limit: bytes of a body that the application is shown; of a longer one it gets one more.

    Attributes:
        patience: seconds in which a request must have come, whole.
        port: the port that it listens at.
    """

    app: App

    def __init__(self, host: str, port: int, limit: int) -> None:
        self.limit, self.patience = limit, PATIENCE
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((host, port))
            self._socket.listen(BACKLOG)
        except BaseException:
            self._socket.close()
            raise
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])
        self._selector = selectors.DefaultSelector()
        self._bell, self._clapper = socket.socketpair()  # rung to have the selector look again
        self._back: deque[Connection] = deque()  # what threads are done with
        self._threads = Threads("durable_gen connection")
        self._stopping = False
        self._next_sweep = 0.0

    def serve_forever(self) -> None:
        """Answer until `shutdown`."""
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._selector.register(self._bell, selectors.EVENT_READ)
        while not self._stopping:
            ready = [key.data or key.fileobj for key, _ in self._selector.select(SWEEP)]
            if self._socket in ready:
                self._accept()
            if self._bell in ready:
                self._bell.recv(4096)
            self._adopt()
            self._answer([one for one in ready if isinstance(one, Connection)])
            self._sweep()

    def shutdown(self) -> None:
        """End `serve_forever`."""
        self._stopping = True
        self._ring()

    def server_close(self) -> None:
        """Listen no more, and close what is idle."""
        for key in list((self._selector.get_map() or {}).values()):
            if isinstance(key.data, Connection):
                key.data.close()
        while self._back:
            self._back.popleft().close()
        self._threads.close()
        for one in (self._selector, self._socket, self._bell, self._clapper):
            one.close()

    def _ring(self) -> None:
        with suppress(OSError):
            self._clapper.send(b"!")

    def _accept(self) -> None:
        with suppress(OSError):  # what is left stays ready; a client may have gone
            while True:
                wire, _ = self._socket.accept()
                self._watch(Connection(wire, self.limit, self.patience))

    def _watch(self, connection: Connection) -> None:
        self._selector.register(connection.wire, selectors.EVENT_READ, connection)

    def _adopt(self) -> None:
        while self._back:
            self._watch(self._back.popleft())

    def _answer(self, ready: Sequence[Connection]) -> None:
        """Answer what has come whole; leave the rest to threads."""
        asked: list[tuple[Connection, Request]] = []
        for connection in ready:
            try:
                request = connection.whole(self.app.quick)
            except (Gone, OSError):
                self._drop(connection)
                continue
            if request is None:
                self._leave(connection)
            else:
                asked.append((connection, request))
        while asked:
            answers = self.app.together([request for _, request in asked])
            for (connection, _), answer in zip(asked, answers, strict=False):
                try:
                    if not connection.answer(answer):
                        self._leave(connection)
                except OSError:
                    self._drop(connection)
            del asked[: len(answers)]

    def _drop(self, connection: Connection) -> None:
        self._selector.unregister(connection.wire)
        connection.close()

    def _leave(self, connection: Connection) -> None:
        """Leave a connection to a thread until it is at rest again."""
        self._selector.unregister(connection.wire)
        self._threads.run(lambda: self._apart(connection))

    def _apart(self, connection: Connection) -> None:
        if connection.serve(self.app) and not self._stopping:
            self._back.append(connection)
            self._ring()
        else:
            connection.close()

    def _sweep(self) -> None:
        """Close connections that have been idle for too long."""
        now = time.monotonic()
        if now < self._next_sweep:
            return
        self._next_sweep = now + SWEEP
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, Connection) and key.data.since < now - IDLE:
                self._drop(key.data)
