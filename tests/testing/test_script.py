"""The script: what steps do, how callbacks are answered, what other functions give."""

from datetime import timedelta

import pytest

from durable_gen import (
    CallbackFailed,
    CallbackTimedOut,
    ConditionFailed,
    InvokeFailed,
    Poll,
    StepFailed,
    UsageError,
    durable,
)
from durable_gen.testing import After, Answer, Fails, Never, Raises
from testing.flows import Declined, ask, clock, order, patient, sleeper

durable_handler = durable


def real(*_):
    raise AssertionError("the real step was called")


def two(ctx):
    return (yield ctx.step("charge", real, 2))


@durable
def steps(event, ctx):
    """Two steps of one name, the second in a child."""
    first = yield ctx.step("charge", real, 1)
    second = yield ctx.child("inner", two)
    return [first, second]


# --- steps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ({"charge": 5}, [5, 5]),
        ({"charge": lambda n: n * 10}, [10, 20]),
        ({"charge": 5, "inner/charge": 6}, [5, 6]),
        ({"inner/*": 6, "*": 5}, [5, 6]),
        ({"*/charge": 6, "ch?rge": 5}, [5, 6]),
        ({"*": 1, "charge": 2, "inner/charge": 3}, [2, 3]),
        ({"inner/*": [[1, 2]], "charge": None}, [None, None]),
        ({"inner/*": [[1, 2]], "c*": None}, [None, [1, 2]]),
    ],
)
def test_script_names_a_step_then_its_part_is_played(durable, script, result):
    """A path comes before a name, a name before wildcards; the real step is not called."""
    assert result == durable(steps, steps=script).result


def test_names_come_again_then_a_number_tells_them_apart(durable):
    """`charge#2` is the second of its name in a flow, `charge` any of them."""

    @durable_handler
    def handler(event, ctx):
        first = yield ctx.step("charge", real)
        second = yield ctx.step("charge", real)
        return [first, second, (yield ctx.step("charge", real))]

    assert [1, 2, 1] == durable(handler, steps={"charge": 1, "charge#2": 2}).result


def test_script_says_nothing_of_a_step_then_it_runs(durable):
    """What the script does not name is the real thing."""
    assert {"receipt": "r-1", "approved": 1} == durable(
        order, {"id": 1}, callbacks={"approval": 1}
    ).result


def test_part_is_a_list_then_each_attempt_plays_one_and_the_last_the_rest(durable):
    """A list has a part for each attempt; the last goes on for those that have none."""

    @durable_handler
    def handler(event, ctx):
        return (yield ctx.step("a", real))

    run = durable(handler, steps={"a": [Raises(OSError("down")), lambda: 2]})
    assert (2, 2) == (run.result, len(run["a"].attempts))
    run = durable(handler, steps={"a": [Raises(OSError), Raises(KeyError)]})
    assert ["OSError", *["KeyError"] * 5] == [one.error.type for one in run["a"].attempts]


def test_list_is_empty_then_it_is_refused(durable):
    """A list without a part says nothing."""
    run = durable(steps, steps={"charge": []})
    assert "must have one part at least" in str(run.error)


def test_part_raises_then_the_workflow_meets_what_the_real_step_would_raise(durable):
    """Raises takes an error or a class; classes under @durable_error come as themselves."""

    @durable_handler
    def handler(event, ctx):
        try:
            yield ctx.step("a", real, retry=None)
        except Declined as declined:
            return str(declined)

    assert "no" == durable(handler, steps={"a": Raises(Declined("no"))}).result
    error = durable(handler, steps={"a": Raises(ValueError("no"))}).error
    assert (StepFailed, "ValueError") == (type(error), error.error_type)


def test_part_is_async_then_it_is_awaited(durable):
    """A part may be `async def`, also for a step that is not."""

    async def part(n):
        return n + 1

    assert [2, 3] == durable(steps, steps={"charge": part}).result


def test_condition_is_scripted_then_its_checks_are_played(durable):
    """A condition's checks are a step's attempts."""

    @durable_handler
    def handler(event, ctx):
        poll = Poll(initial=60, backoff=1, max_attempts=3)
        return (yield ctx.wait_for_condition("ready", real, poll=poll))

    run = durable(handler, steps={"ready": [False, False, "yes"]})
    assert ("yes", 3, timedelta(minutes=2)) == (
        run.result,
        len(run["ready"].attempts),
        run.duration,
    )
    run = durable(handler, steps={"ready": Raises(KeyError("x"))})
    assert (ConditionFailed, "KeyError") == (type(run["ready"].error), run.error.error_type)
    assert isinstance(durable(handler, steps={"ready": 0}).error, ConditionFailed)


def test_submitter_is_scripted_then_it_is_played(durable):
    """What hands out a callback's id is the step `NAME submit`."""
    sent = []
    durable(patient, steps={"approval submit": sent.append}, callbacks={"approval": 1})
    assert 1 == len(sent)
    run = durable(patient, steps={"approval submit": Raises(OSError("down"))})
    assert ("FAILED", "CALLBACK_SUBMIT_FAILED") == (run.status, run.error.code)


