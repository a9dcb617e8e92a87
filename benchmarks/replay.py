"""How long a replayed step takes, and an invocation that has nothing to do.

The workflow runs so many steps with small JSON results, all of them in the log, through `handler(event, context)`.
The time of a step is the slope between two sizes, so what an invocation costs at all is not in it. The floor is one
`send`, one BLAKE2b, one lookup and one `orjson.loads` a step.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.lab import (
    FLOOR,
    JS,
    PYTHON,
    SIDES,
    Lab,
    Row,
    at_most,
    less_than,
    main,
    of,
    seconds,
    slope,
)
from benchmarks.lab import OURS as DURABLE_GEN

FEW, MANY = 2_000, 20_000


def measure(lab: Lab) -> Iterator[Row]:
    """Measure the rows."""
    few, many = (lab.take("replay", SIDES, count=count) for count in (FEW, MANY))
    took = slope(few, many, MANY - FEW)
    bounds = of(took, FLOOR, 3), less_than(took, PYTHON, 8), less_than(took, JS, 5)
    yield Row(f"replay of a step, from {FEW:,} to {MANY:,}", "µs", took, bounds)

    took = seconds(lab.take("nothing", (DURABLE_GEN, PYTHON, JS)), "ms")
    bounds_ = at_most(1, "ms", took[DURABLE_GEN]), less_than(took, PYTHON, 50)
    yield Row("an invocation with nothing to do", "ms", took, bounds_)


if __name__ == "__main__":
    main("replay", __doc__, measure)
