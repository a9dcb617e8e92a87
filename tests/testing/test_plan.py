"""Plans: a flow is checked step by step, without a service."""

import re

import pytest

from durable_gen import (
    BatchFailed,
    CallbackSubmitFailed,
    CallbackTimedOut,
    ChildContextFailed,
    Completion,
    InvokeFailed,
    Poll,
    Retry,
    StepFailed,
    StepTimedOut,
    UsageError,
    durable,
)
from durable_gen.testing import Raises, plan
from durable_gen.testing.plan import (
    callback,
    callback_result,
    child,
    compensation,
    expect,
    invoke,
    step,
    wait,
    wait_for_callback,
    wait_for_condition,
)
from testing.flows import Declined, ask, charge, order, payment

ORDER = {"id": 7}
LINE = re.compile(r"\b(\w+\.py):\d+")


def text(caught):
    """Read an error's text, without the numbers of lines."""
    return LINE.sub(r"\1", str(caught.value))


def test_flow_does_what_is_planned_then_nothing_is_raised():
    """A plan that fits says nothing."""
    expect(payment, ORDER).yields(step("charge", ORDER)).returns("r-7").yields(
        wait("settle", hours=1)
    ).returns().ends("r-7")


def test_handler_is_planned_then_its_event_comes_first():
    """A handler that @durable made is planned as its flow is."""
    (
        expect(order, ORDER)
        .yields(child("payment", ORDER))
        .returns({"receipt": 1})
        .yields(wait_for_callback("approval", timeout=86_400))
        .returns(True)
        .ends({"receipt": 1, "approved": True})
    )


def test_something_else_comes_then_the_error_shows_both_and_where():
    """A mismatch shows what was expected, what came, both lines, what differs, and what was before."""
    with pytest.raises(AssertionError) as caught:
        (
            expect(order, ORDER)
            .yields(child("payment", ORDER))
            .enters()
            .yields(step("charge", {"id": 8}, retry=Retry(max_attempts=2)))
        )
    assert (
        "the flow did not do what was expected next\n"
        "    expected:  step('charge', {'id': 8}, retry=Retry(max_attempts=2, initial=5, "
        "maximum=60, backoff=2.0, jitter='full', retry_on=(<class 'Exception'>,), retry_if=None))"
        "    test_plan.py, in "
        "test_something_else_comes_then_the_error_shows_both_and_where\n"
        "    came:      step('charge', {'id': 7}, retry=Retry(max_attempts=3, initial=5, "
        "maximum=60, backoff=2.0, jitter='none', retry_on=(<class 'Exception'>,), retry_if=None))"
        "    flows.py, in payment\n"
        "    argument 1: expected {'id': 8}, came {'id': 7}\n"
        "    retry: expected Retry(max_attempts=2, initial=5, maximum=60, backoff=2.0, "
        "jitter='full', retry_on=(<class 'Exception'>,), retry_if=None), "
        "came Retry(max_attempts=3, initial=5, maximum=60, backoff=2.0, jitter='none', "
        "retry_on=(<class 'Exception'>,), retry_if=None)\n"
        "so far:\n"
        "    child 'payment'"
    ) == text(caught)


def test_lines_are_those_of_the_test_and_of_the_flow():
    """The lines that a mismatch names are the right ones."""
    with pytest.raises(AssertionError) as caught:
        expect(payment, ORDER).yields(wait("settle"))
    line = caught.traceback[0].lineno + 1
    assert f"test_plan.py:{line}, in test_lines" in str(caught.value)
    at = charge.__code__.co_firstlineno
    assert re.search(r"flows\.py:(\d+), in payment", str(caught.value))
    assert at < int(re.search(r"flows\.py:(\d+)", str(caught.value))[1])


MISFITS = [
    (step("refund", ORDER), "name: expected 'refund', came 'charge'"),
    (step("charge", {"id": 8}), "argument 1: expected {'id': 8}, came {'id': 7}"),
    (step("charge"), "arguments: expected 0, came 1"),
    (step("charge", ORDER, fn=ask), "fn: expected ask, came charge"),
    (step("charge", ORDER, timeout=5), "timeout: expected 5, came None"),
    (wait("charge"), "kind: expected wait, came step"),
]


@pytest.mark.parametrize(("word", "misfit"), MISFITS, ids=[misfit for _, misfit in MISFITS])
def test_word_does_not_fit_then_the_error_says_in_what(word, misfit):
    """Kind, name, arguments and the options that are given are compared."""
    with pytest.raises(AssertionError) as caught:
        expect(payment, ORDER).yields(word)
    assert f"    {misfit}" in str(caught.value).splitlines()


