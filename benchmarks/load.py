"""The load that `benchmarks.service` puts on a service: a function, its callers, a raw HTTP client.

It is the same for every service, in one thread of one process. The function stands behind an Invoke
endpoint of its own; what it sends is written by hand, so that no client's cost is in the figures.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import orjson

STEPS = 10  # of each of the two invocations of an execution; every one is a checkpoint
FUNCTION = "load"
PATIENCE = 120.0  # seconds after which an execution is said to hang
Told = Callable[["Messages", bytes, bytes], None]


class Messages(asyncio.Protocol):
    """A connection that takes HTTP messages apart: one at a time, each answered before the next.

    Args:
        told: called with each message: the connection, the head, the body.
    """

    def __init__(self, told: Told) -> None:
        self.told, self.transport = told, None
        self._come = b""

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Tell of a message that has come whole."""
        self._come += data
        head, found, body = self._come.partition(b"\r\n\r\n")
        length = header(head, b"content-length")
        if found and (len(body) >= int(length) if length else not head.startswith(b"HTTP")):
            self._come = b""
            self.told(self, head, body)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell of an answer whose length was not said: it ends with the connection."""
        self.transport = None
        head, found, body = self._come.partition(b"\r\n\r\n")
        if found and error is None:
            self._come = b""
            self.told(self, head, body)


def header(head: bytes, name: bytes) -> bytes:
    """Find a header's value; nothing if it is not there."""
    start = head.lower().find(b"\r\n" + name + b":")
    return b"" if start < 0 else head[start + len(name) + 3 :].partition(b"\r\n")[0].strip()


class Connection:
    """One connection, kept open as long as the server keeps it, as any client does."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._messages: Messages | None = None
        self._answer: asyncio.Future[tuple[bytes, bytes]]

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request, and read its JSON answer; anything but a 2xx is an error."""
        data = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"{more}Content-Length: {len(data)}\r\n\r\n"
        )
        loop = asyncio.get_running_loop()
        if self._messages is None or self._messages.transport is None:
            _, self._messages = await loop.create_connection(
                lambda: Messages(self._told), "127.0.0.1", self._port
            )
        self._answer = loop.create_future()
        self._messages.transport.write(head.encode() + data)
        first, text = await self._answer
        if first[9:10] != b"2":
            msg = f"{method} {path}: {first!r} {text!r:.300}"
            raise RuntimeError(msg)
        arn = header(first, b"x-amz-durable-execution-arn")
        return {"DurableExecutionArn": arn.decode()} if arn else orjson.loads(text or b"null")

    def _told(self, _: Messages, head: bytes, body: bytes) -> None:
        if head.startswith(b"HTTP/1.0") or header(head, b"connection").lower() == b"close":
            self.close()
        self._answer.set_result((head, body))

    def close(self) -> None:
        """Close it; the next call opens another."""
        if self._messages is not None and self._messages.transport is not None:
            self._messages.transport.close()
        self._messages = None


