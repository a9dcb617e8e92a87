"""The load that `benchmarks.service` puts on a service: a function, its callers, a raw HTTP client.

It is the same for every service, in one thread of one process. The function stands behind an Invoke
endpoint of its own; what it sends is written by hand, so that no client's cost is in the figures.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

STEPS = 10  # of each of the two invocations of an execution; every one is a checkpoint
FUNCTION = "load"
PATIENCE = 120.0  # seconds after which an execution is said to hang
Headers = dict[str, str]


async def read_message(reader: asyncio.StreamReader) -> tuple[str, Headers, bytes]:
    """Read a request or a response: its first line, its headers, its body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    parted = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in parted}
    if "content-length" in headers:
        return first, headers, await reader.readexactly(int(headers["content-length"]))
    return first, headers, b"" if first.endswith("HTTP/1.1") else await reader.read()


class Connection:
    """One connection, kept open as long as the server keeps it, as any client does."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request, and read its JSON answer; anything but a 2xx is an error."""
        data = (
            b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        )
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(data)}", "", ""]
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write("\r\n".join(lines).encode() + data)
        first, found, text = await read_message(reader)
        if first.startswith("HTTP/1.0") or found.get("connection", "").lower() == "close":
            self.close()
        if first.split()[1][0] != "2":
            msg = f"{method} {path}: {first} {text!r:.300}"
            raise RuntimeError(msg)
        arn = found.get("x-amz-durable-execution-arn")
        return {"DurableExecutionArn": arn} if arn else json.loads(text or b"null")

    def close(self) -> None:
        """Close it; the next call opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


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
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=256)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                _, _, body = await read_message(reader)
                answer = json.dumps(await self._invoked(json.loads(body))).encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n"
                writer.write(f"{head}x-amzn-RequestId: {uuid.uuid4()}\r\n\r\n".encode() + answer)
                await writer.drain()
        writer.close()

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
                "ClientToken": str(uuid.uuid4()),
            }
            began = time.perf_counter()
            answer = await self.call("POST", path, request)
            self.latencies.append(time.perf_counter() - began)
            token = answer["CheckpointToken"]
            return answer["NewExecutionState"]["Operations"]

        start = 0 if first else STEPS
        for n in range(start, start + STEPS):
            step = {"Id": f"s{n}", "Type": "STEP", "SubType": "Step", "Name": f"step-{n}"}
            result = json.dumps({"i": n, "v": "x" * 20})
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
            json.loads(o["StepDetails"]["Result"])["i"] for o in known if o["Type"] == "STEP"
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
        pause = 0.001  # seconds; doubled, so that asking is no load of its own
        while (found := await self.call("GET", path))["Status"] == "RUNNING":
            await asyncio.sleep(pause)
            pause *= 2
        assert (found["Status"], found["Result"]) == ("SUCCEEDED", '"yes"'), found
        return arn

    async def run(
        self, start: Callable[[Load], Awaitable[str]], count: int, at_once: int
    ) -> list[str]:
        """Execute `count` times, `at_once` side by side; gives the ARNs."""
        self.latencies = []
        left = iter(range(count))
        arns: list[str] = []

        async def caller() -> None:
            while next(left, None) is not None:
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
