"""How long a cold start takes, beside AWS's Python SDK: the import, and the first checkpoint's answer.

Each start is a process of its own, in an environment that has nothing but the SDK and what it needs,
compiled as pip does it; the SDKs take turns. The environment variables are Lambda's, and the service is a
server on the loopback that answers at once. Both clocks run from the start of the process, and the medians
are compared, a bare interpreter's start included: it is the floor. The limits are for the processor's time: a cold
start is little else, and it is the same on a busy machine.

The environments are made in `.venv-cold-*` when they are missing; this checkout is installed anew each time.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.environments import ROOT, environment
from benchmarks.lab import Lab, main
from benchmarks.rows import FLOOR, OURS, PYTHON, Row, of

THEIRS = "aws-durable-execution-sdk-python ~= 3.0"
LIMITS = {"imported": 0.5, "answered": 0.75}  # of AWS's time of the processor
PATIENCE = 60  # seconds

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f:1/durable-execution/run/run"
EVENT = {
    "DurableExecutionArn": ARN,
    "CheckpointToken": "dG9rZW4=",
    "InitialExecutionState": {
        "Operations": [
            {
                "Id": "run",
                "Type": "EXECUTION",
                "Status": "STARTED",
                "StartTimestamp": 1_700_000_000_000,
                "ExecutionDetails": {"InputPayload": "{}"},
            }
        ],
        "NextMarker": "",
    },
}
# Each says when it has come to a point, on the clock that all processes of a machine share.
PROLOGUE = """
import os, sys, time
def at(point):
    os.write(1, f"{point} {time.perf_counter()} {time.process_time()}\\n".encode())
"""
EPILOGUE = f"""
at("ready")
answer = handler({EVENT!r}, None)
at("answered")
assert answer["Status"] == "SUCCEEDED", answer
"""
PROGRAMS = {
    PYTHON: f"""{PROLOGUE}
import aws_durable_execution_sdk_python as sdk
at("imported")
@sdk.durable_execution
def handler(event, context):
    return context.step(lambda _: 1, name="one")
{EPILOGUE}""",
    OURS: f"""{PROLOGUE}
import durable_gen as sdk
at("imported")
@sdk.durable
def handler(event, ctx):
    return (yield ctx.step("one", lambda: 1))
{EPILOGUE}""",
    FLOOR: f"""{PROLOGUE}
at("imported")
""",
}
POINTS = {
    "imported": "the import has ended",
    "ready": "the handler is decorated",
    "answered": "the first checkpoint is answered",
}
CLOCKS = ("wall", "processor")


class Service(ThreadingHTTPServer):
    """A service that takes every checkpoint, and notes when it has answered."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.answered: list[float] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: Service

    def do_POST(self) -> None:
        """Take a checkpoint in."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"CheckpointToken": "dG9rZW4=", "NewExecutionState": {"Operations": []}}'
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        self.server.answered.append(time.perf_counter())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


def start(python: Path, program: str, service: Service) -> dict[str, tuple[float, float]]:
    """Start a process; tell after how many milliseconds, and of processor time, it came to each point."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{service.server_address[1]}",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",  # nobody calls it here
    }
    service.answered.clear()
    began = time.perf_counter()
    ended = subprocess.run(
        [str(python), "-c", program],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    points = {}
    for line in ended.stdout.splitlines():
        point, moment, busy = line.split()
        if point == "answered":  # the service knows it better
            moment = str(service.answered[0])
        points[point] = ((float(moment) - began) * 1000, float(busy) * 1000)
    return points


def measure(lab: Lab) -> Iterator[Row]:
    """Measure the rows."""
    ours = environment("cold-durable-gen", str(ROOT), lab.console)
    if ours is None:
        msg = "this checkout cannot be installed, see above"
        raise RuntimeError(msg)
    theirs = environment("cold-aws", THEIRS, lab.console)
    pythons = {PYTHON: theirs, OURS: ours, FLOOR: ours}
    service = Service()
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with lab.console.status("cold starts") as status:
        for turn in range(lab.rounds + 1):
            word = f"round {turn} of {lab.rounds}" if turn else "warming up"
            status.update(f"cold starts: {word}")
            for name, python in pythons.items():
                if python is None:
                    continue
                points = start(python, PROGRAMS[name], service)
                if turn:  # the first start finds nothing in the file system's cache
                    for point, times in points.items():
                        taken.setdefault((point, name), []).append(times)
    service.shutdown()
    for which, clock in reversed(list(enumerate(CLOCKS))):
        for point, about in POINTS.items():
            what, took = f"cold start until {about}, {clock}", {}
            for name in PROGRAMS:
                values = [times[which] for times in taken.get((point, name), ())]
                lab.keep(f"{what}: {name}", [value / 1e3 for value in values])
                took |= {name: median(values)} if values else {}
            limited = clock == "processor" and point in LIMITS
            bounds = (of(took, PYTHON, LIMITS[point]),) if limited else ()
            yield Row(what, "ms", took, bounds)


if __name__ == "__main__":
    main("coldstart", __doc__, measure, rounds=15)
