"""How long a map of 1,000 items takes that run one step each: at once, with slow calls, and with slow steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.lab import Lab, main, seconds
from benchmarks.rows import JS, OURS, PYTHON, Bound, Row, less_than

ITEMS = 1_000
WORKERS = 32  # `@durable(max_workers=...)`, as it is by default
SLOW = 0.02  # seconds


def measure(lab: Lab) -> Iterator[Row]:
    """Measure the rows."""
    at_once = {}
    for kind in ("sync", "async"):
        sides = (OURS, PYTHON, JS) if kind == "sync" else (OURS, JS)
        taken = lab.take("map", sides, count=ITEMS, kind=kind)
        took, facts = seconds(taken, "ms"), taken[OURS].facts
        at_once[kind] = taken[OURS].seconds
        what = f"map of {ITEMS:,}, {kind} steps"
        yield Row(what, "ms", took, (less_than(took, JS),))
        yield Row(
            f"{what}: calls for {facts['updates']:,} updates",
            "calls",
            {name: one.facts["calls"] for name, one in taken.items()},
            (_few_calls(facts),),
        )
        yield Row(
            f"{what}: threads beside the main one",
            "threads",
            {name: one.facts["threads"] for name, one in taken.items()},
            (Bound("at most max_workers", facts["threads"], WORKERS),),
        )
    for kind in ("sync", "async"):
        one = lab.take("map", count=ITEMS, kind=kind, latency=SLOW)[OURS]
        ideal = one.facts["calls"] * SLOW
        what = f"map of {ITEMS:,}, {kind} steps, 20 ms a call"
        yield _beside(what, one.seconds, ideal, _few_calls(one.facts))
    one = lab.take("map", count=ITEMS, kind="sync", working=SLOW)[OURS]
    ideal = SLOW * ITEMS / WORKERS
    yield _beside(f"map of {ITEMS:,}, sync steps of 20 ms", one.seconds, ideal)
    one = lab.take("map", count=ITEMS, kind="async", working=SLOW)[OURS]
    ideal = SLOW + at_once["async"]
    yield _beside(f"map of {ITEMS:,}, async steps of 20 ms", one.seconds, ideal)


def _few_calls(facts: Mapping[str, Any]) -> Bound:
    most = facts["updates"] // 250 + 3
    return Bound("calls: at most updates/250 + 3", facts["calls"], most)


def _beside(what: str, took: float, ideal: float, *more: Bound) -> Row:
    bound = Bound(f"at most 1.5 × the ideal {ideal * 1e3:.0f} ms", took / ideal, 1.5)
    return Row(what, "ms", {OURS: took * 1e3}, (bound, *more))


if __name__ == "__main__":
    main("fanout", __doc__, measure)
