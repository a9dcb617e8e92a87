"""What becomes of time and memory when there is much: operations, branches that wait, children, records.

The growth of the replay compares the slopes at two sizes. Memory is what tracemalloc counts. A branch that waits is
one of many of a map that have a timer each; then the timer of one is over, its step is run, and the rest wait on.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.lab import Lab, main, seconds, slope
from benchmarks.rows import FLOOR, OURS, Bound, Row, at_most

SMALL, LARGE = 2_000, 100_000
BRANCHES = 10_000
DEPTH, WIDTH = 500, 10_000
KIB = 1024  # bytes


def measure(lab: Lab) -> Iterator[Row]:
    """Measure the rows."""
    sides = (OURS, FLOOR)
    sizes = 0, SMALL, LARGE // 2, LARGE
    often = [5 * lab.rounds, 5 * lab.rounds, lab.rounds, lab.rounds]  # few steps take little time
    taken = [
        lab.take("replay", sides, n, count=count) for n, count in zip(often, sizes, strict=True)
    ]
    small = slope(taken[0], taken[1], SMALL)
    large = slope(taken[2], taken[3], LARGE - LARGE // 2)
    grown = {name: large[name] / small[name] for name in sides}
    yield Row(
        f"replay of a step at {LARGE:,} against {SMALL:,}",
        "×",
        grown,
        (Bound("at most 1.3", grown[OURS], 1.3),),
    )

    took = lab.take("resume", count=BRANCHES)[OURS].seconds
    operations = 2 * BRANCHES + 1  # the map, its branches, their timers
    same = lab.take("replay", count=operations)[OURS].seconds
    yield Row(
        f"resume one of {BRANCHES:,} branches on timers",
        "ms",
        {OURS: took * 1e3},
        (Bound(f"at most 2 × the replay of {operations:,} steps", took / same, 2),),
    )
    begun = lab.take("park", rounds=1, count=BRANCHES)[OURS].facts
    again = lab.take("resume", rounds=1, count=BRANCHES, trace=True)[OURS].facts
    for word, held, asked in (
        ("begun, its records included", begun["peak"], False),
        ("begun, beside its records", begun["peak"] - begun["records"], True),
        ("when another goes on, beside the event", again["bytes"], True),
    ):
        each = held / BRANCHES
        bounds = (at_most(2 * KIB, "bytes", each),) if asked else ()
        yield Row(f"memory of a branch that waits, {word}", "bytes", {OURS: each}, bounds)

    for work, word in (("children", "run"), ("children again", "replayed")):
        for shape, count in (("deep", DEPTH), ("wide", WIDTH)):
            fewer = count // 5
            few, many = (
                seconds(lab.take(work, count=n, shape=shape), "µs", n) for n in (fewer, count)
            )
            bound = Bound(f"linear: at most 1.3 × that of {fewer:,}", many[OURS] / few[OURS], 1.3)
            yield Row(f"a child of {count:,} {shape}, {word}", "µs", many, (bound,))

    facts = lab.take("memory", rounds=1, count=LARGE)[OURS].facts
    ratio = facts["peak"] / facts["event"]
    yield Row(
        f"memory of a replay of {LARGE:,} steps",
        "MB",
        {OURS: facts["peak"] / 1e6},
        (Bound("at most 2 × the decoded event", ratio, 2),),
    )


if __name__ == "__main__":
    main("scale", __doc__, measure)
