"""Everything that is measured, in one table, and what falls short of what was promised.

Each benchmark is a command of its own as well: `python -m benchmarks.NAME`.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import coldstart, fanout, live, replay, scale, service, testkit
from benchmarks.lab import Lab, main
from benchmarks.rows import Row

MODULES = (replay, live, fanout, scale, coldstart, testkit, service)


def measure(lab: Lab) -> Iterator[Row]:
    """Measure all rows."""
    for module in MODULES:
        yield from module.measure(lab)


if __name__ == "__main__":
    main("all", __doc__, measure)
