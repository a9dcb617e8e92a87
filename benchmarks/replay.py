"""How long a replayed step takes, and an invocation that has nothing to do.

The workflow runs so many steps with small JSON results, all of them in the log, through `handler(event, context)`.
The time of a step is the slope between two sizes, so what an invocation costs at all is not in it. The floor is one
`send`, one BLAKE2b, one lookup and one `orjson.loads` a step.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.lab import Lab, main, seconds, slope
from benchmarks.rows import FLOOR, JS, OURS, PYTHON, SIDES, Row, at_most, less_than, of

FEW, MANY = 2_000, 20_000


def measure(lab: Lab) -> Iterator[Row]:
    """Measure the rows."""
    few, many = (lab.take("replay", SIDES, count=count) for count in (FEW, MANY))
    took = slope(few, many, MANY - FEW)
    bounds = of(took, FLOOR, 3), less_than(took, PYTHON, 8), less_than(took, JS, 5)
    yield Row(f"replay of a step, from {FEW:,} to {MANY:,}", "µs", took, bounds)

    took = seconds(lab.take("nothing", (OURS, PYTHON, JS)), "ms")
    asked = at_most(1, "ms", took[OURS]), less_than(took, PYTHON, 50)
    yield Row("an invocation with nothing to do", "ms", took, asked)


if __name__ == "__main__":
    main("replay", __doc__, measure)