class Load:
    """A function and those who call it.

    Attributes:
        port: of the service.
        latencies: seconds that each checkpoint took, from before it was sent until it was answered.
    """

    def __init__(self) -> None:
        self.port = 0
        self.latencies: list[float] = []
        self._pool: list[Connection] = []
        self._callbacks: dict[str, asyncio.Future[str]] = {}
        self._done: dict[str, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request over a connection that is free, as a client with a pool does."""
        connection = self._pool.pop() if self._pool else Connection(self.port)
        answer = await connection.call(method, path, body, **headers)
        self._pool.append(connection)
        return answer

    def connect(self, port: int) -> None:
        """Turn to another service."""
        for connection in self._pool:
            connection.close()
        self.port, self._pool = port, []

    # The function

    @contextlib.asynccontextmanager
    async def functions(self) -> Any:
        """Serve the function's Invoke endpoint; gives its port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Messages(self._serve), "127.0.0.1", 0, backlog=256
        )
        async with server:
            yield server.sockets[0].getsockname()[1]

    def _serve(self, messages: Messages, head: bytes, body: bytes) -> None:
        del head
        if body:
            task = asyncio.get_running_loop().create_task(self._answer(messages, body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, messages: Messages, body: bytes) -> None:
        answer = orjson.dumps(await self._invoked(orjson.loads(body)))
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n"
        if messages.transport is not None:
            messages.transport.write(
                f"{head}x-amzn-RequestId: {uuid.uuid4()}\r\n\r\n".encode() + answer
            )

    async def _invoked(self, event: dict[str, Any]) -> dict[str, Any]:
        """Run an invocation: steps and a callback in the first, steps and the end in the second."""
        arn, token = event["DurableExecutionArn"], event["CheckpointToken"]
        known = event["InitialExecutionState"]["Operations"]
        first = len(known) == 1
        path = f"/2025-12-01/durable-executions/{quote(arn, safe='')}/checkpoint"

        async def checkpoint(*updates: dict[str, Any]) -> Any:
            nonlocal token
            request = {
                "CheckpointToken": token,
                "Updates": updates,
                "ClientToken": os.urandom(8).hex(),
            }
            began = time.perf_counter()
            answer = await self.call("POST", path, request)
            self.latencies.append(time.perf_counter() - began)
            token = answer["CheckpointToken"]
            return answer["NewExecutionState"]["Operations"]

        start = 0 if first else STEPS
        for n in range(start, start + STEPS):
            step = {"Id": f"s{n}", "Type": "STEP", "SubType": "Step", "Name": f"step-{n}"}
            result = orjson.dumps({"i": n, "v": "x" * 20}).decode()
            await checkpoint(
                {**step, "Action": "START"}, {**step, "Action": "SUCCEED", "Payload": result}
            )
        if first:
            options = {"CallbackOptions": {"TimeoutSeconds": 600}}
            ask = {"Id": "c", "Type": "CALLBACK", "Action": "START", "Name": "ask", **options}
            found = await checkpoint(ask)
            (word,) = (o["CallbackDetails"]["CallbackId"] for o in found if o["Id"] == "c")
            self._future(self._callbacks, arn).set_result(word)
            return {"Status": "PENDING"}
        results = [
            orjson.loads(o["StepDetails"]["Result"])["i"] for o in known if o["Type"] == "STEP"
        ]
        assert results == list(range(STEPS)), results
        (answer,) = (o["CallbackDetails"]["Result"] for o in known if o["Type"] == "CALLBACK")
        self._future(self._done, arn).set_result(None)
        return {"Status": "SUCCEEDED", "Result": answer}

    @staticmethod
    def _future(futures: dict[str, Any], arn: str) -> Any:
        return futures.setdefault(arn, asyncio.get_running_loop().create_future())

    # Its callers

    async def execute(self, start: Callable[[Load], Awaitable[str]]) -> str:
        """Start an execution, answer its callback, wait until it has closed; gives its ARN."""
        arn = await start(self)
        word = await asyncio.wait_for(self._future(self._callbacks, arn), PATIENCE)
        path = f"/2025-12-01/durable-execution-callbacks/{quote(word, safe='')}/succeed"
        await self.call("POST", path, b'"yes"')
        await asyncio.wait_for(self._future(self._done, arn), PATIENCE)
        path = f"/2025-12-01/durable-executions/{quote(arn, safe='')}"
        pause = 0.0002  # seconds; doubled, so that asking is no load of its own
        while (found := await self.call("GET", path))["Status"] == "RUNNING":
            await asyncio.sleep(pause)
            pause *= 2
        assert (found["Status"], found["Result"]) == ("SUCCEEDED", '"yes"'), found
        return arn

    async def run(
        self,
        start: Callable[[Load], Awaitable[str]],
        count: int,
        at_once: int,
        pace: float | None = None,
    ) -> list[str]:
        """Execute `count` times, `at_once` side by side; gives the ARNs.

        Args:
            start: starts an execution.
            count: how many.
            at_once: how many side by side at most.
            pace: how many begin in a second at most; as many as can if None.
        """
        self.latencies = []
        left = iter(range(count))
        arns: list[str] = []
        began = time.perf_counter()

        async def caller() -> None:
            while (place := next(left, None)) is not None:
                if pace is not None:
                    await asyncio.sleep(began + place / pace - time.perf_counter())
                arns.append(await self.execute(start))

        await asyncio.gather(*(caller() for _ in range(at_once)))
        assert len(self.latencies) == count * (2 * STEPS + 1)
        return arns

    async def check(self, arns: list[str]) -> None:
        """Look at histories: every checkpoint is there, in order."""
        for arn in arns:
            path = f"/2025-12-01/durable-executions/{quote(arn, safe='')}/history?MaxItems=1000"
            events = (await self.call("GET", path))["Events"]
            done = [e["Id"] for e in events if e["EventType"] == "StepSucceeded"]
            assert done == [f"s{n}" for n in range(2 * STEPS)], done
            assert events[-1]["EventType"] == "ExecutionSucceeded", events[-1]
