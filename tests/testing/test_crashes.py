"""`durable.crashes`: every single thing that can go wrong, and what is said when it shows."""

import asyncio
import random
from copy import deepcopy

import pytest

from durable_gen import Retry, Semantics, UsageError, durable, durable_error
from durable_gen.testing import Answer, Raises
from replays import place

durable_handler = durable  # the fixture of a test has its name


def one():
    return 1


@durable
def two_steps(event, ctx):
    first = yield ctx.step("first", one)
    yield ctx.wait("settle", 60)
    return first + (yield ctx.step("second", one))


def test_moments_are_each_checkpoint_call_and_answer_in_order(durable):
    """A workflow of two steps and a wait between them has these moments, and no others."""
    report = durable.crashes(two_steps)
    points = [one.words for one in report.moments if (one.hit, one.when) == ("crash", "before")]
    first, settle, second = (place(two_steps, text) for text in ("first", "settle", "second"))
    assert [
        f"crash before call 1 (step first) at {first}",
        f"crash before checkpoint 1 (step first START, step first SUCCEED) at {first}",
        f"crash before checkpoint 2 (wait settle START) at {settle}",
        "crash before answer 1 (PENDING)",
        f"crash before call 2 (step second) at {second}",
        f"crash before checkpoint 3 (step second START, step second SUCCEED) at {second}",
        "crash before answer 2 (SUCCEEDED)",
    ] == points
    assert [
        "before checkpoint 1",
        "throttled at checkpoint 1",
        "500 at checkpoint 1",
        "lost before checkpoint 1",
        "lost after checkpoint 1",
        "after checkpoint 1",
    ] == [str(one) for one in report.moments if (one.place, one.number) == ("checkpoint", 1)]


def test_report_counts_how_often_functions_ran(durable):
    """At least once is allowed, and shown."""
    report = durable.crashes(two_steps)
    assert {"first": 2, "second": 2} == report.effects
    assert 2 == report.whole.result
    assert (
        "14 crashes and 12 failing calls, and each time the execution ended as without: SUCCEEDED\n"
        "  first   ran 2 times at most\n"
        "  second  ran 2 times at most"
    ) == str(report)


def test_faults_left_out_then_there_are_crashes_alone(durable):
    """`faults=False` leaves calls to the service alone."""
    assert {"crash"} == {one.hit for one in durable.crashes(two_steps, faults=False).moments}


def test_callbacks_and_invokes_are_scripted_as_in_a_run(durable):
    """A workflow with callbacks, invokes of durable handlers and conditions passes, too."""
    report = durable.crashes(
        two_steps_and_more,
        faults=False,
        callbacks={"approval": Answer("yes")},
        invokes={"two:live": two_steps},
    )
    assert ["yes", 2] == report.whole.result


@durable
def two_steps_and_more(event, ctx):
    return [
        (yield ctx.wait_for_callback("approval", lambda id_: None)),
        (yield ctx.invoke("two", "two:live")),
    ]


@durable
def fans_out(event, ctx):
    async def later():
        await asyncio.sleep(0)
        return 9

    batch = yield ctx.map("items", [1, 2], lambda inner, item: inner.step("pack", lambda: item))
    return [*batch.values, (yield ctx.step("async", later)), str(ctx.uuid4())]


def test_fan_outs_and_async_steps_pass(durable):
    """Branches, steps on an event loop, and ids that the context makes are the same each time."""
    assert [1, 2, 9] == durable.crashes(fans_out).whole.result[:3]


@durable
def fails(event, ctx):
    yield ctx.step("charge", one, retry=Retry(max_attempts=3))


@durable_error
class DeclinedError(Exception):
    """What the bank says."""


def test_workflow_that_fails_must_fail_the_same(durable):
    """A failure is an end as good as another, and retries are no difference."""
    report = durable.crashes(fails, steps={"charge": Raises(DeclinedError("no money"))})
    assert "FAILED" == report.whole.status
    assert 4 == report.effects["charge"]


def test_step_that_draws_its_value_may_give_another(durable):
    """What a step draws is recorded: another value in another run is no difference."""

    @durable_handler
    def draws(event, ctx):
        return (yield ctx.step("draw", random.random))

    durable.crashes(draws)


def test_flow_that_draws_its_result_is_found(durable):
    """What the flow draws is not, and the line is named."""

    @durable_handler
    def draws(event, ctx):
        yield ctx.step("charge", one)
        return random.random()

    with pytest.raises(AssertionError) as caught:
        durable.crashes(draws)
    assert f"{place(draws, 'return')}: the flow does something else" in str(caught.value)
    assert "It depends on random numbers" in str(caught.value)


@durable
def once(event, ctx):
    return (yield ctx.step("charge", one, retry=None, semantics=Semantics.AT_MOST_ONCE))


def test_at_most_once_step_that_is_cut_off_is_reported(durable):
    """It may end otherwise, for that is what was asked for; its function never runs twice."""
    report = durable.crashes(once)
    assert {"charge": 1} == report.effects
    assert ["after checkpoint 1", "before call 1", "after call 1", "before checkpoint 2"] == [
        moment for moment, run in report.interrupted.items() if run.status == "FAILED"
    ]
    assert "an at-most-once step was cut off, and the execution is FAILED" in str(report)


