"""How long a test of a workflow that waits takes, with this kit and with AWS's.

    python -m benchmarks.testkit [--rounds N] [--json]

The same workflow, of so many waits of a day, is run by `durable` and by the runner of
aws-durable-execution-sdk-python-testing, which skips time too. Each run is a process of its own, in turn; it runs
once before it is measured, and its result is checked. The medians are compared, a wait at a time. Then 1,000 waits
are run by this kit alone, every one of them an invocation that replays all before it, and 10 steps with every single
crash and failing call, 83 runs. Exit status: 1 if a limit is
missed. What is held against a limit is processor time where this kit is concerned, which never waits, and the wall's
where AWS's is, which does little else: so a busy machine judges much as a quiet one does.

AWS's kit is installed into `.venv-testkit-*` when that is missing.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
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
    "durable_gen": f"""{MEASURE}
from durable_gen import durable
from durable_gen.testing import Durable

@durable
def handler(count, ctx):
    for n in range(count):
        yield ctx.wait(f"day {{n}}", days=1)
    return count

measure(lambda n: Durable()(handler, n, timeout=None).result)
""",
    "aws": f"""{MEASURE}
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
    return {"durable_gen": Path(sys.executable), "aws": python}


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


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.testkit")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each [%(default)s]")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    pythons = environments()
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
    for _ in range(options.rounds):
        for name, program in PROGRAMS.items():
            taken[name].append(took(pythons[name], program, WAITS, 1))
    waits = {
        name: {
            clock: statistics.median(one[which] for one in times) / WAITS * 1e3
            for which, clock in enumerate(("wall", "processor"))
        }
        for name, times in taken.items()
    }
    many = [
        took(pythons["durable_gen"], PROGRAMS["durable_gen"], MANY, 0)
        for _ in range(options.rounds)
    ]
    wall, busy = min(many, key=lambda one: one[1])
    broken = [took(pythons["durable_gen"], BROKEN, STEPS, 1) for _ in range(options.rounds)]
    crashed = min(broken, key=lambda one: one[1])
    found = {
        "milliseconds a wait": waits,
        "times faster": waits["aws"]["wall"] / waits["durable_gen"]["processor"],
        "seconds of many": {"waits": MANY, "wall": wall, "processor": busy},
        "seconds of all crashes": {"steps": STEPS, "wall": crashed[0], "processor": crashed[1]},
        "limits": {"times faster": FASTER, "processor": LIMIT, "crashes": CRASHES},
    }
    print(json.dumps(found, indent=2)) if options.json else show(found, options.rounds)
    sys.exit(found["times faster"] < FASTER or busy > LIMIT or crashed[1] > CRASHES)


def show(found: dict[str, Any], rounds: int) -> None:
    """Print the table."""
    print(f"a test of waits of a day, CPython {platform.python_version()}, {rounds} runs of each")
    head = f"{'wall':>12} {'processor':>12}"
    print(f"\n  {f'{WAITS} waits, milliseconds a wait':32} {head}")
    for name, value in sorted(found["milliseconds a wait"].items()):
        print(f"  {name:32} {value['wall']:12.2f} {value['processor']:12.2f}")
    print(f"  {'times faster':32} {'':12} {found['times faster']:12.0f}   at least {FASTER}")
    many = found["seconds of many"]
    print(f"\n  {f'{MANY:,} waits, seconds, the best':32} {head}")
    print(
        f"  {'durable_gen':32} {many['wall']:12.2f} {many['processor']:12.2f}   at most {LIMIT:.1f}"
    )
    crashes = found["seconds of all crashes"]
    print(f"\n  {f'{STEPS} steps, every crash, seconds, the best':32} {head}")
    print(
        f"  {'durable_gen':32} {crashes['wall']:12.2f} {crashes['processor']:12.2f}   at most {CRASHES:.1f}"
    )


if __name__ == "__main__":
    main()
