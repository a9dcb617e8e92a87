"""The servers that `benchmarks.service` measures, each in a process of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

from attrs import field, frozen

from benchmarks.environments import ROOT
from benchmarks.load import FUNCTION, Load

TICK = 1 / os.sysconf("SC_CLK_TCK")  # seconds, the least time of a processor that can be told
Start = Callable[[Load], Awaitable[str]]

OURS, THEIR_NAME, FLOOR = "durable_gen", "AWS's runner", "floor"
IN_MEMORY = """
import sys
from benchmarks.servers import serve_in_memory
serve_in_memory(int(sys.argv[1]), sys.argv[2])
"""
THEIRS = "from aws_durable_execution_sdk_python_testing.cli import main; raise SystemExit(main())"


@frozen
class Side:
    """A service that is measured.

    Attributes:
        name: what the table calls it.
        store: what it keeps executions in.
        command: makes its command line of a port, a function's endpoint and a folder.
        start: starts an execution.
        environment: variables of its process.
    """

    name: str
    store: str
    command: Callable[[int, str, Path], list[str]]
    start: Start
    environment: Mapping[str, str] = field(factory=dict)


def serve_in_memory(port: int, endpoint: str) -> None:
    """Serve ours from memory, until the process is ended."""
    import threading

    from durable_gen.local import MemoryStore, Service
    from durable_gen.local._functions import Function
    from durable_gen.local._remote import Remote
    from durable_gen.local._serving import Serving

    service = Service(MemoryStore())
    service.deploy(Function(FUNCTION, "$LATEST", None, durable=True, timeout=600))
    with Serving(service, lambda _: Remote(endpoint), port=port):
        threading.Event().wait()


async def start_ours(load: Load) -> str:
    path = f"/2015-03-31/functions/{FUNCTION}/invocations?Qualifier=%24LATEST"
    answer = await load.call("POST", path, {}, X_Amz_Invocation_Type="Event")
    return str(answer["DurableExecutionArn"])


async def start_theirs(load: Load) -> str:
    request = {
        "AccountId": "123456789012",
        "FunctionName": FUNCTION,
        "FunctionQualifier": "$LATEST",
        "ExecutionName": str(uuid.uuid4()),
        "ExecutionTimeoutSeconds": 600,
        "ExecutionRetentionPeriodDays": 1,
        "InvocationId": str(uuid.uuid4()),
        "Input": "{}",
    }
    return str((await load.call("POST", "/start-durable-execution", request))["ExecutionArn"])


def ours(store: str) -> Side:
    """Describe our service."""

    def command(port: int, endpoint: str, folder: Path) -> list[str]:
        if store == "memory":
            return [sys.executable, "-c", IN_MEMORY, str(port), endpoint]
        options = [
            "--port",
            str(port),
            "--lambda-endpoint",
            endpoint,
            "--store",
            f"{folder}/ours.db",
        ]
        code = "from durable_gen.cli import main; main()"
        return [
            sys.executable,
            "-c",
            code,
            "serve",
            "--function",
            f"{FUNCTION}=load:none",
            *options,
        ]

    return Side(OURS, store, command, start_ours)


def theirs(python: Path, store: str) -> Side:
    """Describe AWS's local runner."""

    def command(port: int, endpoint: str, folder: Path) -> list[str]:
        options = ["--host", "127.0.0.1", "--port", str(port), "--lambda-endpoint", endpoint]
        options += ["--log-level", "WARNING", "--store-type", store]
        options += ["--store-path", f"{folder}/theirs.db"] if store == "sqlite" else []
        return [str(python), "-c", THEIRS, "start-server", *options]

    signs = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}  # it cannot do without
    return Side(THEIR_NAME, store, command, start_theirs, signs)


def floor() -> Side:
    """Describe the smallest server imaginable."""

    def command(port: int, endpoint: str, folder: Path) -> list[str]:
        del folder
        return [sys.executable, "-m", "benchmarks.floor", str(port), endpoint.rpartition(":")[2]]

    return Side(FLOOR, "none", command, start_ours)


@contextlib.contextmanager
def running(side: Side, function: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a service in a process of its own; gives it and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder = Path(tempfile.mkdtemp(prefix="durable-gen-bench-"))
    environment = {**os.environ, **side.environment, "AWS_DEFAULT_REGION": "us-east-1"}
    command = side.command(port, f"http://127.0.0.1:{function}", folder)
    with (folder / "output").open("w+") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            for _ in range(600):
                if process.poll() is not None:
                    raise RuntimeError((folder / "output").read_text())
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            yield process, port
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            shutil.rmtree(folder)


def spent(process: subprocess.Popen[bytes]) -> float:
    """Tell the processor's seconds that a process has taken; 0 where that cannot be told."""
    try:
        words = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) * TICK
