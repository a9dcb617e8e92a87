"""How fast the service is, beside AWS's local runner: executions a second, and how long a checkpoint takes.

All are driven in one run, in turn, each in a process of its own, by the same load (see `benchmarks.load`):
a function behind an Invoke endpoint, called by a service, sends its checkpoints over raw HTTP, and what it did
is looked up in the history afterwards. AWS's runner needs an environment of its own: `--peer` names its
interpreter; if it is left out, `.venv-aws-testing-*` is, and what cannot be had is left out with a word.

Beside them is a floor, the smallest server that the load is content with (see `benchmarks.floor`): no service
can be faster here. Ours is to be 5 times as fast as AWS's runner wherever the floor is 20 times as fast: then
a service may take three times as long as the load itself. The exit status is 1 if it is not.

A checkpoint's latency is measured twice: with so many executions side by side, each as fast as it can be, and
at their pace: with as many executions a second as AWS's runner did. The first says little where one side has
many times the other's checkpoints under way.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import rows as rows_
from benchmarks.environments import AWS_TESTING, environment
from benchmarks.lab import INTERRUPTED, Lab, natural, writable
from benchmarks.load import STEPS, Load
from benchmarks.servers import (
    FLOOR,
    OURS,
    THEIR_NAME,
    TICK,
    Side,
    floor,
    ours,
    running,
    spent,
    theirs,
)

FASTER = 5  # times as fast as AWS's runner, that ours is to be
ROOM = 20  # times as fast as AWS's runner, that the floor must be for that
STORES = ("sqlite", "memory")
LEVELS = [1, 10, 50]  # executions at once
ROUNDS = 3
EACH = 60  # executions at least, of each round
MEASURES = {
    "executions": "executions a second",
    "paced": "a checkpoint at their pace",
    "median": "a checkpoint, flat out",
    "cpu": "processor time",
}
"""What is compared; the first two must hold."""
Measured = dict[str, float]
Rows = dict[tuple[str, str], Measured]  # service and store -> what was measured


async def measured(
    load: Load, side: Side, function: int, at_once: int, each: int, pace: float | None
) -> Measured:
    """Measure a service at one concurrency; its latency also at a pace, in executions a second."""
    with running(side, function) as (process, port):
        load.connect(port)
        await load.check(await load.run(side.start, at_once, at_once))  # what is loaded but once
        count = max(each, at_once)
        cpu, own, began = spent(process), time.process_time(), time.perf_counter()
        arns = await load.run(side.start, count, at_once)
        seconds, cpu = time.perf_counter() - began, max(spent(process) - cpu, TICK)
        own = time.process_time() - own
        cuts = paced = statistics.quantiles(load.latencies, n=100)
        if pace is not None:
            arns += await load.run(side.start, count, at_once, pace)
            paced = statistics.quantiles(load.latencies, n=100)
        await load.check(arns)
    return {
        "executions": count / seconds,
        "median": cuts[49] * 1e3,
        "p99": cuts[98] * 1e3,
        "paced": paced[49] * 1e3,
        "cpu": cpu / count * 1e3,
        "load": own / count * 1e3,
    }


async def measure_all(
    sides: list[Side], levels: list[int], rounds: int, each: int
) -> dict[int, list[Rows]]:
    """Measure all services in turn, several times, AWS's runner before the others."""
    load, found = Load(), dict[int, list[Rows]]()
    async with load.functions() as function:
        for _ in range(rounds):
            for at_once in levels:
                rows: Rows = {}
                for side in sides:
                    base = rows.get((THEIR_NAME, "memory" if side.name == FLOOR else side.store))
                    pace = None if base is None else base["executions"]
                    row = await measured(load, side, function, at_once, each, pace)
                    rows[side.name, side.store] = row
                found.setdefault(at_once, []).append(rows)
    return found


def medians(rounds: list[Rows]) -> Rows:
    """Take the medians of what was measured in several rounds."""
    return {
        who: {key: statistics.median(rows[who][key] for rows in rounds) for key in row}
        for who, row in rounds[0].items()
    }


def ratios(rounds: list[Rows], who: tuple[str, str], store: str) -> Measured:
    """Tell how many times as fast a service is as AWS's runner with a store: medians over the rounds."""
    found = {}
    for key in MEASURES:
        each = [(rows[who][key], rows[THEIR_NAME, store][key]) for rows in rounds]
        times = [one / other if key == "executions" else other / one for one, other in each]
        found[key] = statistics.median(times)
    return found


def compared(found: dict[int, list[Rows]]) -> list[dict[str, Any]]:
    """Compare ours, and the floor, with AWS's runner."""
    return [
        {
            "at_once": at_once,
            "store": store,
            "ratios": ratios(rounds, (OURS, store), store),
            "floor": ratios(rounds, (FLOOR, "none"), store),
        }
        for at_once, rounds in found.items()
        for store in STORES
        if {(OURS, store), (FLOOR, "none"), (THEIR_NAME, store)} <= rounds[0].keys()
    ]


def missed(one: dict[str, Any]) -> list[str]:
    """List the measures by which ours falls short, though the floor leaves room for it."""
    return [
        key
        for key in list(MEASURES)[:2]
        if one["ratios"][key] < FASTER and one["floor"][key] >= ROOM
    ]


