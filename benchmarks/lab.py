"""Measures the same works on several sides in one run, in turn, and holds them against what was promised.

A *side* is an SDK in a process of its own that does *works* ("replay 2,000 steps") when it is asked to, checks
what came of them, and tells how long they took; see `benchmarks.sides`. What comes of it are rows of a table; see
`benchmarks.rows`. A peer that is not there is left out with a word. Values are kept by pyperf, so `--pyperf FILE`
can be looked at with all of its commands.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any, Self

from attrs import field, frozen

try:
    import pyperf
    from rich.console import Console
except ImportError as missing:
    sys.exit(f"{missing.name} is not installed: pip install -e '.[bench]'")

from benchmarks.rows import FLOOR, JS, OURS, PYTHON, Row, markdown, shown, table, told

ROOT = Path(__file__).parent.parent
PEERS = ROOT / "benchmarks" / "peers"
FELL_SHORT, FAILED, INTERRUPTED = 1, 2, 130  # exit statuses
FILES = {
    "json": "the rows as JSON",
    "markdown": "the table as Markdown",
    "pyperf": "all values as pyperf keeps them",
}
UNITS = {"s": 1.0, "ms": 1e3, "µs": 1e6}  # of a second


@frozen
class Taken:
    """What one side's runs of a work came to: the median of its seconds, and the last run's facts."""

    seconds: float
    facts: Mapping[str, Any]


class Side:
    """A process that does works."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,  # Ctrl-C is for the lab, which ends its sides
        )

    def do(self, work: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Have a work done; gives what it tells of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = ""
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"work": work, **given}), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        if not line:
            msg = f"{work} {given}: its process ended with {self._process.wait()}, see above"
            raise RuntimeError(msg)
        return dict(json.loads(line))

    def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()


@frozen
class Lab:
    """The sides that are measured, and what was taken.

    Attributes:
        rounds: runs of each work on each side.
        sides: the processes.
        peers: the versions of AWS's SDKs.
        values: the seconds of all runs.
    """

    rounds: int
    console: Console = field(factory=lambda: Console(stderr=True, markup=False, highlight=False))
    sides: dict[str, Side] = field(factory=dict)
    peers: dict[str, str] = field(factory=dict)
    values: dict[str, list[float]] = field(factory=dict)

    def __enter__(self) -> Self:
        return self

    def start(self) -> None:
        """Start the sides, if that was not done."""
        if self.sides:
            return
        run = [sys.executable, "-m"]
        region = {"AWS_DEFAULT_REGION": "us-east-1"}
        self.sides[OURS] = Side([*run, "benchmarks.sides.ours"], region)
        self.sides[FLOOR] = Side([*run, "benchmarks.sides.floor"], {})
        if importlib.util.find_spec("aws_durable_execution_sdk_python") is None:
            self._without(PYTHON, "pip install -e '.[bench]'")
        else:
            self.sides[PYTHON] = Side([*run, "benchmarks.sides.aws_python"], region)
            self.peers[PYTHON] = importlib.metadata.version("aws-durable-execution-sdk-python")
        node, modules = shutil.which("node"), PEERS / "node_modules"
        package = modules / "@aws" / "durable-execution-sdk-js" / "package.json"
        if node is None or not package.exists():
            self._without(JS, "npm install --prefix benchmarks/peers, with Node.js")
        else:
            script = str(ROOT / "benchmarks" / "sides" / "aws_js.cjs")
            self.sides[JS] = Side([node, "--expose-gc", script], {"NODE_PATH": str(modules)})
            on = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
            version = json.loads(package.read_text())["version"]
            self.peers[JS] = f"{version} on Node.js {on.stdout.strip()}"

    def __exit__(self, *_: object) -> None:
        for side in self.sides.values():
            side.close()

    def _without(self, name: str, how: str) -> None:
        self.console.print(f"{name} is left out: it is not installed ({how})", soft_wrap=True)

    def take(
        self, work: str, sides: Iterable[str] = (OURS,), rounds: int | None = None, **given: Any
    ) -> dict[str, Taken]:
        """Have a work done by several sides in turn, once unmeasured and then so many times.

        Args:
            work: the work.
            sides: who is to do it; who is missing does not.
            rounds: how often each is measured, if not as often as all; 1 is not warmed up.
            **given: what the work is given.
        """
        self.start()
        there = [name for name in sides if name in self.sides]
        count, warm = rounds or self.rounds, rounds != 1
        answers: dict[str, list[dict[str, Any]]] = {name: [] for name in there}
        about = ", ".join([work, *(f"{key} {value}" for key, value in given.items())])
        with self.console.status("") as status:
            for turn in range(1 - warm, count + 1):
                word = f"round {turn} of {count}" if turn else "warming up"
                for name in there:
                    status.update(f"{about}: {name}, {word}")
                    answers[name].append(self.sides[name].do(work, given))
        taken = {}
        for name, all_ in answers.items():
            values = [one["seconds"] for one in all_[warm:] if "seconds" in one]
            self.keep(f"{about}: {name}", values)
            taken[name] = Taken(median(values or [0.0]), all_[-1])
        return taken

    def keep(self, name: str, values: list[float]) -> None:
        """Keep what was measured, in seconds, for pyperf."""
        if values:
            self.values[name] = values

    def suite(self) -> pyperf.BenchmarkSuite:
        """Give all values as pyperf keeps them."""
        return pyperf.BenchmarkSuite(
            [pyperf.Benchmark([_run(name, values)]) for name, values in self.values.items()]
        )


