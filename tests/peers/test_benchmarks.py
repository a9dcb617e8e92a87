"""AWS's Python SDK does the works that it is measured by."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
WORKS = (
    {"work": "nothing"},
    {"work": "replay", "count": 3},
    {"work": "live", "count": 3},
    {"work": "map", "count": 3},
)


def test_peer_that_is_asked_for_works_then_all_are_done():
    """It is right about what it did, and says what that took."""
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.sides.aws_python"],
        input="".join(f"{json.dumps(work)}\n" for work in WORKS),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert [True] * 4 == [json.loads(one)["seconds"] > 0 for one in ended.stdout.splitlines()]
