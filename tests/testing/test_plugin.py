"""The pytest plugin: fixtures, reports, snapshots in files, with and without pytest-xdist."""

import subprocess
import sys
import textwrap

import pytest

FLOW = """
    import sys
    from durable_gen import durable as durable_handler

    @durable_handler
    def handler(event, ctx):
        first = yield ctx.step("charge", lambda: event)
        yield ctx.wait("settle", hours=1)
        return first
"""


@pytest.fixture(name="project")
def _project(pytester):
    """A folder with tests of a workflow; `run` runs them by the plugin's own entry point."""
    pytester.makepyfile(flow=FLOW)
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider -p no:syrupy -p no:inline_snapshot")

    class Project:
        path = pytester.path
        snapshots = pytester.path / "__durable__" / "test_it"

        def write(self, text):
            pytester.makepyfile(test_it=text)

        def run(self, *options):
            more = () if "-n" in options else ("-p", "no:xdist")
            return pytester.runpytest_inprocess("-W", "error", *more, *options)

    return Project()


def test_pytest_is_started_then_the_package_is_not_imported(tmp_path):
    """Whoever has the package installed and does not use its fixtures pays for nothing."""
    code = """
        import sys, pytest
        pytest.main(["-q", "-p", "no:syrupy", "-p", "no:inline_snapshot", "-p", "no:hypothesispytest"])
        assert "_durable_gen_pytest" in sys.modules
        print(sorted({"durable_gen", "freezegun", "botocore", "attrs"} & set(sys.modules)))
    """
    (tmp_path / "test_it.py").write_text("def test_one(): pass")
    command = [sys.executable, "-c", textwrap.dedent(code)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "[]" == ran.stdout.strip().splitlines()[-1]


def test_test_fails_then_its_report_draws_the_runs(project):
    """A failed test shows the tree of each run, and the errors that were recorded, with stacks."""
    project.write("""
        from durable_gen.testing import Raises
        from flow import handler

        def test_two(durable):
            durable(handler, 1)
            run = durable(handler, 2, steps={"charge": [Raises(OSError("down")), 3]})
            assert run.result == 2
    """)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*durable run 1*",
            "execution succeeded after 1h, 2 invocations",
            "├─ step charge  succeeded     0s    0s  -> 1",
            "└─ wait settle  succeeded     0s    1h",
            "*durable run 2*",
            "├─ step charge   succeeded     0s    5s  -> 3",
            "│     attempt 1  failed        0s        OSError: down; again in 5s",
            "step charge at attempt 1 failed:",
            "OSError: down",
        ]
    )


def test_test_passes_then_nothing_is_drawn(project):
    """Reports are for failures."""
    project.write("""
        from flow import handler

        def test_one(durable):
            assert durable(handler, 1).result == 1
    """)
    result = project.run("-rA")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*durable run*")


SHOT = """
    import os
    import pytest
    from flow import handler

    def test_one(durable, durable_snapshot):
        durable_snapshot(durable(handler, os.environ.get("EVENT", "1")))

    @pytest.mark.parametrize("n", [1, "a/b"])
    def test_many(durable, durable_snapshot, n):
        run = durable(handler, n)
        durable_snapshot(run)
        durable_snapshot(run, "named")
        durable_snapshot.golden(run)
"""
FILES = [
    "test_many[1].3.json",
    "test_many[1].named.txt",
    "test_many[1].txt",
    "test_many[a_b]-edcf81.3.json",
    "test_many[a_b]-edcf81.named.txt",
    "test_many[a_b]-edcf81.txt",
    "test_one.txt",
]


def test_snapshot_is_missing_then_the_error_says_how_to_write_it(project):
    """A snapshot that is not there fails the test, in CI too, and nothing is written."""
    project.write(SHOT)
    result = project.run()
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        [
            "E       AssertionError: there is no __durable__/test_it/test_one.txt yet; write it with",
            "E           pytest --durable-update",
        ]
    )
    assert not project.snapshots.exists()


def names(project):
    return sorted(path.name for path in project.snapshots.iterdir())


def test_update_then_snapshots_are_written_and_told_of(project):
    """`--durable-update` writes what is missing, says so, and the next run passes."""
    project.write(SHOT)
    result = project.run("--durable-update")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        ["*durable snapshots*", *(f"wrote __durable__/test_it/{_literal(one)}" for one in FILES)]
    )
    assert FILES == names(project)
    result = project.run()
    result.assert_outcomes(passed=3)
    result.stdout.no_fnmatch_line("*durable snapshots*")