def test_step_of_a_function_that_is_invoked_then_its_path_begins_with_its_name(durable):
    """The steps of a durable handler that is invoked can be scripted too."""

    @durable_handler
    def outer(event, ctx):
        return (yield ctx.invoke("go", "other:live"))

    run = durable(outer, invokes={"other:live": steps}, steps={"other/*": 4})
    assert [4, 4] == run.result


# --- callbacks -----------------------------------------------------------------------------------


@durable
def decision(event, ctx):
    """Ask, for an hour at most."""
    return (yield ctx.wait_for_callback("approval", ask, timeout=3600))


@pytest.mark.parametrize(
    ("answer", "result", "after"),
    [
        (Answer("yes"), "yes", 0),
        ("yes", "yes", 0),
        ([1, 2], [1, 2], 0),
        (None, None, 0),
        (After("yes", minutes=30), "yes", 1800),
        (After(Answer("yes"), seconds=1), "yes", 1),
        (After(After("yes", seconds=1), seconds=2), "yes", 3),
    ],
)
def test_callback_is_answered_then_the_workflow_has_the_value(durable, answer, result, after):
    """An answer comes at once or later, in the execution's time."""
    run = durable(decision, callbacks={"approval": answer})
    assert (result, timedelta(seconds=after)) == (run.result, run.duration)


@pytest.mark.parametrize("answer", [{}, {"approval": Never}, {"approval": After(1, hours=2)}])
def test_nobody_answers_in_time_then_the_timeout_happens_at_once(durable, answer):
    """A callback that nothing answers in time times out, and nobody waits for it."""
    run = durable(decision, callbacks=answer)
    assert (CallbackTimedOut, timedelta(hours=1)) == (type(run.error), run["approval"].duration)


def test_callback_fails_then_the_workflow_meets_the_error(durable):
    """Fails says what is wrong, with a class in words and data."""
    run = durable(decision, callbacks={"approval": Fails("too dear", "Refused", '{"most":5}')})
    error = run.error
    assert (CallbackFailed, "Refused", "too dear", '{"most":5}') == (
        type(error),
        error.error_type,
        error.message,
        error.data,
    )


def test_nothing_bounds_a_callback_then_the_run_stops_there(durable):
    """Without an answer and a timeout a run rests, for the test to look."""
    assert "RUNNING" == durable(patient, callbacks={"approval": Never}).status


def test_heartbeats_are_sent_meanwhile_then_the_callback_lives(durable):
    """After(..., heartbeat=) keeps a callback alive until it is answered."""

    @durable_handler
    def handler(event, ctx):
        return (yield ctx.wait_for_callback("work", ask, heartbeat=60))

    late = durable(handler, callbacks={"work": After("done", minutes=10)})
    assert ("FAILED", timedelta(seconds=60)) == (late.status, late.duration)
    alive = durable(handler, callbacks={"work": After("done", minutes=10, heartbeat=50)})
    assert ("done", timedelta(minutes=10)) == (alive.result, alive.duration)


def test_several_callbacks_are_open_then_each_has_its_answer(durable):
    """Answers are found by the path of each callback, and come in the order of their time."""

    @durable_handler
    def handler(event, ctx):
        a = yield ctx.callback("a")
        b = yield ctx.callback("b")
        return (yield ctx.all(a.result(), b.result()))

    run = durable(handler, callbacks={"a": After(1, hours=2), "b": After(2, hours=1)})
    assert ([1, 2], timedelta(hours=2)) == (run.result, run.duration)


def test_after_is_not_later_then_it_is_refused():
    """After says how much later."""
    with pytest.raises(UsageError, match="must say how much later"):
        After("yes")


# --- invokes -------------------------------------------------------------------------------------


@durable
def caller(event, ctx):
    """Invoke another function twice."""
    first = yield ctx.invoke("first", "rates:live", {"of": "EUR"})
    second = yield ctx.invoke("second", "rates:live", {"of": "CHF"})
    return [first, second]


@pytest.mark.parametrize(
    ("part", "result"),
    [
        (1.1, [1.1, 1.1]),
        (lambda payload: payload["of"], ["EUR", "CHF"]),
        ([1, lambda payload: payload["of"]], [1, "CHF"]),
        (None, [None, None]),
    ],
)
@pytest.mark.parametrize("name", ["rates:live", "rates"])
def test_function_is_scripted_then_it_answers(durable, part, result, name):
    """A function answers with a value, or what a function of the payload gives."""
    assert result == durable(caller, invokes={name: part}).result


def test_function_raises_then_the_workflow_meets_it(durable):
    """A function that raises fails as on Lambda: with its error's class and text."""
    error = durable(caller, invokes={"rates:live": Raises(ValueError("no rate"))}).error
    assert (InvokeFailed, "ValueError", "no rate") == (
        type(error),
        error.error_type,
        error.message,
    )


