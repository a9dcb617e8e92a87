"""How long a step takes that is run: against a service that answers at once, and against one that takes 20 ms."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.lab import JS, OURS, PYTHON, Bound, Lab, Row, at_most, less_than, main, seconds

STEPS = 1_000
LATENCY = 0.02  # seconds of a call


def measure(lab: Lab) -> Iterator[Row]:
    """Measure the rows."""
    took = seconds(lab.take("live", (OURS, PYTHON, JS), count=STEPS), "µs", STEPS)
    bounds = at_most(40, "µs", took[OURS]), less_than(took, PYTHON, 20), less_than(took, JS)
    yield Row("a step, START and SUCCEED in one call", "µs", took, bounds)

    one = lab.take("live", rounds=1, count=STEPS, latency=LATENCY)[OURS]
    many = lab.take("live", rounds=3, count=STEPS, latency=LATENCY, batch=True)[OURS]
    calls = one.facts["calls"], many.facts["calls"]
    yield Row(
        f"calls for {STEPS:,} steps",
        "calls",
        {OURS: calls[0]},
        (Bound("one a step", calls[0] / STEPS, 1),),
    )
    yield Row(
        "the same in `ctx.batch()`",
        "calls",
        {OURS: calls[1]},
        (Bound("50 × fewer", calls[0] / calls[1], 50, least=True),),
    )
    yield Row(
        f"{STEPS:,} steps, 20 ms a call, in `ctx.batch()`",
        "s",
        {OURS: many.seconds},
        (Bound("20 × less than outside", one.seconds / many.seconds, 20, least=True),),
    )


if __name__ == "__main__":
    main("live", __doc__, measure)
