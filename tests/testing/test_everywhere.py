"""`@crash_everywhere`: a test that holds whatever goes wrong once, in pytest itself."""

from textwrap import dedent

import pytest

from durable_gen import UsageError, durable
from durable_gen.testing import crash_everywhere

QUIET = [f"-pno:{name}" for name in ("cacheprovider", "xdist", "syrupy", "inline_snapshot")]
HEAD = """
import pytest
from durable_gen import durable as workflow
from durable_gen.testing import Answer, crash_everywhere
"""


@pytest.fixture(name="run")
def _run(pytester):
    """Run a test module, and give what pytest says."""

    def run(source):
        pytester.makepyfile(HEAD + dedent(source))
        return pytester.runpytest_inprocess(*QUIET)

    return run


def test_sound_test_passes_with_fixtures_parameters_and_classes(run):
    """The decorator stands on functions and methods, with fixtures and marks, above and below it."""
    run("""
    @workflow
    def handler(event, ctx):
        return (yield ctx.step("double", lambda: 2 * event))

    times = []

    @pytest.fixture
    def number():
        return 4

    @crash_everywhere
    @pytest.mark.parametrize("event", [1, 2])
    def test_function(durable, event, number):
        times.append(number)
        assert 2 * event == durable(handler, event).result

    @pytest.mark.parametrize("event", [1])
    @crash_everywhere(faults=False)
    def test_below(event, durable):
        assert 2 * event == durable(handler, event).result

    class TestClass:
        @crash_everywhere
        def test_method(self, durable):
            assert 6 == durable(handler, 3).result

    def test_how_often():
        assert 2 * (1 + 10) == len(times)
    """).assert_outcomes(passed=5)


def test_own_side_effects_are_the_tests_own_business(run):
    """Its asserts may allow what is repeated, if its stores are made in its body."""
    run("""
    @crash_everywhere
    def test_charges(durable):
        charged = []

        @workflow
        def handler(event, ctx):
            yield ctx.step("charge", charged.append, "card")

        durable(handler)
        assert 1 <= len(charged) <= 2
    """).assert_outcomes(passed=1)


def test_failure_names_the_moment(run):
    """The first crash that breaks an assert is told under it, with the run and how to repeat it."""
    result = run("""
    released = []

    @workflow
    def handler(event, ctx):
        try:
            yield ctx.step("charge", lambda: 1)
        finally:
            released.append(1)

    @crash_everywhere
    def test_releases_once(durable):
        released.clear()
        durable(handler)
        assert [1] == released
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*assert [[]1[]] == [[]1, 1[]]",
            "E*crash before answer 1 (SUCCEEDED): the test fails then; it passes without",
            "E*execution succeeded after 0s, 2 invocations",
            "E*charge*succeeded*",
            "E*what stands in a `finally` runs again on a replay, unless it is a step:",
            "E*test_failure_names_the_moment.py:12, in handler: released.append(1)",
            "E*repeat it: durable(handler, event, crash='before answer 1')",
        ]
    )


def test_every_run_of_a_test_is_broken(run):
    """A test of two runs that goes on with one of them is broken in both, one at a time."""
    result = run("""
    @workflow
    def one(event, ctx):
        return (yield ctx.wait_for_callback("approval", lambda id_: None))

    runs = []

    @crash_everywhere
    def test_two(durable):
        first = durable(one, until="approval")
        second = durable(one, callbacks={"approval": Answer(2)})
        runs.append((first, second))
        first.answer("approval", 1).go_on()
        assert (1, 2) == (first.result, second.result)

    def test_both():
        broken = [sum(len(run.invocations) > 2 for run in pair) for pair in runs]
        assert {0, 1} == set(broken)
        assert any(len(first.invocations) > 2 for first, _ in runs)
        assert any(len(second.invocations) > 2 for _, second in runs)
    """)
    result.assert_outcomes(passed=2)


def test_store_that_remains_is_told(run):
    """A test that does something else the second time is told why that may be."""
    result = run("""
    done = []

    @workflow
    def handler(event, ctx):
        if not done:
            done.append(1)
            yield ctx.step("charge", lambda: 1)
        return 1

    @crash_everywhere
    def test_remembers(durable):
        assert 1 == durable(handler).result
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*before call 1 did not come this time: the test did something else than the time *",
        ]
    )


def test_failure_without_any_crash_is_the_tests_own(run):
    """Nothing is said of crashes then."""
    result = run("""
    @crash_everywhere
    def test_wrong(durable):
        assert 1 == 2
    """)
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*crash before*")


def test_test_that_takes_no_durable_is_refused():
    """There is nothing to break in it."""
    with pytest.raises(
        UsageError, match="breaks the runs of `durable`: add it to the test's arguments"
    ):
        crash_everywhere(lambda: None)


def test_async_test_is_refused():
    """A workflow needs no event loop."""

    async def test(durable):
        pass

    with pytest.raises(UsageError, match="@crash_everywhere on an async test; write `def`"):
        crash_everywhere(test)


@durable
def ten_steps(event, ctx):
    for n in range(10):
        yield ctx.step(f"step {n}", int)
    return event


@crash_everywhere
def test_ten_steps_hold_everywhere(durable):
    """The decorator is used as users do."""
    assert 7 == durable(ten_steps, 7).result