def table(found: dict[int, list[Rows]]) -> Iterator[str]:
    """Write what was measured."""
    yield (
        f"{'at once':>7}  {'service':12} {'store':7} {'executions/s':>12}  {'checkpoint ms':>13} "
        f"{'p99':>7} {'at their pace':>14}  {'cpu ms':>6}  {'load cpu ms':>11}"
    )
    for at_once, rounds in found.items():
        for (service, store), row in medians(rounds).items():
            yield (
                f"{at_once:7}  {service:12} {store:7} {row['executions']:12.1f}  {row['median']:13.2f} "
                f"{row['p99']:7.2f} {row['paced']:14.2f}  {row['cpu']:6.1f}  {row['load']:11.1f}"
            )


def verdicts(comparisons: list[dict[str, Any]]) -> Iterator[str]:
    """Write for each level and store by which measures ours is 5 times as fast, and what falls short."""
    for one in comparisons:
        yield f"{one['at_once']} at once, {one['store']}:"
        for key, name in MEASURES.items():
            times, most = one["ratios"][key], one["floor"][key]
            if times >= FASTER:
                word = f"at least {FASTER} times"
            elif key in missed(one):
                word = f"SHORT of {FASTER} times, which can be reached"
            elif key in list(MEASURES)[:2]:
                word = (
                    f"short of {FASTER} times; not asked for, the floor is not {ROOM} times as fast"
                )
            else:
                word = f"short of {FASTER} times"
            yield f"  {name:28} {times:6.1f}x  (the floor {most:6.1f}x)  {word}"


def measure(lab: Lab) -> Iterator[rows_.Row]:
    """Measure the rows of the table of all benchmarks."""
    python = environment("aws-testing", AWS_TESTING, lab.console)
    sides = [] if python is None else [theirs(python, store) for store in STORES]
    sides += [floor(), *map(ours, STORES)]
    with lab.console.status("the local service: about six minutes"):
        found = asyncio.run(measure_all(sides, LEVELS, min(lab.rounds, ROUNDS), EACH))
    units = {
        "executions": ("executions/s", lambda value: 1 / value),
        "paced": ("ms", lambda value: value / 1e3),
    }
    columns = {OURS: rows_.OURS, FLOOR: rows_.FLOOR, THEIR_NAME: rows_.PYTHON}
    for at_once, rounds in found.items():
        for store in STORES:
            for key, (unit, seconds) in units.items():
                what, figures = f"service, {store}, {at_once} at once: {MEASURES[key]}", {}
                for (service, kept), row in medians(rounds).items():
                    if kept in (store, "none"):
                        name, who = columns[service], (service, kept)
                        figures[name] = row[key]
                        values = [seconds(one[who][key]) for one in rounds]
                        lab.keep(f"{what}: {name}", values)
                got = None if python is None else ratios(rounds, (OURS, store), store)[key]
                bound = rows_.Bound(f"{FASTER} × faster", got, FASTER, least=True)
                yield rows_.Row(what, unit, figures, (bound,))


def levels(word: str) -> list[int]:
    """Read an option that says how many at once, and how many then."""
    return [natural(one) for one in word.split(",")]


def main() -> None:
    """Measure, and print a table and what it says."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.service",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--peer", type=Path, metavar="PYTHON", help="an interpreter that has AWS's runner"
    )
    parser.add_argument(
        "--at-once",
        type=levels,
        default=LEVELS,
        metavar="N,N",
        help=f"executions side by side [{','.join(map(str, LEVELS))}]",
    )
    parser.add_argument("--rounds", type=natural, default=ROUNDS, help="of each [%(default)s]")
    parser.add_argument(
        "--each",
        type=natural,
        default=EACH,
        help="executions at least, of each round [%(default)s]",
    )
    parser.add_argument("--only", choices=["ours", "theirs"], help="measure one alone")
    parser.add_argument("--json", type=writable, metavar="FILE", help="write all of it as JSON")
    options = parser.parse_args()
    python = options.peer
    if python is None and options.only != "ours":
        python = environment("aws-testing", AWS_TESTING, Lab(options.rounds).console)
    sides = [] if python is None else [theirs(python, store) for store in STORES]
    if options.only != "theirs":
        sides += [floor(), *map(ours, STORES)]
    try:
        found = asyncio.run(measure_all(sides, options.at_once, options.rounds, options.each))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    comparisons = compared(found)
    print(
        f"{2 * STEPS} steps, a checkpoint each, and a callback; CPython {platform.python_version()}, "
        f"medians of {options.rounds}"
    )
    print(
        "cpu ms: of the processor for an execution, by the service; load cpu ms: by what drives it"
    )
    for line in (*table(found), *verdicts(comparisons)):
        print(line)
    if options.json is not None:
        rows = [
            {"at_once": at_once, "service": service, "store": store, **row}
            for at_once, rounds in found.items()
            for (service, store), row in medians(rounds).items()
        ]
        for one in comparisons:
            one["missed"] = missed(one)
        report = {
            "limits": {"faster": FASTER, "room": ROOM},
            "rows": rows,
            "comparisons": comparisons,
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    sys.exit(any(missed(one) for one in comparisons))


if __name__ == "__main__":
    main()
