"""Replays logs in a process of its own, whose PYTHONHASHSEED is what its parent chose: `python -m` this module."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Self

from attrs import asdict, frozen

from durable_gen.testing._replay import Log, Replay, replay
from durable_gen.testing._trace import Sight
from durable_gen.testing._worlds import World, inside

PATH = str(Path(__file__).parents[2])  # where this library is
PATIENCE = 60.0  # seconds until a child counts as stuck


@frozen
class Place:
    """Where a handler can be imported from.

    Attributes:
        module: the name of its module.
        file: the module's file.
        attribute: its name there.
    """

    module: str
    file: str
    attribute: str


class Lost(Exception):  # noqa: N818 - it is caught, and told
    """A child has not answered; the text says why."""


def find(handler: Any) -> Place:
    """Find where a handler can be imported from.

    Raises:
        Lost: it cannot be.
    """
    flow = getattr(handler, "flow", handler)
    name = getattr(flow, "__module__", None) or ""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    called = getattr(flow, "__qualname__", "the handler")
    for attribute, value in vars(module).items() if module is not None else ():
        if value is handler and file is not None and Path(file).is_file():
            return Place(name, str(Path(file).resolve()), attribute)
    if "<locals>" in called:
        msg = f"{called} is made inside a function; define it at the top of its module"
    elif file is None or not Path(file).is_file():
        msg = f"{called} is in no file; define it at the top of a module"
    else:
        msg = f"{called} is no name of its module; give the handler a name there"
    raise Lost(msg)


class Child:
    """A process that replays logs.

    Args:
        place: where the handler is.
        worlds: what it finds around it, one after another; their hash seeds are the same.
        logs: the logs.
    """

    def __init__(self, place: Place, worlds: Sequence[World], logs: Sequence[Log]) -> None:
        task = {
            "path": sys.path,
            "place": asdict(place),
            "worlds": [{**asdict(world), "at": world.at.isoformat()} for world in worlds],
            "logs": logs,
        }
        with TemporaryFile("w+", encoding="utf-8") as given:  # it need not be fed
            json.dump(task, given)
            given.seek(0)
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "durable_gen.testing._child"],
                env={**os.environ, "PYTHONHASHSEED": str(worlds[0].hashes), "PYTHONPATH": PATH},
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def replays(self) -> list[list[Replay]]:
        """Wait for what it saw of the logs in each world.

        Raises:
            Lost: it has failed.
        """
        try:
            text, problems = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired as error:
            msg = f"its module took longer than {PATIENCE:g} s in a process of its own"
            raise Lost(msg) from error
        if self.process.returncode:
            last = problems.strip().splitlines()[-1:] or ["it says nothing"]
            msg = f"its module fails in a process of its own: {last[0]}"
            raise Lost(msg)
        return [[_read(one) for one in replays] for replays in json.loads(text)]


def _read(raw: Any) -> Replay:
    sights = {id_: Sight(*one) for id_, one in raw["sights"].items()}
    return Replay(raw["status"], raw["text"], raw["line"], sights)


def _written(one: Replay) -> Any:
    sights = {id_: [s.line, s.title, dict(s.said)] for id_, s in one.sights.items()}
    return {"status": one.status, "text": one.text, "line": one.line, "sights": sights}


def load(place: Place) -> Any:
    """Import a handler by its module's name if that leads there, else by its file."""
    try:
        spec = importlib.util.find_spec(place.module) if place.module != "__main__" else None
    except (ImportError, ValueError):
        spec = None
    if spec is not None and spec.origin and Path(spec.origin).resolve() == Path(place.file):
        module = importlib.import_module(place.module)
    else:
        name = "__replayed__" if place.module == "__main__" else place.module
        spec = importlib.util.spec_from_file_location(name, place.file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return getattr(module, place.attribute)


def look(handler: Any, log: Log, world: World) -> Replay:
    """Replay a log in a world."""
    with inside(world):
        return replay(handler, log, world.at)


def main() -> None:
    """Do what the parent asks for, and print what was seen."""
    task = json.load(sys.stdin)
    out, sys.stdout = sys.stdout, sys.stderr  # what the user's module prints is no answer
    sys.path[:] = task["path"]
    handler = load(Place(**task["place"]))
    found: list[list[Any]] = []
    for raw in task["worlds"]:
        world = World(**{**raw, "at": datetime.fromisoformat(raw["at"])})
        found.append([_written(look(handler, log, world)) for log in task["logs"]])
    json.dump(found, out)


if __name__ == "__main__":
    main()
