"""The works that benchmarks measure are right, each checks what came of it; and so is what is asked of their figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.rows import FLOOR, JS, OURS, PYTHON, at_most, less_than, of

ROOT = Path(__file__).parent.parent
WORKS = (
    {"work": "nothing"},
    {"work": "replay", "count": 3},
    {"work": "live", "count": 0},
    {"work": "live", "count": 3},
    {"work": "live", "count": 3, "batch": True},
    {"work": "map", "count": 3, "kind": "sync"},
    {"work": "map", "count": 3, "kind": "async", "working": 0.001},
    {"work": "park", "count": 3},
    {"work": "resume", "count": 3},
    {"work": "resume", "count": 3, "trace": True},
    {"work": "children", "count": 3, "shape": "deep"},
    {"work": "children", "count": 3, "shape": "wide"},
    {"work": "children again", "count": 3, "shape": "deep"},
    {"work": "children again", "count": 3, "shape": "wide"},
    {"work": "memory", "count": 3},
)


def done(side, works):
    command = [sys.executable, "-m", f"benchmarks.sides.{side}"]
    asked = "".join(f"{json.dumps(work)}\n" for work in works)
    ended = subprocess.run(
        command, input=asked, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert (0, "") == (ended.returncode, ended.stderr)
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.mark.parametrize(("side", "works"), [("ours", WORKS), ("floor", WORKS[1:2])])
def test_side_that_is_asked_for_works_then_all_are_done(side, works):
    """Each answers with a line that says what it took: a time, or bytes."""
    told = done(side, works)
    assert [True] * len(works) == [any(value > 0 for value in one.values()) for one in told]


@pytest.mark.parametrize(
    ("holds", "bound"),
    [
        (True, at_most(40, "µs", 40.0)),
        (False, at_most(40, "µs", 40.1)),
        (True, of({OURS: 6.0, FLOOR: 2.0}, FLOOR, 3)),
        (False, of({OURS: 6.1, FLOOR: 2.0}, FLOOR, 3)),
        (True, less_than({OURS: 2.0, PYTHON: 16.0}, PYTHON, 8)),
        (False, less_than({OURS: 2.0, PYTHON: 15.9}, PYTHON, 8)),
        (False, less_than({OURS: 2.0, JS: 1.9}, JS)),
        (None, less_than({OURS: 2.0}, JS)),
        (None, of({OURS: 2.0}, PYTHON, 0.5)),
        (None, of({OURS: -2.0, FLOOR: 1.0}, FLOOR, 3)),
    ],
    ids=str,
)
def test_figure_then_its_bound_is_kept_or_not_or_cannot_be_told(holds, bound):
    """A bound is kept up to its limit; without the peer, or with a slope below nothing, nobody knows."""
    assert holds is bound.holds
