"""What differs from one invocation to the next: the clock, random numbers, the environment, the order of sets."""

from __future__ import annotations

import os
import random
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from attrs import evolve, frozen

from durable_gen.testing import _frozen

HASHES, CLOCK, RANDOM, ENVIRONMENT = "hash seed", "clock", "random", "environment"
PARTS = (HASHES, CLOCK, RANDOM, ENVIRONMENT)
CAUSES = {
    HASHES: "the order of a set, or on hash(): use sorted(...), or a dict or list",
    CLOCK: "the clock: ask ctx.now(), or ask the clock in a step",
    RANDOM: "random numbers: draw them in a step, or use ctx.random()",
    ENVIRONMENT: "the environment: read it in a step, or where the module is imported",
}
LATER = timedelta(days=400, hours=7, minutes=7)  # another year, month, day of the week, part of it
MANY = 4  # other worlds: a coin that is tossed five times seldom falls the same way each time
KEPT = re.compile(
    r"PATH|HOME|PYTHON|LC_|LANG|TMP|TEMP|TERM|USER|SHELL|PWD|AWS_|DURABLE_GEN_|PYTEST|COV|SYSTEMROOT|VIRTUAL_ENV|LD_"
)
SWITCHES = {"1": "0", "true": "false", "on": "off", "yes": "no"}
OTHERS = {**SWITCHES, **{off: on for on, off in SWITCHES.items()}}


@frozen
class World:
    """What an invocation finds around it.

    Attributes:
        at: what the clock says.
        seed: of random numbers.
        changed: whether variables of the environment have other values.
        hashes: PYTHONHASHSEED, which a process has from its beginning.
    """

    at: datetime
    seed: int = 1
    changed: bool = False
    hashes: int = 1

    def other(self, part: str, number: int) -> World:
        """Make another world that differs in one part.

        Args:
            part: which.
            number: which of the other worlds, from 1.
        """
        match part:
            case "hash seed":
                return evolve(self, hashes=self.hashes + 1)  # it takes a process
            case "clock":
                return evolve(self, at=self.at + number * LATER)
            case "random":
                return evolve(self, seed=self.seed + number)
            case _:
                return evolve(self, changed=not self.changed)

    def others(self, parts: Iterable[str]) -> list[World]:
        """Make the other worlds, which differ in some parts."""
        found = []
        for number in range(1, MANY + 1):
            one = self
            for part in parts:
                one = one.other(part, number)
            found.append(one)
        return found


def first(at: datetime | None = None) -> World:
    """Make the world of the first replay."""
    return World(datetime.now(UTC).replace(microsecond=0) if at is None else at)


@contextmanager
def inside(world: World) -> Iterator[None]:
    """Let what runs here find a world around it; its hash seed is the process's."""
    state, variables = random.getstate(), dict(os.environ)
    random.seed(world.seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(world.seed)
    if world.changed:
        os.environ.update({name: _changed(variables[name]) for name in variables if not kept(name)})
    try:
        with _frozen.frozen(world.at):
            yield
    finally:
        os.environ.clear()
        os.environ.update(variables)
        random.setstate(state)


def kept(name: str) -> bool:
    """Tell whether a variable of the environment is none of the workflow's."""
    return KEPT.search(name) is not None


def _changed(value: str) -> str:
    if value.lower() in OTHERS:
        return OTHERS[value.lower()]
    return str(int(value) + 1) if value.isdecimal() else f"{value}-changed"