@pytest.mark.parametrize(
    "word",
    [
        step("charge", ORDER),
        step("charge", ...),
        step(..., ...),
        step(..., ORDER, fn=charge),
        step("charge", ORDER, timeout=None, retry=...),
    ],
)
def test_word_fits_then_what_is_left_out_does_not_count(word):
    """Options that are not given do not count; `...` stands for anything."""
    expect(payment, ORDER).yields(word)


def test_option_is_none_of_the_operations_then_it_is_refused():
    """A misspelt option is the test's mistake."""
    with pytest.raises(UsageError, match=r"step\(\.\.\.\) has no option 'retries'; there are: "):
        expect(payment, ORDER).yields(step("charge", ORDER, retries=3))


def test_flow_ends_too_early_then_the_error_says_how():
    """A flow that returns or raises instead of yielding is a mismatch."""

    def returns(ctx):
        return 5
        yield

    def raises(ctx):
        raise KeyError("sku")
        yield

    with pytest.raises(AssertionError) as caught:
        expect(returns).yields(step("charge"))
    assert "    came:      it returned 5" in text(caught).splitlines()
    with pytest.raises(AssertionError) as caught:
        expect(raises).yields(step("charge"))
    came = "    came:      it raised KeyError: 'sku'    test_plan.py, in "
    assert came in text(caught)


def test_flow_goes_on_then_its_end_is_a_mismatch():
    """`ends` and `fails` are mismatches while the flow yields."""
    with pytest.raises(AssertionError) as caught:
        expect(payment, ORDER).ends()
    assert (
        "the flow did not do what was expected next\n"
        "    expected:  the end    test_plan.py, in "
        "test_flow_goes_on_then_its_end_is_a_mismatch\n"
        "    came:      step('charge', {'id': 7})    flows.py, in payment"
    ) == text(caught)
    with pytest.raises(AssertionError, match=r"expected:  StepFailed"):
        expect(payment, ORDER).fails(StepFailed)


def test_result_is_another_then_it_is_a_mismatch():
    """`ends` compares what is returned, if it is told."""
    plan = expect(payment, ORDER).yields(step("charge", ORDER)).returns(1).yields(wait("settle"))
    with pytest.raises(AssertionError, match="result: expected 2, came 1"):
        plan.returns().ends(2)


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError("no"), ValueError])
def test_step_raises_then_the_flow_gets_what_the_service_would_give(error):
    """An error of any class comes as StepFailed, as it would from the log."""
    expect(payment, ORDER).yields(step("charge", ...)).raises(error).fails(StepFailed)


def test_error_is_marked_then_the_flow_gets_its_class():
    """Classes under @durable_error, and those that a step raises, come as themselves."""

    def flow(ctx):
        try:
            yield ctx.step("charge", charge, ORDER)
        except Declined as declined:
            return f"declined: {declined}"
        except StepTimedOut:
            return "late"

    begin = lambda: expect(flow).yields(step("charge", ORDER))  # noqa: E731
    begin().raises(Declined("no funds")).ends("declined: no funds")
    begin().raises(StepTimedOut("charge")).ends("late")
    begin().raises(KeyError("x")).fails(StepFailed, "KeyError")
    begin().raises(CallbackTimedOut("x")).fails(StepFailed, "CallbackTimedOut")


@pytest.mark.parametrize("error", [CallbackTimedOut("approval"), CallbackSubmitFailed("approval")])
def test_wait_for_callback_fails_then_all_of_its_errors_pass(error):
    """Whatever fails inside a `wait_for_callback` comes out of it as itself."""

    def flow(ctx):
        return (yield ctx.wait_for_callback("approval", ask))

    expect(flow).yields(wait_for_callback("approval")).raises(error).fails(type(error))


def test_flow_fails_otherwise_then_it_is_a_mismatch():
    """`fails` compares the class, and a part of the text."""
    with pytest.raises(AssertionError, match="came:      it raised StepFailed: "):
        expect(payment, ORDER).yields(step("charge", ...)).raises(OSError).fails(InvokeFailed)
    with pytest.raises(AssertionError, match="expected:  StepFailed with 'declined'"):
        expect(payment, ORDER).yields(step("charge", ...)).raises(OSError).fails(
            StepFailed, "declined"
        )


# --- every kind ----------------------------------------------------------------------------------


