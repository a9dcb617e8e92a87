"""How long a replayed step takes, beside the floor: one send, one hash, one lookup, one loads.

    python -m benchmarks.replay [STEPS]

Both run in the same process on the same records, several times in turn; the medians are compared. The time
of an operation is the slope between two sizes, so that what an invocation costs at all does not count.
"""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from durable_gen import Context, durable

ROUNDS = 7
NOW = 1_700_000_000_000  # milliseconds since the epoch


class Silent:
    """A backend that answers at once, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def checkpoint_durable_execution(self, **_: Any) -> dict[str, Any]:
        """Take in updates."""
        self.calls += 1
        return {"CheckpointToken": f"t{self.calls}"}

    def get_durable_execution_state(self, **_: Any) -> dict[str, Any]:
        """Give no page."""
        return {}


def identity(position: int) -> str:
    """Name a position as the kernel does."""
    return hashlib.blake2b(b"%d" % position).hexdigest()[:64]


def event(steps: int) -> dict[str, Any]:
    """Make the event of an invocation that has so many steps behind it."""
    execution = {
        "Id": "run",
        "Type": "EXECUTION",
        "Status": "STARTED",
        "StartTimestamp": NOW,
        "ExecutionDetails": {"InputPayload": str(steps)},
    }
    records = [
        {
            "Id": identity(n + 1),
            "Name": "step",
            "Type": "STEP",
            "SubType": "Step",
            "Status": "SUCCEEDED",
            "StartTimestamp": NOW,
            "EndTimestamp": NOW,
            "StepDetails": {"Attempt": 1, "Result": json.dumps({"i": n, "v": "x" * 20})},
        }
        for n in range(steps)
    ]
    state = {"Operations": [execution, *records], "NextMarker": ""}
    return {
        "DurableExecutionArn": "arn:x/run",
        "CheckpointToken": "t0",
        "InitialExecutionState": state,
    }


def work() -> dict[str, Any]:
    """Stand for the step that is never run again."""
    raise AssertionError


def ours(steps: int) -> Callable[[], int]:
    """Make one invocation that replays so many steps."""
    backend = Silent()

    @durable(backend=backend)
    def handler(steps: int, ctx: Context) -> Any:
        seen = 0
        for _ in range(steps):
            seen += (yield ctx.step("step", work))["i"] >= 0
        return seen

    given = event(steps)

    def run() -> int:
        envelope = handler(given)
        assert backend.calls == 0, "a replay sends nothing"
        return int(envelope["Result"])

    return run


def floor(steps: int) -> Callable[[], int]:
    """Make what a generator, a hash, a dict and orjson take at least."""
    log = {
        raw["Id"]: raw["StepDetails"]["Result"]
        for raw in event(steps)["InitialExecutionState"]["Operations"][1:]
    }

    def flow() -> Iterator[Any]:
        for _ in range(steps):
            yield "step"

    def run() -> int:
        generator, blake2b, loads, seen = flow(), hashlib.blake2b, orjson.loads, 0
        for _ in generator:
            seen += 1
            loads(log[blake2b(b"%d" % seen).hexdigest()[:64]])
        return seen

    return run


def main() -> None:
    """Measure, and print a table."""
    logging.disable(logging.CRITICAL)
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    few = many // 10
    makers = {"floor": floor, "durable_gen": ours}
    times: dict[tuple[str, int], list[float]] = {}
    runs = {(name, n): make(n) for name, make in makers.items() for n in (few, many)}
    for _ in range(ROUNDS):
        for key, run in runs.items():
            began = time.perf_counter()
            assert run() == key[1]
            times.setdefault(key, []).append(time.perf_counter() - began)
    took = {key: statistics.median(found) for key, found in times.items()}
    slopes = {name: (took[name, many] - took[name, few]) / (many - few) * 1e6 for name in makers}
    print(
        f"replay of {few} and {many} steps, CPython {platform.python_version()}, medians of {ROUNDS}"
    )
    for name, slope in slopes.items():
        print(f"  {name:12} {slope:7.2f} µs an operation   {slope / slopes['floor']:5.1f} x floor")


if __name__ == "__main__":
    main()
