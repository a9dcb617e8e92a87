"""Time in a run: virtual, its own, and what `datetime.now()` says in workflows and their steps."""

import asyncio
import subprocess
import sys
import textwrap
import time
from datetime import UTC, date, datetime, timedelta

import pytest
from freezegun import freeze_time

from durable_gen import StepTimedOut, durable
from testing.flows import clock, sleeper

durable_handler = durable
LATER = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


def clocks():
    return [datetime.now(UTC).isoformat(), date.today().isoformat(), time.time()]  # noqa: DTZ011


def expected(at):
    return [at.isoformat(), at.date().isoformat(), at.timestamp()]


async def later_clocks():
    await asyncio.sleep(0.001)
    return clocks()


@durable
def asks(event, ctx):
    """Ask the time everywhere, a day in."""
    yield ctx.wait("a day", days=1)
    inline = yield ctx.step("inline", clocks)
    thread = yield ctx.step("thread", clocks, timeout=30)
    on_loop = yield ctx.step("async", later_clocks, timeout=30)
    both = yield ctx.all(ctx.step("one", clocks), ctx.step("other", later_clocks))
    return [clocks(), inline, thread, on_loop, *both]


def test_workflow_and_steps_ask_the_time_then_it_is_the_executions(durable):
    """In the flow, inline, in threads and on the event loop it is the execution's time."""
    at = datetime(2025, 1, 2, tzinfo=UTC)
    assert [expected(at)] * 6 == durable(asks).result


def test_start_is_given_then_time_begins_there(durable):
    """A test says when its execution is started."""
    run = durable(asks, start=LATER)
    assert [expected(LATER + timedelta(days=1))] * 6 == run.result
    assert LATER == run.started


def test_test_has_frozen_the_time_then_the_run_begins_there(durable):
    """Under the test's own freeze_time a run starts at that instant, and leaves it as it was."""
    with freeze_time(LATER):
        run = durable(asks)
        assert [expected(LATER + timedelta(days=1))] * 6 == run.result
        assert LATER == datetime.now(UTC)
    assert LATER == run.started


def test_run_is_over_then_the_time_is_the_machines_again(durable):
    """Only a run that goes on has its time frozen."""
    durable(sleeper, 1)
    assert datetime.now(UTC).year >= 2026


def test_freeze_is_off_then_the_clocks_are_the_machines(durable):
    """`freeze=False` leaves the clocks alone; the execution's own time is virtual all the same."""

    @durable_handler
    def handler(event, ctx):
        yield ctx.wait("a", days=366)
        yield ctx.wait("b", days=34)
        return [(yield ctx.step("now", clock)), ctx.now().isoformat()]

    run = durable(handler, freeze=False, timeout=None)
    real, own = run.result
    assert "2026-02-05T00:00:00+00:00" == own
    assert real > "2026-02-06"


def test_two_runs_go_on_in_turn_then_each_has_its_own_time(durable):
    """Time is a run's own."""
    one = durable(asks, until="a day")
    other = durable(asks, until="a day", start=LATER)
    assert expected(LATER + timedelta(days=1)) == other.go_on().result[0]
    assert expected(datetime(2025, 1, 2, tzinfo=UTC)) == one.go_on().result[0]


@pytest.mark.parametrize("frozen", [True, False])
def test_step_takes_too_long_then_its_timeout_is_real(durable, frozen):
    """A step's timeout is seconds of the machine's, frozen or not; so is what it sleeps."""

    async def slow():
        await asyncio.sleep(60)

    @durable_handler
    def handler(event, ctx):
        try:
            yield ctx.step("async", slow, timeout=0.05, retry=None)
        except Exception as error:
            yield ctx.step("thread", time.sleep, 60, timeout=0.05, retry=None)
            return str(error)

    error = durable(handler, freeze=frozen).error
    assert isinstance(error, StepTimedOut) or "StepTimedOut" in str(error.error_type)


def test_time_is_frozen_outside_then_timeouts_are_real_all_the_same(durable):
    """Under the test's own freeze_time an async step's timeout still comes."""

    async def slow():
        await asyncio.sleep(60)

    @durable_handler
    def handler(event, ctx):
        yield ctx.step("async", slow, timeout=0.05, retry=None)

    with freeze_time(LATER):
        assert "FAILED" == durable(handler).status


def test_step_gives_the_time_then_it_comes_back_as_what_it_is(durable):
    """What freezegun puts in the place of datetimes can be recorded and read back."""

    def when() -> datetime:
        return datetime.now(UTC)

    def day() -> date:
        return date.today()  # noqa: DTZ011

    @durable_handler
    def handler(event, ctx):
        a = yield ctx.step("when", when)
        b = yield ctx.step("day", day)
        assert (datetime(2025, 1, 1, tzinfo=UTC), date(2025, 1, 1)) == (a, b)
        return "the same"

    assert "the same" == durable(handler).result
    assert (
        "the same"
        == durable(
            handler, freeze=False, steps={"when": first, "day": lambda: first().date()}
        ).result
    )


def first(*_):
    return datetime(2025, 1, 1, tzinfo=UTC)


def test_freezegun_is_missing_then_runs_have_their_time_all_the_same():
    """Without freezegun everything works but for `datetime.now()`."""
    code = """
        import sys
        sys.modules["freezegun"] = None
        import importlib.util
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name: None if name == "freezegun" else find(name)
        from durable_gen import durable
        from durable_gen.testing import Durable

        @durable
        def handler(event, ctx):
            yield ctx.wait("a", days=1)
            return str(ctx.now())

        print(Durable()(handler).result)
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "2025-01-02 00:00:00+00:00\n" == ran.stdout