def test_callback_then_it_is_answered_with_its_id():
    """A callback gives its id; its result is an operation of its own."""

    def flow(ctx):
        made = yield ctx.callback("approval", timeout=60)
        yield ctx.step("ask", ask, made.id)
        return (yield made.result())

    (
        expect(flow)
        .yields(callback("approval", timeout=60))
        .returns("id-1")
        .yields(step("ask", "id-1"))
        .returns()
        .yields(callback_result("approval"))
        .returns("yes")
        .ends("yes")
    )


def test_condition_and_invoke_then_their_options_are_compared():
    """A condition's poll and initial state, an invoke's function and payload are compared."""

    def flow(ctx):
        yield ctx.wait_for_condition("ready", ask, 0, poll=Poll(max_attempts=3))
        return (yield ctx.invoke("rate", "rates:live", {"of": "EUR"}, tenant_id="t"))

    (
        expect(flow)
        .yields(wait_for_condition("ready", check=ask, initial=0, poll=Poll(max_attempts=3)))
        .returns(5)
        .yields(invoke("rate", "rates:live", {"of": "EUR"}, tenant_id="t"))
        .returns(1.1)
        .ends(1.1)
    )


def fan_out(ctx):
    return (yield ctx.map("pay", [1, 2], payment, max_concurrency=2))


def test_map_is_answered_with_values_then_the_flow_gets_a_batch():
    """A list of values stands for a Batch; Raises stands for an item that fails."""

    def flow(ctx):
        batch = yield from fan_out(ctx)
        return batch.values, [type(error) for error in batch.errors]

    word = plan.map("pay", [1, 2], max_concurrency=2, flow=payment, completion=Completion())
    expect(flow).yields(word).returns(["a", "b"]).ends((["a", "b"], []))
    expect(flow).yields(word).returns(["a", Raises(OSError)]).ends((["a"], [ChildContextFailed]))
    with pytest.raises(UsageError, match="a list of as many values as there are branches"):
        expect(flow).yields(word).returns(5)


def test_items_are_entered_then_the_flow_gets_what_they_gave():
    """A fan-out whose items were all entered is answered by their ends."""
    begin = expect(fan_out).yields(plan.map("pay", [1, 2]))
    for item in (2, 1):
        begin.enters(item - 1).yields(step("charge", item)).returns(item * 10).yields(
            wait("settle")
        ).returns().ends(item * 10)
    with pytest.raises(AssertionError, match=r"expected:  the end, with \[\]"):
        begin.ends([])


def test_branches_are_entered_by_name_then_one_may_fail():
    """A branch is entered by its name or its number; one that fails is an item of the batch."""

    def flow(ctx):
        batch = yield ctx.parallel("both", {"a": payment_of(1), "b": payment_of(2)})
        return batch.values, len(batch.errors)

    (
        expect(flow)
        .yields(plan.parallel("both", ["a", "b"]))
        .enters("b")
        .yields(step("charge", 2))
        .raises(OSError)
        .fails(StepFailed)
        .enters(0)
        .yields(step("charge", 1))
        .returns("r")
        .yields(wait("settle"))
        .returns()
        .ends("r")
        .ends((["r"], 1))
    )
    with pytest.raises(UsageError) as caught:
        expect(flow).yields(plan.parallel(...)).enters("c")
    assert "parallel 'both' has no branch 'c'; there are: 0 ('a'), 1 ('b')" == str(caught.value)


def payment_of(n):
    return lambda ctx: payment(ctx, n)


@pytest.mark.parametrize("word", ["all", "settled", "any", "race"])
def test_combinators_then_what_they_are_of_is_compared(word):
    """A combinator is compared by its operations and flows, and answered with its value."""

    def flow(ctx):
        return (
            yield getattr(ctx, word)(ctx.step("a", charge, 1), ctx.wait("b", hours=1), two(ctx))
        )

    def two(ctx):
        yield ctx.step("c", charge, 3)

    combined = getattr(plan, word)
    expect(flow).yields(combined(step("a", 1), wait("b", hours=1), child("two"))).returns(5).ends(5)
    with pytest.raises(AssertionError, match="argument 1: name: expected 'x', came 'a'"):
        expect(flow).yields(combined(step("x", 1), wait("b"), child("two")))
    with pytest.raises(AssertionError, match="arguments: expected 1, came 3"):
        expect(flow).yields(combined(step("a", 1)))


