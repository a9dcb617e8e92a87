"""The files of snapshots: beside the tests, compared, written when asked, and counted."""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from attrs import define, field

from durable_gen.errors import UsageError
from durable_gen.testing._compare import difference
from durable_gen.testing._history import History

FOLDER = "__durable__"
LONG = 120  # characters of a test's name that a file's name has
UNFIT = re.compile(r"[^\w.\-\[\]=,]+")


class Tally(Protocol):
    """What counts the snapshots of a session of tests.

    Attributes:
        used: files that tests have asked for.
        wrote: files that were written.
    """

    used: set[str]
    wrote: set[str]


@define(repr=False, eq=False)
class Shot:
    """What the fixture `durable_snapshot` is: compares a run with the file that was kept of it.

    Args:
        test: the file of the test.
        name: the test's name.
        tally: counts it.
        update: whether the file is written instead of compared.
    """

    _test: Path
    _name: str
    _tally: Tally
    _update: bool = field(kw_only=True)
    _count: int = field(default=0, init=False)

    def __repr__(self) -> str:
        return f"<snapshots of {self._name}>"

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        if other is self:
            return True
        msg = (
            "durable_snapshot is called, not compared:\n"
            "    wrong:  assert run == durable_snapshot\n"
            "    right:  durable_snapshot(run)"
        )
        raise UsageError(msg)

    def __call__(self, run: History | str, name: str | None = None) -> None:
        """Compare an execution with its snapshot.

        Args:
            run: the execution; or a text, such as that of `run.snapshot()`.
            name: tells several of one test apart; by default they are counted.

        Raises:
            AssertionError: it differs, or there is no snapshot; the text says in which operations,
                and how to write it.
        """
        __tracebackhide__ = True
        self._compare(run if isinstance(run, str) else run.snapshot(), ".txt", name)

    def golden(self, run: History | str, name: str | None = None) -> None:
        """Compare an execution with its golden history, as AWS's command prints it.

        In which order operations that run at once have ended does not count.

        Args:
            run: the execution; or a text, such as that of `run.golden()`.
            name: tells several of one test apart; by default they are counted.

        Raises:
            AssertionError: as above.
        """
        __tracebackhide__ = True
        self._compare(run if isinstance(run, str) else run.golden(), ".json", name)

    def _compare(self, text: str, suffix: str, name: str | None) -> None:
        __tracebackhide__ = True
        self._count += 1
        own = name or (str(self._count) if self._count > 1 else "")
        path = folder(self._test) / f"{stem(self._name)}{f'.{fitting(own)}' if own else ''}{suffix}"
        self._tally.used.add(str(path))
        kept = path.read_text(encoding="utf-8") if path.exists() else None
        found = None if kept is None else difference(kept, text)
        if kept is not None and found is None:
            return
        if self._update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            self._tally.wrote.add(str(path))
            return
        where = f"{FOLDER}/{path.parent.name}/{path.name}"
        msg = (
            f"there is no {where} yet; write it with\n    pytest --durable-update"
            if kept is None
            else f"the run differs from {where}:\n{found}\nif it is right now, write it with\n    pytest --durable-update"
        )
        raise AssertionError(msg)


def folder(test: Path) -> Path:
    """Name the folder of a test file's snapshots."""
    return test.parent / FOLDER / test.stem


def stem(name: str) -> str:
    """Name a test's file; what does not fit into a name of a file is told by a digest."""
    fit = fitting(name)
    if fit == name:
        return fit
    return f"{fit}-{blake2b(name.encode(), digest_size=3).hexdigest()}"


def fitting(name: str) -> str:
    """Replace what does not fit into a name of a file."""
    return UNFIT.sub("_", name)[:LONG]


def unused(files: set[Path], used: set[str], excused: set[tuple[Path, str]]) -> list[Path]:
    """List the snapshots that no test asked for.

    Args:
        files: the test files of which every test was there to run.
        used: files that tests have asked for.
        excused: the tests, by file and name, that failed or were skipped: they may yet ask.
    """
    found: list[Path] = []
    for test in sorted(files):
        pardoned = [stem(name) for file, name in excused if file == test]
        for path in sorted(folder(test).glob("*")):
            own = path.name.removesuffix(path.suffix)
            whose = any(own == one or own.startswith(f"{one}.") for one in pardoned)
            if str(path) not in used and not whose:
                found.append(path)
    return found