def test_step_that_runs_again_after_its_end_is_found(durable):
    """A handler that is given an old log does again what is done: the report names the step."""
    kept = []

    def forgetful(event, context):
        if not kept:
            kept.append(event["InitialExecutionState"])
        return two_steps({**event, "InitialExecutionState": deepcopy(kept[0])}, context)

    with pytest.raises(AssertionError) as caught:
        durable.crashes(forgetful, setup=kept.clear, faults=False)
    line = place(two_steps, "first")
    assert f"step 'first' ({line}) ran again after its end was recorded" in str(caught.value)


def test_side_effects_inside_steps_may_repeat_with_them(durable):
    """By default a side effect may repeat where a step's function runs again, and only there."""
    charged = []

    @durable_handler
    def charges(event, ctx):
        yield ctx.step("charge", charged.append, event)

    report = durable.crashes(charges, "card", setup=charged.clear, effects=lambda: charged)
    assert {"charge": 2} == report.effects


@pytest.mark.parametrize(
    "kind", [list, lambda mailed: dict.fromkeys(mailed, 1), len], ids=["list", "mapping", "number"]
)
def test_side_effects_are_lists_mappings_or_numbers(durable, kind):
    """Whatever counts them, one that happens again outside of steps is found."""
    mailed = []

    @durable_handler
    def mails(event, ctx):
        yield ctx.step("charge", one)
        mailed.append(len(mailed))

    with pytest.raises(AssertionError, match="a side effect outside of steps happened again"):
        durable.crashes(mails, setup=mailed.clear, effects=lambda: kind(mailed))


def test_side_effects_that_are_others_each_time_are_counted(durable):
    """A side effect with a drawn id is no other for that; outside of steps it is found all the same."""
    mailed = []

    @durable_handler
    def mails(event, ctx):
        yield ctx.step("mail", lambda: mailed.append(random.random()))
        if event:
            mailed.append(random.random())

    durable.crashes(mails, effects=lambda: mailed)
    with pytest.raises(AssertionError, match="a side effect outside of steps happened again"):
        durable.crashes(mails, "twice", effects=lambda: mailed)


def test_side_effect_that_a_crash_loses_is_found(durable):
    """What happens only at the first attempt outside of the log's sight is missed after a crash."""
    started = []
    mailed = []

    def setup():
        started.clear()
        mailed.clear()

    def handle(event, context):
        started.append(1)
        return loses(event, context)

    @durable_handler
    def loses(event, ctx):
        yield ctx.step("charge", one)
        if len(started) == 1:
            mailed.append("bill")

    with pytest.raises(AssertionError, match="a side effect did not happen: 'bill'"):
        durable.crashes(handle, setup=setup, effects=lambda: mailed)


def test_side_effects_that_cannot_be_counted_are_refused(durable):
    """What `effects=` must return is said."""
    with pytest.raises(UsageError) as caught:
        durable.crashes(two_steps, effects=lambda: None)
    assert (
        "effects= must be a function that returns a list of what has happened, a mapping of it to "
        "numbers, or a number; it returned None"
    ) == str(caught.value)


def test_something_that_remains_from_run_to_run_is_told(durable):
    """A workflow that finds what an earlier run left behind does something else: setup= is named."""
    done = set()

    @durable_handler
    def remembers(event, ctx):
        if "charge" not in done:
            yield ctx.step("charge", done.add, "charge")
        yield ctx.step("ship", one)

    with pytest.raises(AssertionError):
        durable.crashes(remembers)
    durable.crashes(two_steps, setup=done.clear)


def test_one_moment_is_repeated_by_its_words(durable):
    """`crash=` does in a run what the report names."""
    run = durable(two_steps, crash="after checkpoint 1")
    assert "SUCCEEDED" == run.status
    assert 3 == len(run.invocations)
    assert 2 == len(durable(two_steps, crash="lost after checkpoint 1").invocations)
    assert 4 == len(
        durable(two_steps, crash=["before call 1", "after call 9", "before answer 2"]).invocations
    )


def test_moment_that_never_comes_is_an_error(durable):
    """The error says how many there were."""
    with pytest.raises(LookupError) as caught:
        durable(two_steps, crash="after checkpoint 7")
    assert (
        "the moment 'after checkpoint 7' never came; there were: 2 of call, 3 of checkpoint, 2 of "
        "answer"
    ) == str(caught.value)


def test_at_most_once_step_of_a_script_never_runs_twice(durable):
    """What a script has a step do is held to that as well."""
    report = durable.crashes(once, steps={"charge": 5})
    assert 5 == report.whole.result
    assert {"charge": 1} == report.effects


@pytest.mark.parametrize(
    "words", ["checkpoint 3", "after checkpoint 0", "throttled at call 1", "at answer 1", 3, ""]
)
def test_words_that_are_no_moment_are_refused(durable, words):
    """The error shows how a moment is written."""
    with pytest.raises((UsageError, TypeError)) as caught:
        durable(two_steps, crash=words)
    if words != 3:
        assert (
            "a crash is a moment such as 'before checkpoint 3', 'after call 2', 'before answer 1', "
            f"'throttled at checkpoint 3' or 'lost after checkpoint 3', not {words!r}"
        ) == str(caught.value)


def test_handler_that_is_none_is_refused(durable):
    """As in a run."""
    with pytest.raises(UsageError, match=r"handler must be a Lambda handler, not 3"):
        durable.crashes(3)