def test_branches_of_a_combinator_are_entered_then_it_gives_what_they_gave():
    """What a combinator gives, or raises, is made of how its branches ended."""

    def flow(ctx):
        return (yield ctx.any(ctx.step("a", charge, 1), payment_of(2)))

    begin = expect(flow).yields(plan.any(step("a", 1), child("<lambda>")))
    begin.enters(0).yields(step("a", 1)).raises(OSError).fails(StepFailed)
    begin.enters(1).yields(step("charge", 2)).raises(OSError).fails(StepFailed).fails(BatchFailed)


def test_child_fails_then_its_caller_gets_what_the_service_would_give():
    """A child that was entered answers with its own end."""

    def flow(ctx):
        try:
            yield ctx.child("payment", payment, ORDER)
        except ChildContextFailed as failed:
            return failed.error_type

    (
        expect(flow)
        .yields(child("payment", ORDER))
        .enters()
        .yields(step("charge", ORDER))
        .raises(OSError("down"))
        .fails(StepFailed)
        .ends("StepFailed")
    )


def test_steps_have_compensations_then_compensate_yields_them_in_reverse():
    """`ctx.compensate()` comes as the compensations that it runs, the last first."""

    def flow(ctx):
        for name in ("reserve", "charge"):
            yield ctx.step(name, charge, 1, compensate=ask)
        return (yield ctx.compensate()).all_succeeded

    (
        expect(flow)
        .yields(step("reserve", 1))
        .returns("a")
        .yields(step("charge", 1, compensate=ask))
        .returns("b")
        .yields(compensation("charge"))
        .enters()
        .yields(step("charge", 1, "b"))
        .returns()
        .ends()
        .yields(compensation("reserve"))
        .raises(OSError)
        .ends(False)
    )


def test_subflows_batches_and_flushes_then_only_operations_count():
    """Generators that are yielded run inline; a flush is no operation."""

    def flow(ctx):
        with ctx.batch():
            receipt = yield payment(ctx, ORDER)
        yield ctx.flush()
        return receipt

    expect(flow).yields(step("charge", ORDER)).returns(1).yields(wait("settle")).returns().ends(1)


def test_waits_are_answered_then_the_contexts_clock_moves():
    """`ctx.now()` is what the waits have made of it; it begins in 2025."""

    def flow(ctx):
        yield ctx.wait("a", days=2)
        return ctx.now().isoformat()

    expect(flow).yields(wait("a", days=2)).returns().ends("2025-01-03T00:00:00+00:00")


# --- mistakes ------------------------------------------------------------------------------------


def test_flow_forgets_to_yield_then_the_error_names_its_line():
    """What a kernel refuses, a plan refuses too."""

    def flow(ctx):
        ctx.step("charge", charge, ORDER)
        yield ctx.wait("settle", hours=1)

    with pytest.raises(UsageError, match=r"test_plan\.py:\d+, .* was created and never yielded"):
        expect(flow).yields(wait("settle"))


def test_flow_yields_no_operation_then_the_error_names_its_line():
    """A yield of a plain value is refused."""

    def flow(ctx):
        yield charge(ORDER)

    with pytest.raises(UsageError, match=r"test_plan\.py:\d+, .* which is not an operation"):
        expect(flow).yields(step("charge"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda p: p.returns(), ".returns(...) answers what .yields(...) has expected"),
        (lambda p: p.raises(OSError), ".raises(...) answers what .yields(...) has expected"),
        (lambda p: p.enters(), ".enters(...) answers what .yields(...) has expected"),
        (lambda p: p.yields("charge"), "yields(...) takes a word of durable_gen.testing.plan"),
        (lambda p: p.yields(step(..., ...)).yields(wait()), "step 'charge' is not answered yet"),
        (lambda p: p.yields(step(..., ...)).ends(), "step 'charge' is not answered yet"),
        (lambda p: p.yields(step(..., ...)).enters(), "step 'charge' has no flow to enter"),
    ],
)
def test_plan_is_out_of_order_then_the_error_says_what_to_write(wrong, message):
    """Every operation is expected, then answered or entered."""
    with pytest.raises(UsageError) as caught:
        wrong(expect(payment, ORDER))
    assert message in str(caught.value)


def test_flow_is_none_then_it_is_refused():
    """A plan is of a flow."""
    with pytest.raises(UsageError, match="flow must be a flow or a handler, not 'payment'"):
        expect("payment")


def test_plan_stops_in_a_try_then_nothing_of_the_flow_runs():
    """A plan that is given up in the middle runs no `finally`, like a suspension."""
    ran = []

    @durable
    def handler(event, ctx):
        try:
            yield ctx.step("a", charge)
        finally:
            ran.append("finally")
            yield ctx.step("release", charge)

    expect(handler, None).yields(step("a"))
    assert [] == ran
