"""Measures the same works on several sides in one run, in turn, and holds them against what was promised.

A *side* is an SDK in a process of its own that does *works* ("replay 2,000 steps") when it is asked to, checks
what came of them, and tells how long they took; see `benchmarks.sides`. A *row* is a line of the table: a figure
for each side, and the bounds that ours is to keep. A peer that is not there is left out with a word. Values are
kept by pyperf, so `--pyperf FILE` can be looked at with all of its commands.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pyperf
from attrs import asdict, field, frozen
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
PEERS = ROOT / "benchmarks" / "peers"
OURS, FLOOR, PYTHON, JS = "durable_gen", "floor", "AWS Python", "AWS JS"
SIDES = (OURS, FLOOR, PYTHON, JS)
UNITS = {"s": 1.0, "ms": 1e3, "µs": 1e6}  # of a second


@frozen
class Bound:
    """What a figure of ours is to keep.

    Attributes:
        text: what is asked.
        got: what there is; None where the peer is missing.
        limit: what it may be.
        least: whether it is to be that at least, not at most.
    """

    text: str
    got: float | None
    limit: float
    least: bool = False

    @property
    def holds(self) -> bool | None:
        """Whether it is kept; None if that cannot be told."""
        if self.got is None:
            return None
        return self.got >= self.limit if self.least else self.got <= self.limit

    def __str__(self) -> str:
        word = {True: "yes", False: "NO", None: "?"}[self.holds]
        got = "" if self.got is None else f" {shown(self.got)}"
        return f"{word}{got} ({self.text})"


@frozen
class Row:
    """A line of the table.

    Attributes:
        what: what was measured.
        unit: of the figures.
        figures: one of each side that does it.
        bounds: what ours is to keep.
    """

    what: str
    unit: str
    figures: Mapping[str, float]
    bounds: tuple[Bound, ...]


def at_most(limit: float, unit: str, got: float) -> Bound:
    """Ask for a figure itself."""
    return Bound(f"at most {limit:g} {unit}".rstrip(), got, limit)


def of(figures: Mapping[str, float], side: str, limit: float) -> Bound:
    """Ask for so many times a side's figure at most."""
    return Bound(f"{limit:g} × {side}", _ratio(figures, OURS, side), limit)


def less_than(figures: Mapping[str, float], side: str, times: float = 1) -> Bound:
    """Ask for so many times less than a side's figure."""
    text = f"{times:g} × less than {side}" if times != 1 else f"less than {side}"
    return Bound(text, _ratio(figures, side, OURS), times, least=True)


def _ratio(figures: Mapping[str, float], one: str, other: str) -> float | None:
    return figures[one] / figures[other] if one in figures and other in figures else None


# --- measuring ---------------------------------------------------------------------------------------


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
        )

    def do(self, work: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Have a work done; gives what it tells of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"work": work, **given}), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            msg = f"{work} {given} failed, see above"
            raise RuntimeError(msg)
        return dict(json.loads(line))

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


@frozen
class Lab:
    """The sides that are measured, and what was taken.

    Attributes:
        rounds: runs of each work on each side.
        sides: the processes.
        values: the seconds of all runs.
    """

    rounds: int
    console: Console = field(factory=lambda: Console(stderr=True))
    sides: dict[str, Side] = field(factory=dict)
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
        node, modules = shutil.which("node"), PEERS / "node_modules"
        if node is None or not modules.exists():
            self._without(JS, "npm install --prefix benchmarks/peers, with Node.js 20 or later")
        else:
            script = str(ROOT / "benchmarks" / "sides" / "aws_js.cjs")
            self.sides[JS] = Side([node, "--expose-gc", script], {"NODE_PATH": str(modules)})

    def __exit__(self, *_: object) -> None:
        for side in self.sides.values():
            side.close()

    def _without(self, name: str, how: str) -> None:
        self.console.print(f"{name} is left out: it is not installed ({how})")

    def take(
        self, work: str, sides: Iterable[str] = (OURS,), rounds: int | None = None, **given: Any
    ) -> dict[str, Taken]:
        """Have a work done by several sides in turn, once unmeasured and then so many times.

        Args:
            work: the work.
            sides: who is to do it; who is missing does not.
            rounds: how often each is measured; 1 is not warmed up.
            **given: what the work is given.
        """
        self.start()
        there = [name for name in sides if name in self.sides]
        count = self.rounds if rounds is None else rounds
        told: dict[str, list[dict[str, Any]]] = {name: [] for name in there}
        about = ", ".join(f"{key} {value}" for key, value in given.items())
        with self.console.status("") as status:
            for turn in range(count + (count > 1)):
                for name in there:
                    status.update(f"{work} {about}: {name}, round {turn} of {count}")
                    told[name].append(self.sides[name].do(work, given))
        taken = {}
        for name, answers in told.items():
            values = [one["seconds"] for one in answers[count > 1 :] if "seconds" in one]
            if values:
                self.values[f"{work} {about}: {name}".replace(" :", ":")] = values
            middle = pyperf.Benchmark([_run(work, values)]).median() if values else 0.0
            taken[name] = Taken(middle, answers[-1])
        return taken

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


