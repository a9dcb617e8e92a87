"""How long a test of a workflow that waits takes, with this kit and with AWS's.

The same workflow, of so many waits of a day, is run by `durable` and by the runner of
aws-durable-execution-sdk-python-testing, which skips time too. Each run is a process of its own, in turn; it runs
once before it is measured, and its result is checked. The medians are compared, a wait at a time. Then 1,000 waits
are run by this kit alone, every one of them an invocation that replays all before it, and 10 steps with every single
crash and failing call, 83 runs. What is held against a limit is processor time where this kit is concerned, which never waits, and the wall's
where AWS's is, which does little else: so a busy machine judges much as a quiet one does.

AWS's kit is installed into `.venv-testkit-*` when that is missing.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.lab import OURS, PYTHON, ROOT, Bound, Lab, Row, at_most, main

THEIRS = "aws-durable-execution-sdk-python-testing ~= 1.4"
WAITS, MANY = 20, 1_000
FASTER = 50  # times, a wait: at least
LIMIT = 3.0  # seconds of processor time for MANY waits: at most
STEPS = 10
CRASHES = 1.0  # seconds of processor time for all crashes of a workflow of STEPS: at most
PATIENCE = 300  # seconds

MEASURE = """
import logging, sys, time
logging.disable(logging.CRITICAL)
def measure(run):
    count, warm = int(sys.argv[1]), int(sys.argv[2])
    for n in [count] * warm + [count]:
        began, busy = time.perf_counter(), time.process_time()
        found = run(n)
        took = time.perf_counter() - began, time.process_time() - busy
        assert found == n, found
    print(*took)
"""
PROGRAMS = {
    OURS: f"""{MEASURE}
from durable_gen import durable
from durable_gen.testing import Durable

@durable
def handler(count, ctx):
    for n in range(count):
        yield ctx.wait(f"day {{n}}", days=1)
    return count

measure(lambda n: Durable()(handler, n, timeout=None).result)
""",
    PYTHON: f"""{MEASURE}
import json
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration
from aws_durable_execution_sdk_python_testing.runner import DurableFunctionTestRunner

@durable_execution
def handler(count, context):
    for n in range(count):
        context.wait(Duration.from_seconds(86_400), name=f"day {{n}}")
    return count

def run(n):
    with DurableFunctionTestRunner(handler=handler) as runner:
        return json.loads(runner.run(input=json.dumps(n), execution_timeout=300).result)

measure(run)
""",
}


def environments() -> dict[str, Path]:
    """Find the interpreters; make the one that has AWS's kit."""
    folder = ROOT / f".venv-testkit-{platform.python_version()}"
    python = folder / "bin" / "python"
    if not python.exists():
        run(sys.executable, "-m", "venv", str(folder))
        run(str(python), "-m", "pip", "install", "-q", THEIRS)
    return {OURS: Path(sys.executable), PYTHON: python}


def run(*command: str) -> str:
    """Run a command, and give what it prints."""
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
    if ended.returncode:
        sys.exit(f"{' '.join(command)[:200]}\n{ended.stdout}{ended.stderr}")
    return ended.stdout


BROKEN = f"""{MEASURE}
from durable_gen import durable
from durable_gen.testing import Durable

@durable
def handler(count, ctx):
    for n in range(count):
        yield ctx.step(f"step {{n}}", int)
    return count

measure(lambda n: Durable().crashes(handler, n).whole.result)
"""


def took(python: Path, program: str, waits: int, warm: int) -> tuple[float, float]:
    """Measure one run: seconds, and seconds of processor time."""
    wall, busy = run(str(python), "-c", program, str(waits), str(warm)).split()[-2:]
    return float(wall), float(busy)


def measure(lab: Lab) -> Iterator[Row]:
    """Measure the rows."""
    pythons = environments()
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
    with lab.console.status("the test kits"):
        for _ in range(lab.rounds):
            for name, program in PROGRAMS.items():
                taken[name].append(took(pythons[name], program, WAITS, 1))
        ours = PROGRAMS[OURS]
        many = min(took(pythons[OURS], ours, MANY, 0)[1] for _ in range(lab.rounds))
        broken = min(took(pythons[OURS], BROKEN, STEPS, 1)[1] for _ in range(lab.rounds))
    waits = {OURS: median(busy for _, busy in taken[OURS])} | {
        PYTHON: median(wall for wall, _ in taken[PYTHON])
    }
    waits = {name: seconds / WAITS * 1e3 for name, seconds in waits.items()}
    faster = Bound(f"{FASTER} × faster", waits[PYTHON] / waits[OURS], FASTER, least=True)
    yield Row(f"a wait of a day in a test of {WAITS}", "ms", waits, (faster,))
    yield Row(f"a test of {MANY:,} waits", "s", {OURS: many}, (at_most(LIMIT, "s", many),))
    yield Row(
        f"all crashes of {STEPS} steps", "s", {OURS: broken}, (at_most(CRASHES, "s", broken),)
    )


if __name__ == "__main__":
    main("testkit", __doc__, measure)