def _run(name: str, values: list[float]) -> pyperf.Run:
    metadata = {"name": name, "unit": "second"}
    return pyperf.Run(values, metadata=metadata, collect_metadata=False)


def seconds(taken: Mapping[str, Taken], unit: str, count: int = 1) -> dict[str, float]:
    """Give the sides' seconds in a unit, for each of so many."""
    return {name: one.seconds * UNITS[unit] / count for name, one in taken.items()}


def slope(
    few: Mapping[str, Taken], many: Mapping[str, Taken], count: int, unit: str = "µs"
) -> dict[str, float]:
    """Give what one more of a thing takes: the difference of two sizes, so that no fixed cost counts."""
    return {
        name: (many[name].seconds - few[name].seconds) * UNITS[unit] / count
        for name in many
        if name in few
    }


# --- telling -----------------------------------------------------------------------------------------


def machine() -> str:
    """Say in a line what it was measured on."""
    facts = pyperf.Run([1.0], metadata={"name": "machine"}, collect_metadata=True).get_metadata()
    words = [facts.get("cpu_model_name"), f"{os.cpu_count()} cores", platform.system()]
    return ", ".join(str(word) for word in (*words, f"CPython {platform.python_version()}") if word)


def tell(rows: list[Row], why: str | None, options: argparse.Namespace, lab: Lab) -> bool:
    """Print the table and what falls short, and write the files that were asked for.

    Args:
        rows: what was measured.
        why: why that is not all.
        options: the files.
        lab: has the values.

    Returns:
        Whether nothing falls short.
    """
    console = Console(width=None if sys.stdout.isatty() else 150)
    where = ", ".join([machine(), *(f"{name} {word}" for name, word in lab.peers.items())])
    console.print(where)
    console.print(table(rows))
    missed = [(row, one) for row in rows for one in row.bounds if one.holds is False]
    for row, bound in missed:
        console.print(f"falls short: {row.what}: {bound.text}, and it is {shown(bound.got or 0)}")
    unknown = sum(one.holds is None for row in rows for one in row.bounds)
    if unknown:
        console.print(f"not told: {unknown} of what is asked, marked ?")
    elif not missed and why is None:
        console.print("nothing falls short")
    if options.json is not None:
        found = {"where": where, "rounds": lab.rounds, "incomplete": why}
        found["rows"] = [told(row) for row in rows]
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if options.markdown is not None:
        options.markdown.write_text("\n".join([where, "", *markdown(rows), ""]))
    if options.pyperf is not None:
        lab.suite().dump(str(options.pyperf), replace=True)
    return not missed


def arguments(name: str, about: str | None, rounds: int = 5) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=natural, default=rounds, help="of each [%(default)s]")
    for option, what in FILES.items():
        parser.add_argument(f"--{option}", type=writable, metavar="FILE", help=f"write {what}")
    return parser.parse_args()


def natural(word: str) -> int:
    """Read an option that says how often."""
    if not word.isdecimal() or int(word) < 1:
        msg = f"{word!r} is no number from 1"
        raise argparse.ArgumentTypeError(msg)
    return int(word)


def writable(word: str) -> Path:
    """Read an option that says where to write, before much is measured for it."""
    if not Path(word).absolute().parent.is_dir():
        msg = f"there is no folder {Path(word).parent}"
        raise argparse.ArgumentTypeError(msg)
    return Path(word)


def main(
    name: str, about: str | None, measure: Callable[[Lab], Iterator[Row]], rounds: int = 5
) -> None:
    """Be the command of a benchmark."""
    options, rows, status, why = arguments(name, about, rounds), list[Row](), 0, None
    with Lab(options.rounds) as lab:
        try:
            for row in measure(lab):
                rows.append(row)
        except KeyboardInterrupt:
            why, status = "it was interrupted", INTERRUPTED
        except (RuntimeError, AssertionError, OSError, subprocess.SubprocessError) as error:
            why, status = f"{type(error).__name__}: {error}", FAILED
    if rows and not tell(rows, why, options, lab):
        status = status or FELL_SHORT
    if why is not None:
        lab.console.print(f"not all was measured: {why}", soft_wrap=True)
    sys.exit(status)
