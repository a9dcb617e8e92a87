"""The least that a replayed step takes in CPython: one send, one BLAKE2b, one lookup, one orjson.loads."""

from __future__ import annotations

import functools
import json
from collections.abc import Generator
from hashlib import blake2b
from typing import Any

import orjson

from benchmarks.sides.stub import Fact, serve, timed


@functools.cache
def log_of_steps(count: int) -> str:
    """Make so many records of steps."""
    ids = (blake2b(b"%d" % number).hexdigest()[:64] for number in range(1, count + 1))
    return json.dumps({id_: json.dumps({"i": n, "v": "x" * 20}) for n, id_ in enumerate(ids)})


def steps(count: int) -> Generator[Any, Any, int]:
    """Yield so many steps, and look at what they gave."""
    seen = 0
    for number in range(count):
        found = yield ("step", f"s{number}", None)
        seen += found["i"] == number
    return seen


def replay(count: int) -> Fact:
    """Answer so many steps from the log."""
    log = json.loads(log_of_steps(count))

    def run() -> int:
        flow, loads, position, value = steps(count), orjson.loads, 0, None
        send = flow.send
        try:
            while True:
                send(value)
                position += 1
                value = loads(log[blake2b(b"%d" % position).hexdigest()[:64]])
        except StopIteration as stop:
            return int(stop.value)

    seconds, seen = timed(run)
    assert seen == count
    return {"seconds": seconds}


if __name__ == "__main__":
    serve({"replay": replay})