def test_durable_handler_is_invoked_then_its_run_can_be_reached(durable):
    """A durable handler has executions of its own, with the operations that they did."""

    @durable_handler
    def rates(event, ctx):
        yield ctx.wait("market opens", hours=9)
        return event["of"].lower()

    run = durable(caller, invokes={"rates:live": rates})
    assert (["eur", "chf"], timedelta(hours=18)) == (run.result, run.duration)
    assert ["first", "second"] == list(run.invoked)
    inner = run.invoked["second"]
    assert ("SUCCEEDED", "chf", {"of": "CHF"}) == (inner.status, inner.result, inner.input)
    assert timedelta(hours=9) == inner["market opens"].duration
    with pytest.raises(LookupError) as caught:
        _ = run.invoked["rates"]
    assert (
        "several executions were invoked as 'rates'; "
        "there are: first (rates:live), second (rates:live)"
    ) == str(caught.value)


def test_function_was_invoked_once_then_its_name_finds_the_run(durable):
    """A single execution is found by its function, with or without the alias."""

    @durable_handler
    def outer(event, ctx):
        return (yield ctx.invoke("go", "sleeper:live", 2))

    run = durable(outer, invokes={"sleeper:live": sleeper})
    assert 2 == run.invoked["sleeper"].result == run.invoked["sleeper:live"].result
    with pytest.raises(LookupError, match="no execution was invoked as 'rates'"):
        _ = run.invoked["rates"]


def test_callback_of_an_invoked_function_then_it_is_answered_by_script_or_by_test(durable):
    """Callbacks of durable handlers that are invoked have paths too, and can be answered."""

    @durable_handler
    def outer(event, ctx):
        return (yield ctx.invoke("go", "other:live"))

    scripted = durable(outer, invokes={"other": patient}, callbacks={"other/approval": "yes"})
    assert "yes" == scripted.result
    run = durable(outer, invokes={"other": patient})
    assert "RUNNING" == run.status
    run.invoked["other"].answer("approval", "no")
    assert "no" == run.go_on().result


def test_function_is_not_in_the_script_then_the_error_says_what_to_add(durable):
    """An invoke that the script says nothing of is the test's mistake, not the workflow's."""
    with pytest.raises(UsageError) as caught:
        durable(caller)
    assert (
        "invoke 'first' calls 'rates:live', and the script does not say what that answers. Add it, "
        "as a durable handler, a function of the payload, a value or Raises(error):\n"
        "    durable(handler, event, invokes={'rates:live': ...})"
    ) == str(caught.value)


def test_function_fails_like_one_that_is_not_there_then_it_is_the_workflows_affair(durable):
    """An error of the class that the service has for missing functions may be scripted."""

    class ResourceNotFoundException(Exception):  # noqa: N818 - AWS's word
        pass

    run = durable(caller, invokes={"rates": Raises(ResourceNotFoundException("gone"))})
    assert "ResourceNotFoundException" == run.error.error_type


def test_function_is_scripted_in_two_versions_then_each_answers(durable):
    """Numbers are versions, each with its own part; an alias is whatever was written for it."""

    @durable_handler
    def outer(event, ctx):
        one = yield ctx.invoke("one", "rates:1")
        return [one, (yield ctx.invoke("two", "rates:2"))]

    assert ["a", "b"] == durable(outer, invokes={"rates:1": "a", "rates:2": "b"}).result


def test_durable_handler_is_invoked_without_a_version_then_it_fails_as_on_aws(durable):
    """A durable function is invoked with a version or an alias; the kit does not hide that."""

    @durable_handler
    def outer(event, ctx):
        return (yield ctx.invoke("go", "other"))

    run = durable(outer, invokes={"other": sleeper})
    assert "InvalidParameterValueException" == run.error.error_type


# --- the script itself ---------------------------------------------------------------------------


def test_part_of_the_script_is_not_used_then_the_drawing_says_so(durable):
    """A misspelt path shows at the end of the tree."""
    run = durable(sleeper, 1, steps={"day": 1}, callbacks={"aproval": 2}, invokes={"rates": 3})
    assert ("unused in the script: steps 'day', callbacks 'aproval', invokes 'rates'") == str(
        run
    ).splitlines()[-1]


@pytest.mark.parametrize("what", ["steps", "callbacks", "invokes"])
def test_script_is_no_mapping_then_it_is_refused(durable, what):
    """A script maps paths to parts."""
    with pytest.raises(UsageError) as caught:
        durable(sleeper, 1, **{what: [1]})
    assert f"{what}=... must map paths of operations to what they do, not [1]" == str(caught.value)


def test_step_asks_the_time_then_scripts_can_too(durable):
    """A part that is a function runs where the step does, in the execution's time."""

    @durable_handler
    def handler(event, ctx):
        yield ctx.wait("a", days=1)
        return (yield ctx.step("now", real))

    assert "2025-01-02T00:00:00+00:00" == durable(handler, steps={"now": clock}).result
