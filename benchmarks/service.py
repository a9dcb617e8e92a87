"""How fast the service is, beside AWS's local runner: executions a second, and how long a checkpoint takes.

    python -m benchmarks.service [--peer PYTHON] [--at-once 1,10,50] [--rounds N] [--json FILE]

All are driven in one run, in turn, each in a process of its own, by the same load (see `benchmarks.load`):
a function behind an Invoke endpoint, called by a service, sends its checkpoints over raw HTTP, and what it did
is looked up in the history afterwards. AWS's runner needs an environment of its own: `--peer` names its
interpreter; if it is left out, one is made in build/, and what cannot be had is left out with a word.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
import venv
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import frozen

from benchmarks.load import FUNCTION, STEPS, Load

PEER = "aws-durable-execution-sdk-python-testing==1.4.0"
ROOT = Path(__file__).parent.parent
Start = Callable[[Load], Awaitable[str]]

OURS = "durable_gen"
IN_MEMORY = """
import sys
from benchmarks.service import serve_in_memory
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
    """

    name: str
    store: str
    command: Callable[[int, str, Path], list[str]]
    start: Start


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


def theirs(python: str, store: str) -> Side:
    """Describe AWS's local runner."""

    def command(port: int, endpoint: str, folder: Path) -> list[str]:
        options = ["--host", "127.0.0.1", "--port", str(port), "--lambda-endpoint", endpoint]
        options += ["--log-level", "WARNING", "--store-type", store]
        options += ["--store-path", f"{folder}/theirs.db"] if store == "sqlite" else []
        return [python, "-c", THEIRS, "start-server", *options]

    return Side("AWS's runner", store, command, start_theirs)


def floor() -> Side:
    """Describe the smallest server imaginable."""

    def command(port: int, endpoint: str, folder: Path) -> list[str]:
        del folder
        return [sys.executable, "-m", "benchmarks.floor", str(port), endpoint.rpartition(":")[2]]

    return Side("floor", "none", command, start_ours)


def peer(given: str | None) -> str | None:
    """Find an interpreter that has AWS's runner, or make one; None if it cannot be had."""
    if given is not None:
        return given
    folder = ROOT / "build" / "peer"
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making an environment for {PEER} in {folder.relative_to(ROOT)}", file=sys.stderr)
        venv.create(folder, with_pip=True)
    command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", PEER]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        print(f"AWS's runner cannot be had, so ours is measured alone: {found.stderr.strip()}")
        return None
    return str(python)


@contextlib.contextmanager
def running(side: Side, function: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a service in a process of its own; gives it and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder = Path(tempfile.mkdtemp(prefix="durable-gen-bench-"))
    words = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    environment = {**os.environ, **words, "AWS_DEFAULT_REGION": "us-east-1"}
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
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


async def measured(
    load: Load, side: Side, function: int, at_once: int, each: int
) -> dict[str, float]:
    """Measure a service at one concurrency."""
    with running(side, function) as (process, port):
        load.connect(port)
        await load.check(await load.run(side.start, at_once, at_once))  # what is loaded but once
        count = max(each, at_once)
        cpu, began = spent(process), time.perf_counter()
        arns = await load.run(side.start, count, at_once)
        seconds, cpu = time.perf_counter() - began, spent(process) - cpu
        cuts = statistics.quantiles(load.latencies, n=100)
        await load.check(arns)
    return {
        "executions": count / seconds,
        "median": cuts[49] * 1e3,
        "p99": cuts[98] * 1e3,
        "cpu": cpu / count * 1e3,
    }


async def measure(
    sides: list[Side], levels: list[int], rounds: int, each: int
) -> list[dict[str, Any]]:
    """Measure all services in turn, several times; gives the medians."""
    load, found = Load(), dict[tuple[int, int], list[dict[str, float]]]()
    async with load.functions() as function:
        for _ in range(rounds):
            for at_once in levels:
                for place, side in enumerate(sides):
                    one = await measured(load, side, function, at_once, each)
                    found.setdefault((at_once, place), []).append(one)
    return [
        {"at_once": at_once, "service": sides[place].name, "store": sides[place].store}
        | {key: statistics.median(one[key] for one in several) for key in several[0]}
        for (at_once, place), several in found.items()
    ]


def compared(rows: list[dict[str, Any]]) -> None:
    """Note how many times as fast ours is as AWS's runner with the same kind of store."""
    theirs = {(r["at_once"], r["store"]): r["executions"] for r in rows if r["service"] != OURS}
    for row in rows:
        same = theirs.get((row["at_once"], row["store"]))
        row["ratio"] = row["executions"] / same if same and row["service"] == OURS else None


def shown(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Write the table."""
    yield (
        f"{'at once':>7}  {'service':12} {'store':7} {'executions/s':>12} {'ratio':>6}  "
        f"{'checkpoint ms':>13} {'p99':>7}  {'cpu ms':>6}"
    )
    for row in rows:
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.1f}x"
        yield (
            f"{row['at_once']:7}  {row['service']:12} {row['store']:7} {row['executions']:12.1f} "
            f"{ratio:>6}  {row['median']:13.2f} {row['p99']:7.2f}  {row['cpu']:6.1f}"
        )


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service")
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter that has AWS's runner")
    parser.add_argument("--at-once", default="1,10,50", help="executions side by side")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--each", type=int, default=20, help="executions measured at least, of each"
    )
    parser.add_argument("--only", choices=["ours", "theirs"])
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    sides = [] if options.only == "theirs" else [floor(), ours("sqlite"), ours("memory")]
    python = None if options.only == "ours" else peer(options.peer)
    if python is not None:
        sides += [theirs(python, "sqlite"), theirs(python, "memory")]
    levels = [int(word) for word in options.at_once.split(",")]
    rows = asyncio.run(measure(sides, levels, options.rounds, options.each))
    print(
        f"{2 * STEPS} steps, a checkpoint each, and a callback; CPython {platform.python_version()}, "
        f"medians of {options.rounds}"
    )
    print("cpu ms: of the service, for an execution; ratio: to AWS's runner with the same store")
    compared(rows)
    for line in shown(rows):
        print(line)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