def _literal(name):
    return name.replace("[", "[[]")


def test_run_differs_then_the_error_names_operations(project, monkeypatch):
    """A difference is told by operations; `--durable-update` takes it over."""
    project.write(SHOT)
    project.run("--durable-update")
    monkeypatch.setenv("EVENT", "2")
    result = project.run()
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(
        [
            "E       AssertionError: the run differs from __durable__/test_it/test_one.txt:",
            "E       changed: execution",
            'E         - input "1"',
            'E         + input "2"',
            'E         - result "1"',
            'E         + result "2"',
            "E       changed: step charge",
            "E       if it is right now, write it with",
            "E           pytest --durable-update",
        ],
        consecutive=False,
    )
    result = project.run("--durable-update")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["wrote __durable__/test_it/test_one.txt"])
    result.stdout.no_fnmatch_line("wrote *test_many*")


def test_snapshot_is_used_no_more_then_it_is_reported(project):
    """Files that no test asks for are told of, unless their tests did not come to it."""
    project.write(SHOT)
    project.run("--durable-update")
    project.write("""
        import pytest
        from flow import handler

        def test_one(durable_snapshot):
            pytest.skip("not today")

        @pytest.mark.parametrize("n", [1, "a/b"])
        def test_many(durable, durable_snapshot, n):
            durable_snapshot(durable(handler, n))
            durable_snapshot(durable(handler, n), "named")
    """)
    result = project.run()
    result.assert_outcomes(passed=2, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "*durable snapshots*",
            "unused: __durable__/test_it/test_many[[]1].3.json; no test asks for it: delete it",
            "unused: __durable__/test_it/test_many[[]a_b]-edcf81.3.json; *",
        ]
    )
    result.stdout.no_fnmatch_line("unused: *test_one*")


@pytest.mark.parametrize("options", [["-k", "one"], ["test_it.py::test_one"]])
def test_not_every_test_runs_then_nothing_is_called_unused(project, options):
    """Who runs a part of a file does not hear of the other tests' snapshots."""
    project.write(SHOT)
    project.run("--durable-update")
    result = project.run(*options)
    result.assert_outcomes(passed=1, deselected=0 if "::" in options[0] else 2)
    result.stdout.no_fnmatch_line("unused: *")


def test_xdist_then_snapshots_are_counted_over_all_processes(project):
    """With pytest-xdist everything is the same: what was written and what is unused is told once."""
    project.write(SHOT)
    result = project.run("-n", "2", "--durable-update")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines([f"wrote __durable__/test_it/{_literal(one)}" for one in FILES])
    (project.snapshots / "test_none.txt").write_text("old")
    result = project.run("-n", "2")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["unused: __durable__/test_it/test_none.txt; *"])
    assert 1 == str(result.stdout).count("unused: ")


# --- beside other snapshots ----------------------------------------------------------------------


def test_syrupy_then_a_snapshot_is_a_text_like_any_other(pytester):
    """With syrupy: `assert run.snapshot() == snapshot`, written by its own option."""
    pytester.makepyfile(flow=FLOW)
    pytester.makepyfile("""
        from flow import handler

        def test_one(durable, snapshot):
            assert durable(handler, 1).snapshot() == snapshot
    """)
    options = ("-p", "no:xdist", "-p", "no:inline_snapshot")
    pytester.runpytest_subprocess(*options).assert_outcomes(failed=1)
    pytester.runpytest_subprocess(*options, "--snapshot-update").assert_outcomes(passed=1)
    kept = next((pytester.path / "__snapshots__").iterdir()).read_text()
    assert "  step charge\n    SUCCEEDED at 0s\n    result 1\n" in kept
    pytester.runpytest_subprocess(*options).assert_outcomes(passed=1)


def test_inline_snapshot_then_the_text_stands_in_the_test(pytester, monkeypatch):
    """With inline-snapshot: `assert run.snapshot() == snapshot(...)`, written by its own option."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # it writes nothing in a worker
    pytester.makepyfile(flow=FLOW)
    test = pytester.makepyfile("""
        from flow import handler
        from inline_snapshot import snapshot

        def test_one(durable):
            assert durable(handler, 1).snapshot() == snapshot()
    """)
    options = ("-p", "no:xdist", "-p", "no:syrupy")
    pytester.runpytest_subprocess(*options, "--inline-snapshot=create")
    assert "step charge\n  SUCCEEDED at 0s\n  result 1\n" in test.read_text()
    pytester.runpytest_subprocess(*options).assert_outcomes(passed=1)
