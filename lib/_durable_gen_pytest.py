"""The pytest plugin of `durable_gen.testing`.

It stands outside of the package so that pytest can load it for everybody who has the package
installed without importing the package itself: whoever does not use a fixture pays for nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from durable_gen.testing import Durable, DurableCloud
    from durable_gen.testing._shots import Shot

UPDATE = "--durable-update"
FOLDER = "__durable__"  # beside the tests: their snapshots


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the fixtures."""
    group = parser.getgroup("durable", "durable workflows (durable_gen)")
    group.addoption(
        UPDATE, action="store_true", help="write the files of durable_snapshot instead of comparing"
    )
    group.addoption(
        "--durable-function",
        metavar="ARN",
        help="durable_cloud: the function to invoke, with its version or alias",
    )
    group.addoption(
        "--durable-endpoint",
        metavar="URL",
        help="durable_cloud: where Lambda is, such as what `durable-gen serve` prints; AWS by default",
    )
    group.addoption(
        "--durable-region",
        metavar="REGION",
        help="durable_cloud: the region; the session's by default",
    )


# --- fixtures ------------------------------------------------------------------------------------


@pytest.fixture
def durable(request: pytest.FixtureRequest) -> Durable:
    """Give what runs workflows in virtual time, by a script."""
    from durable_gen.testing import Durable

    return Durable(seed=request.node.nodeid)


@pytest.fixture
def durable_snapshot(request: pytest.FixtureRequest) -> Shot:
    """Give what compares runs with files beside the test."""
    from durable_gen.testing._shots import Shot

    node, config = request.node, request.config
    return Shot(node.path, node.name, config.stash[TALLY], update=config.getoption(UPDATE))


@pytest.fixture
def durable_cloud(request: pytest.FixtureRequest) -> Iterator[DurableCloud]:
    """Give what runs the deployed function."""
    from durable_gen.testing import DurableCloud

    option = request.config.getoption
    function = option("--durable-function")
    if not function:
        pytest.skip("durable_cloud needs a deployed function: pytest --durable-function ARN")
    cloud = DurableCloud.connect(
        function, endpoint=option("--durable-endpoint"), region=option("--durable-region")
    )
    yield cloud
    cloud.close()


# --- reports -------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the runs of a test that failed."""
    report = yield
    if not report.passed:
        item.config.stash[TALLY].excused.append((str(item.path), item.name))
    if report.failed:
        fixtures = getattr(item, "funcargs", {})
        given = [fixtures.get(name) for name in ("durable", "durable_cloud")]
        for number, run in enumerate((run for one in given if one for run in one.runs), 1):
            report.sections.append((f"durable run {number}", _told(run)))
    return report


def _told(run: Any) -> str:
    from durable_gen.testing._report import told

    try:
        return told(run)
    except Exception as error:  # a report must not hide the failure that it is of
        return f"it could not be drawn: {error!r}"


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count what becomes of snapshots."""
    config.stash[TALLY] = tally = Tally(config)
    config.pluginmanager.register(tally, "durable_gen_tally")


class Tally:
    """Counts the snapshots of a session, over all of its processes.

    Attributes:
        files: test files -> whether every test of theirs is there to run.
        excused: tests, by file and name, that failed or were skipped.
        used: snapshots that tests have asked for.
        wrote: snapshots that were written.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.files: dict[str, bool] = {}
        self.excused: list[tuple[str, str]] = []
        self.used: set[str] = set()
        self.wrote: set[str] = set()

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note files of which not every test runs: their snapshots are not called unused."""
        self.files.update({str(item.path): False for item in items})

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note the files of which every test runs."""
        for item in session.items:
            self.files.setdefault(str(item.path), True)
        for argument in session.config.args:  # file.py::test
            path, _, part = argument.partition("::")
            if part:
                self.files[str((session.config.invocation_params.dir / path).resolve())] = False

    def pytest_sessionfinish(self) -> None:
        """Hand the count of a process of pytest-xdist's to the one that reports."""
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            sets = {"used": sorted(self.used), "wrote": sorted(self.wrote)}
            output["durable_gen"] = json.dumps(
                {"files": self.files, "excused": self.excused, **sets}
            )

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over the count of a process of pytest-xdist's."""
        found = json.loads(getattr(node, "workeroutput", {}).get("durable_gen", "{}"))
        for path, whole in found.get("files", {}).items():
            self.files[path] = self.files.get(path, True) and whole
        self.excused += [tuple(one) for one in found.get("excused", ())]
        self.used.update(found.get("used", ()))
        self.wrote.update(found.get("wrote", ()))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say which snapshots were written, and which nothing asks for any more."""
        whole = {Path(path) for path, every in self.files.items() if every}
        if self.wrote:
            terminalreporter.section("durable snapshots")
            for wrote in sorted(self.wrote):
                terminalreporter.line(f"wrote {self._shown(wrote)}")
        if not any((path.parent / FOLDER).is_dir() for path in whole):
            return
        from durable_gen.testing._shots import unused

        excused = {(Path(path), name) for path, name in self.excused}
        left = unused(whole, self.used, excused)
        if left and not self.wrote:
            terminalreporter.section("durable snapshots")
        for path in left:
            terminalreporter.line(f"unused: {self._shown(path)}; no test asks for it: delete it")

    def _shown(self, path: Any) -> str:
        found = Path(path)
        root = self.config.rootpath
        return str(found.relative_to(root) if found.is_relative_to(root) else found)


TALLY = pytest.StashKey[Tally]()