# --- showing -----------------------------------------------------------------------------------------


def shown(number: float) -> str:
    """Write a number with three digits that mean something."""
    if number >= 100 or number == int(number):
        return f"{number:,.0f}"
    return f"{number:.3g}"


def table(rows: Iterable[Row]) -> Table:
    """Make the table."""
    made = Table("what", "unit", *SIDES, "asked", show_lines=True)
    for row in rows:
        figures = [shown(row.figures[name]) if name in row.figures else "" for name in SIDES]
        colours = {True: "green", False: "red", None: "yellow"}
        bounds = [f"[{colours[one.holds]}]{one}[/]" for one in row.bounds]
        made.add_row(row.what, row.unit, *figures, "\n".join(bounds))
    return made


def markdown(rows: Iterable[Row]) -> Iterator[str]:
    """Write the table for a page."""
    yield "| what | unit | durable_gen | floor | AWS Python | AWS JS | asked, and got |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        figures = [shown(row.figures[name]) if name in row.figures else "" for name in SIDES]
        asked = "; ".join(f"{one.text}: {_got(one)}" for one in row.bounds)
        yield f"| {row.what} | {row.unit} | {' | '.join(figures)} | {asked} |"


def _got(bound: Bound) -> str:
    if bound.got is None:
        return "not measured"
    return shown(bound.got) if bound.holds else f"**{shown(bound.got)}**"


def machine() -> str:
    """Say in a line what it was measured on."""
    facts = pyperf.Run([1.0], metadata={"name": "machine"}, collect_metadata=True).get_metadata()
    words = [facts.get("cpu_model_name"), f"{os.cpu_count()} cores", platform.system()]
    return ", ".join(str(word) for word in (*words, f"CPython {platform.python_version()}") if word)


def finish(rows: list[Row], options: argparse.Namespace, lab: Lab | None = None) -> None:
    """Print the table and what falls short; write the files that were asked for; end with a status."""
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(machine())
    console.print(table(rows))
    missed = [(row, one) for row in rows for one in row.bounds if one.holds is False]
    for row, bound in missed:
        console.print(f"falls short: {row.what}: {bound.text}, and it is {shown(bound.got or 0)}")
    if not missed:
        console.print("nothing falls short")
    if options.json is not None:
        told = [{**asdict(row), "holds": [one.holds for one in row.bounds]} for row in rows]
        options.json.write_text(json.dumps({"machine": machine(), "rows": told}, indent=1) + "\n")
    if options.markdown is not None:
        options.markdown.write_text("\n".join(markdown(rows)) + "\n")
    if options.pyperf is not None and lab is not None:
        lab.suite().dump(str(options.pyperf), replace=True)
    sys.exit(bool(missed))


def arguments(name: str, about: str | None, rounds: int = 5) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=rounds, help="runs of each [%(default)s]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table as Markdown")
    parser.add_argument("--pyperf", type=Path, metavar="FILE", help="write the values for pyperf")
    return parser.parse_args()


def main(
    name: str, about: str | None, measure: Callable[[Lab], Iterator[Row]], rounds: int = 5
) -> None:
    """Be the command of a benchmark."""
    options = arguments(name, about, rounds)
    with Lab(options.rounds) as lab:
        rows = list(measure(lab))
    finish(rows, options, lab)
