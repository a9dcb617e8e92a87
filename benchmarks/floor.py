"""The smallest server that `benchmarks.load` is content with: canned answers, nothing kept, nothing checked.

What it takes for an execution is what the load itself takes, and HTTP in one thread of Python: no
service can be faster than that here, so it says how many times as fast as another one can be at most.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from urllib.parse import unquote

from benchmarks.load import FUNCTION, STEPS, Messages

JSON = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s"
ROOT = '{"Id":"x","Type":"EXECUTION","Status":"STARTED"}'
ASKED = '{"Id":"c","Type":"CALLBACK","Status":"STARTED","CallbackDetails":{"CallbackId":"%s"}}'
ANSWERED = '{"Id":"c","Type":"CALLBACK","Status":"SUCCEEDED","CallbackDetails":{"CallbackId":"%s","Result":"\\"yes\\""}}'
DONE = ",".join(
    json.dumps({"Id": f"s{n}", "Type": "STEP", "StepDetails": {"Result": json.dumps({"i": n})}})
    for n in range(STEPS)
)
EVENT = (
    '{"DurableExecutionArn":"%s","CheckpointToken":"t","InitialExecutionState":{"Operations":[%s]}}'
)
HISTORY = json.dumps(
    {
        "Events": [
            *({"Id": f"s{n}", "EventType": "StepSucceeded"} for n in range(2 * STEPS)),
            {"EventType": "ExecutionSucceeded"},
        ]
    }
)
CHECKPOINTED = '{"CheckpointToken":"t","NewExecutionState":{"Operations":[]}}'
SUCCEEDED = '{"Status":"SUCCEEDED","Result":"\\"yes\\""}'


class Floor:
    """What knows of an execution only whether it is over, and of a callback whose it is."""

    def __init__(self, function: int) -> None:
        self._function = function
        self._free: list[Messages] = []
        self._over: set[str] = set()
        self._tasks: set[asyncio.Future[None]] = set()

    def asked(self, connection: Messages, head: bytes, body: bytes) -> None:
        """Answer a request."""
        path, status, more, text = head.split(b" ", 2)[1].decode(), 200, b"", CHECKPOINTED
        last = path.rpartition("/")[2]
        if last.startswith("invocations"):
            arn = str(uuid.uuid4())
            self._invoke(arn, ROOT)
            status, more, text = 202, f"X-Amz-Durable-Execution-Arn: {arn}\r\n".encode(), ""
        elif last == "checkpoint":
            if b'"CALLBACK"' in body:
                asked = ASKED % unquote(path.split("/")[-2])
                text = CHECKPOINTED.replace("[]", f"[{asked}]")
        elif last == "succeed":
            arn = unquote(path.split("/")[-2])
            self._invoke(arn, f"{ROOT},{DONE},{ANSWERED % arn}")
            text = "{}"
        elif last.startswith("history"):
            text = HISTORY
        else:
            text = SUCCEEDED if unquote(last) in self._over else '{"Status":"RUNNING"}'
        connection.transport.write(JSON % (status, len(text), more, text.encode()))

    def _invoke(self, arn: str, operations: str) -> None:
        task = asyncio.ensure_future(self._send(arn, EVENT % (arn, operations)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, arn: str, event: str) -> None:
        over = asyncio.get_running_loop().create_future()

        def told(connection: Messages, head: bytes, body: bytes) -> None:
            del head
            self._free.append(connection)
            if b'"SUCCEEDED"' in body:
                self._over.add(arn)
            over.set_result(None)

        if self._free:
            connection = self._free.pop()
        else:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(
                lambda: Messages(told), "127.0.0.1", self._function
            )
        connection.told = told
        path = f"/2015-03-31/functions/{FUNCTION}/invocations"
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(event)}\r\n\r\n"
        connection.transport.write((head + event).encode())
        await over


async def serve(port: int, function: int) -> None:
    floor = Floor(function)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Messages(floor.asked), "127.0.0.1", port, backlog=256)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
