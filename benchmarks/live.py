"""How long a step takes that is run: against a service that answers at once, and against one that takes 20 ms.

What an invocation costs at all is not in it: it is the difference between so many steps and none.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.lab import Lab, main, slope
from benchmarks.rows import JS, OURS, PYTHON, Bound, Row, at_most, less_than

STEPS = 1_000
LATENCY = 0.02  # seconds of a call


def measure(lab: Lab) -> Iterator[Row]:
    """Measure the rows."""
    sides = OURS, PYTHON, JS
    none, all_ = (lab.take("live", sides, count=count) for count in (0, STEPS))
    took = slope(none, all_, STEPS)
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
        f"calls for {STEPS:,} steps in `ctx.batch()`",
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
