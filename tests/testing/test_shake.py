"""`durable.shake`: any order, slow steps, deliveries that come twice; the same seed does the same."""

import asyncio

import pytest

from durable_gen import Retry, Semantics, durable
from durable_gen.testing import After
from replays import place

workflow = durable  # the fixture of a test has its name


@durable
def fans_out(event, ctx):
    batch = yield ctx.map("items", [1, 2, 3], lambda child, item: child.step("pack", lambda: item))
    yield ctx.wait("settle", 3)
    answer = yield ctx.wait_for_callback("approval", lambda id_: None, timeout=3600)
    return [*batch.values, answer]


def drawn(report):
    """Draw every round, with all its times."""
    return [str(run) for run in report.runs.values()]


def test_same_seed_then_the_same_rounds(durable):
    """A round is what its seed says: orders, times and all; another seed is another round."""
    script = {"callbacks": {"approval": After(7, seconds=5)}}
    one, again, other = (
        durable.shake(fans_out, seed=seed, rounds=4, **script) for seed in (3, 3, 9)
    )
    assert drawn(one) == drawn(again)
    assert drawn(one) != drawn(other)
    assert list(one.runs) == [3, 4, 5, 6]
    assert "4 rounds, and each ended as without: SUCCEEDED" == str(one)
    assert {(1, 2, 3, 7)} == {tuple(run.result) for run in one.runs.values()}


def test_steps_that_run_at_once_end_in_every_order(durable):
    """Of three branches, each of the six orders comes up."""
    orders = set()

    @workflow
    def orderly(event, ctx):
        ended = []
        yield ctx.map(
            "items", "abc", lambda child, item: child.step(item, lambda: ended.append(item))
        )
        orders.add("".join(dict.fromkeys(ended)))

    durable.shake(orderly, rounds=60)
    assert {"abc", "acb", "bac", "bca", "cab", "cba"} <= orders


def test_steps_take_time_in_which_callbacks_and_timers_come(durable):
    """A callback is answered while a step runs, and a wait ends meanwhile."""
    report = durable.shake(
        beside, rounds=30, slow=60, callbacks={"approval": After("yes", seconds=4)}
    )
    ended = [
        [run[f"all/{name}"].ended for name in ("nap", "approval", "slow")]
        for run in report.runs.values()
    ]
    assert any(nap < slow and approval < slow for nap, approval, slow in ended)


@durable
def beside(event, ctx):
    return (
        yield ctx.all(
            ctx.step("slow", lambda: "done"),
            ctx.wait("nap", 2),
            ctx.wait_for_callback("approval", lambda id_: None),
        )
    )


def test_deliveries_come_twice(durable):
    """The functions of steps run again where an event is delivered twice, but no at-most-once one."""
    runs = []

    @workflow
    def twice(event, ctx):
        yield ctx.step("charge", lambda: runs.append("charge"))
        yield ctx.wait("settle", 1)
        yield ctx.step("once", lambda: runs.append("once"), semantics=Semantics.AT_MOST_ONCE)

    def setup():
        counts.append((runs.count("once"), runs.count("charge")))
        runs.clear()

    counts = []
    durable.shake(twice, rounds=40, setup=setup)
    assert {1} == {once for once, _ in counts[2:]}
    assert {1, 2} == {charge for _, charge in counts[2:]}


def test_winner_of_a_race_may_differ_and_what_was_seen_stays_seen(durable):
    """Each racer wins in some round; the ends are not compared, and the report says so."""
    report = durable.shake(racing, rounds=40)
    assert {"a", "b"} <= {run.result for run in report.runs.values()}
    assert (
        "40 rounds, and what was seen stayed seen; who is first may differ, so the ends were not "
        "compared"
    ) == str(report)


@durable
def racing(event, ctx):
    won = yield ctx.race(ctx.step("a", lambda: "a"), ctx.step("b", lambda: "b"))
    yield ctx.wait("settle", 1)
    return won


def test_async_and_timed_steps_are_shaken(durable):
    """So are steps on an event loop and those with a timeout, which no chance exceeds."""

    @workflow
    def mixed(event, ctx):
        async def later():
            await asyncio.sleep(0)
            return 1

        flows = [lambda child: child.step("async", later)] * 2
        flows += [lambda child: child.step("timed", lambda: 2, timeout=3)] * 2
        return (yield ctx.parallel("mixed", flows)).values

    assert [1, 1, 2, 2] == durable.shake(mixed, slow=100).whole.result


def test_end_that_depends_on_the_order_is_told_with_its_seed(durable):
    """A shared list that steps fill in the order of their ends is found; the text is whole."""

    @workflow
    def ordered(event, ctx):
        ended = []

        def pack(item):
            ended.append(item)
            return len(ended)

        batch = yield ctx.map("items", "ab", lambda child, item: child.step(item, pack, item))
        return batch.values

    with pytest.raises(AssertionError) as caught:
        durable.shake(ordered, seed=0)
    text = str(caught.value)
    seed = int(text.split()[3].rstrip(":"))
    assert text.startswith(
        f"shaken with seed {seed}: the result is another\n"
        "  expected: [1, 2]\n"
        "  got:      [2, 1]\n"
        "If it may end so (it asks for the time, or a step is a race by itself), say what must be the "
        "same in every round: same=lambda run: run.status\n"
        "\n"
        "execution succeeded after "
    )
    assert text.endswith(f"\n\nrepeat it: durable.shake(ordered, seed={seed}, rounds=1)")
    with pytest.raises(AssertionError) as again:
        durable.shake(ordered, seed=seed, rounds=1)
    assert text == str(again.value)


def test_what_must_be_the_same_is_for_the_test_to_say(durable):
    """`same=` compares what it gives, and nothing else."""

    @workflow
    def clock(event, ctx):
        yield ctx.step("charge", lambda: 1)
        return str(ctx.now())

    with pytest.raises(AssertionError, match="the result is another"):
        durable.shake(clock)
    durable.shake(clock, same=lambda run: run.status)
    with pytest.raises(AssertionError, match="same= gives another value"):
        durable.shake(clock, same=lambda run: run.result)


def test_retries_and_failures_are_shaken(durable):
    """A workflow that fails fails the same in every round."""

    @workflow
    def failing(event, ctx):
        def decline():
            raise ValueError("no money")

        yield ctx.step("charge", decline, retry=Retry(max_attempts=3))

    report = durable.shake(failing)
    assert report.compared
    assert {"FAILED"} == {run.status for run in report.runs.values()}


def test_what_is_seen_and_not_kept_is_told(durable):
    """A value that reads as another one in a later invocation is found, at the user's line."""

    class Forgetful:
        """A serde that does not read what it wrote."""

        reads = 0

        def dumps(self, value, info):
            return "1"

        def loads(self, text, info):
            self.reads += 1
            return self.reads

    serde = Forgetful()

    @workflow
    def forgets(event, ctx):
        yield ctx.step("charge", lambda: 1, serde=serde)
        yield ctx.wait("settle", 1)

    with pytest.raises(AssertionError) as caught:
        durable.shake(forgets, slow=0, rounds=1)
    line = place(forgets, "charge")
    problem = f"{line}: step 'charge' gave 1 in one invocation, and 2 in a later one"
    assert str(caught.value).startswith(f"{problem}\n\nexecution succeeded after 1s")
