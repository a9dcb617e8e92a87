"""How long a test of a workflow that waits takes, with this kit and with AWS's.

The same workflow, of so many waits of a day, is run by `durable` and by the runner of
aws-durable-execution-sdk-python-testing, which skips time too. Each run is a process of its own, in turn; it runs
once before it is measured, and its result is checked. The medians are compared, a wait at a time. Then 1,000 waits
are run by this kit alone, every one of them an invocation that replays all before it, and 10 steps with every single
crash and failing call, 83 runs. Two kits are compared by the clock on the wall; this one alone, which never waits,
by processor time, which is the same on a busy machine.

AWS's kit is installed into `.venv-aws-testing-*` when that is missing.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.environments import AWS_TESTING, environment
from benchmarks.lab import Lab, main
from benchmarks.rows import OURS, PYTHON, Row, at_most, less_than

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


def run(*command: str) -> str:
    """Run a command, and give what it prints."""
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
    if ended.returncode:
        raise RuntimeError(ended.stdout + ended.stderr)
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
    theirs = environment("aws-testing", AWS_TESTING, lab.console)
    pythons = {OURS: Path(sys.executable)} | ({PYTHON: theirs} if theirs else {})
    waits: dict[str, list[float]] = {name: [] for name in pythons}
    many, broken = list[float](), list[float]()
    with lab.console.status("the test kits") as status:
        for turn in range(lab.rounds):
            status.update(f"the test kits: round {turn + 1} of {lab.rounds}")
            for name, python in pythons.items():
                waits[name].append(took(python, PROGRAMS[name], WAITS, 1)[0] / WAITS)
            many.append(took(pythons[OURS], PROGRAMS[OURS], MANY, 0)[1])
            broken.append(took(pythons[OURS], BROKEN, STEPS, 1)[1])
    what = f"a wait of a day in a test of {WAITS}"
    figures = {name: median(values) * 1e3 for name, values in waits.items()}
    yield Row(what, "ms", figures, (less_than(figures, PYTHON, FASTER),))
    for name, values in waits.items():
        lab.keep(f"{what}: {name}", values)
    for what, values, limit in (
        (f"a test of {MANY:,} waits, processor", many, LIMIT),
        (f"all crashes of {STEPS} steps, processor", broken, CRASHES),
    ):
        lab.keep(f"{what}: {OURS}", values)
        figure = median(values)
        yield Row(what, "s", {OURS: figure}, (at_most(limit, "s", figure),))


if __name__ == "__main__":
    main("testkit", __doc__, measure)
