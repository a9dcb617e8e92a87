"""Traps of generators: each is an error that names the user's line and shows how it is written right."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from durable_gen import Callback, Context, Text, UsageError, durable
from replays import failure, place
from stub import Stub, event, result


def charge(order="order-7"):
    return f"charged {order}"


def run(flow):
    return durable(backend=Stub())(flow)(event())


NO_OPERATION = (
    '    wrong:  yield charge(order)\n    right:  yield from ctx.step("charge", charge, order)'
)
NO_ASYNC = (
    "a flow is a generator, only its steps may be async:\n"
    "    wrong:  async def handler(event, ctx): await charge(event)\n"
    '    right:  def handler(event, ctx): yield from ctx.step("charge", charge, event)'
)


# --- law 13: an operation that is created is yielded -----------------------------------------------


def dropped_text(flow, line="ctx.step('charge'", call="ctx.step('charge')"):
    return (
        f"{place(flow, line)}: {call} was created and never yielded, so it never ran:\n"
        f"    wrong:  {call}\n"
        f"    right:  yield from {call}"
    )


def test_dropped_operation_is_an_error_at_the_next_turn():
    """A bare `ctx.step(...)` line is an error at the next turn and names the line (law 13)."""
    stub = Stub()
    later = []

    @durable(backend=stub)
    def handler(event, ctx):
        ctx.step("charge", charge)
        yield ctx.step("next", later.append, 1)
        yield ctx.step("after", later.append, 2)

    assert ("UsageError", dropped_text(handler, 'ctx.step("charge"')) == failure(handler(event()))
    assert [] == later
    assert [] == stub.updates


def test_dropped_operation_after_the_last_yield_is_an_error_at_the_end():
    """What is dropped after the last yield is an error when the flow ends (law 13)."""

    def flow(event, ctx):
        yield ctx.step("first", charge)
        ctx.step("charge", charge)

    assert ("UsageError", dropped_text(flow, 'ctx.step("charge"')) == failure(run(flow))


def test_dropped_operation_in_a_flow_that_returns_at_once_is_an_error():
    """A plain function that creates an operation and returns something else is an error (law 13)."""

    def flow(event, ctx):
        ctx.step("charge", charge)
        return 5

    assert ("UsageError", dropped_text(flow, 'ctx.step("charge"')) == failure(run(flow))


def test_dropped_operation_in_a_child_names_the_line_in_the_child():
    """The line that created it is named, wherever in the tree of contexts it is (law 13)."""

    def payment(ctx):
        ctx.step("charge", charge)
        yield ctx.step("next", charge)

    def flow(event, ctx):
        yield ctx.child("payment", payment)

    assert ("UsageError", dropped_text(payment, 'ctx.step("charge"')) == failure(run(flow))


def test_dropped_operation_of_a_helper_names_the_line_in_the_helper():
    """The line is that of the call to ctx, also when a plain helper made it (law 13)."""

    def helper(ctx):
        ctx.step("charge", charge)

    def flow(event, ctx):
        helper(ctx)
        yield ctx.step("next", charge)

    assert ("UsageError", dropped_text(helper, 'ctx.step("charge"')) == failure(run(flow))


@pytest.mark.parametrize(
    ("make", "call"),
    [
        (lambda ctx: ctx.wait("settle", 5), "ctx.wait('settle')"),
        (lambda ctx: ctx.wait(seconds=5), "ctx.wait(...)"),
        (lambda ctx: ctx.step(None, charge), "ctx.step(...)"),
        (lambda ctx: ctx.step(charge), "ctx.step('charge')"),
        (lambda ctx: ctx.child("payment", charge), "ctx.child('payment')"),
        (lambda ctx: ctx.callback("approval"), "ctx.callback('approval')"),
        (lambda ctx: ctx.invoke("other", "f:1"), "ctx.invoke('other')"),
        (lambda ctx: ctx.map("ship", [1], charge), "ctx.map('ship')"),
        (lambda ctx: ctx.parallel("both", [charge]), "ctx.parallel('both')"),
        (lambda ctx: ctx.wait_for_condition("ready", charge), "ctx.wait_for_condition('ready')"),
        (
            lambda ctx: ctx.wait_for_callback("approval", charge),
            "ctx.wait_for_callback('approval')",
        ),
        (lambda ctx: ctx.all(charge), "ctx.all(...)"),
        (lambda ctx: ctx.race(charge), "ctx.race(...)"),
        (lambda ctx: ctx.any(charge), "ctx.any(...)"),
        (lambda ctx: ctx.settled(charge), "ctx.settled(...)"),
        (lambda ctx: ctx.flush(), "ctx.flush()"),
        (lambda ctx: ctx.compensate(), "ctx.compensate()"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_dropped_operation_of_every_kind_is_named_as_it_is_written(make, call):
    """The error names the method that the user wrote and its line, whatever the kind (law 13)."""

    def flow(event, ctx):
        make(ctx)
        yield ctx.step("next", charge)

    line = place(make)
    assert (
        "UsageError",
        (
            f"{line}: {call} was created and never yielded, so it never ran:\n"
            f"    wrong:  {call}\n"
            f"    right:  yield from {call}"
        ),
    ) == failure(run(flow))


def test_dropped_callback_result_is_an_error():
    """The answer to a callback is an operation like any other (law 13)."""
    stub = Stub([callback_record()])

    @durable(backend=stub)
    def handler(event, ctx):
        callback = yield ctx.callback("approval")
        callback.result()
        yield ctx.step("next", charge)

    assert (
        "UsageError",
        (
            f"{place(handler, 'callback.result()')}: callback.result() was created "
            "and never yielded, so it never ran:\n"
            "    wrong:  callback.result()\n"
            "    right:  yield from callback.result()"
        ),
    ) == failure(handler(event()))


def callback_record():
    from hashlib import blake2b

    return {
        "Id": blake2b(b"1").hexdigest()[:64],
        "Name": "approval",
        "Type": "CALLBACK",
        "SubType": "Callback",
        "Status": "STARTED",
        "CallbackDetails": {"CallbackId": "cb-1"},
    }


def test_held_operation_yielded_later_is_fine():
    """`op = ctx.step(...)`, yielded after others, runs when it is yielded (law 13)."""

    def flow(event, ctx):
        op = ctx.step("charge", charge)
        first = yield ctx.step("first", charge, "first")
        second = yield ctx.step("second", charge, "second")
        return [first, second, (yield op)]

    assert ["charged first", "charged second", "charged order-7"] == result(run(flow))


def test_held_operations_passed_to_all_are_fine():
    """Operations that are held and then given to `ctx.all` are yielded by it (law 13)."""

    def flow(event, ctx):
        ops = [ctx.step(f"s{n}", charge, n) for n in range(3)]
        yield ctx.step("before", charge)
        return (yield ctx.all(*ops))

    assert ["charged 0", "charged 1", "charged 2"] == result(run(flow))


def test_held_operation_inside_a_held_combinator_is_fine():
    """What a held combinator holds is held with it (law 13)."""

    def flow(event, ctx):
        both = ctx.all(ctx.all(ctx.step("a", charge, "a")), ctx.step("b", charge, "b"))
        yield ctx.step("before", charge)
        return (yield both)

    assert [["charged a"], "charged b"] == result(run(flow))


def test_held_operation_never_yielded_is_an_error_at_the_end():
    """What is held to the end is an error that names the line that created it (law 13)."""
    ran = []

    def flow(event, ctx):
        op = ctx.step("charge", charge)
        yield ctx.step("next", ran.append, 1)
        return repr(op)[:0]

    assert ("UsageError", dropped_text(flow, 'ctx.step("charge"')) == failure(run(flow))
    assert [1] == ran


def test_held_operation_of_a_flow_that_raises_does_not_hide_the_error():
    """A flow that fails before it comes to what it holds fails with its own error (law 13)."""

    def flow(event, ctx):
        op = ctx.step("charge", charge)
        yield ctx.step("next", charge)
        raise ValueError(repr(op)[:4])

    assert ("ValueError", "Step") == failure(run(flow))


def test_operation_held_and_then_dropped_is_an_error():
    """What is held at one turn and let go of later is still never yielded (law 13)."""

    def flow(event, ctx):
        op = ctx.step("charge", charge)
        yield ctx.step("next", charge)
        del op
        yield ctx.step("after", charge)

    assert ("UsageError", dropped_text(flow, 'ctx.step("charge"')) == failure(run(flow))


def test_operation_yielded_twice_runs_twice():
    """A descriptor is inert: each yield of it is an operation of its own (law 4)."""
    ran = []

    def flow(event, ctx):
        op = ctx.step("charge", ran.append, 1)
        yield op
        yield op

    assert "SUCCEEDED" == run(flow)["Status"]
    assert [1, 1] == ran


def test_operation_given_twice_to_all_runs_twice():
    """The same descriptor in two branches is two operations (law 4)."""
    ran = []

    def flow(event, ctx):
        op = ctx.step("charge", ran.append, 1)
        yield ctx.all(op, op)

    assert "SUCCEEDED" == run(flow)["Status"]
    assert [1, 1] == ran


def test_operation_yielded_after_it_was_in_a_combinator_runs_again():
    """What a combinator ran may be yielded once more by the flow that made it (law 4)."""
    ran = []

    def flow(event, ctx):
        op = ctx.step("charge", ran.append, 1)
        yield ctx.all(op)
        yield op

    assert "SUCCEEDED" == run(flow)["Status"]
    assert [1, 1] == ran


# --- a yield of something that is no operation ------------------------------------------------------


async def fetch(order="order-7"):
    return order


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (5, "5 (int)"),
        (None, "None (NoneType)"),
        ("charge", "'charge' (str)"),
        (charge, f"{charge!r:.80} (function)"),
        ([], "[] (list)"),
    ],
    ids=["number", "none", "text", "function", "empty list"],
)
def test_yield_of_a_value_is_an_error(value, shown):
    """A yield of a value names the value, its type and the line, and shows a step instead."""

    def flow(event, ctx):
        yield value

    assert (
        "UsageError",
        f"{place(flow, 'yield value')}: yielded {shown}, which is not an operation:\n{NO_OPERATION}",
    ) == failure(run(flow))


def test_yield_of_a_value_after_operations_names_its_own_line():
    """The line is that of the bad yield, not of the one before."""

    def flow(event, ctx):
        yield ctx.step("first", charge)
        yield 5

    assert (
        "UsageError",
        f"{place(flow, 'yield 5')}: yielded 5 (int), which is not an operation:\n{NO_OPERATION}",
    ) == failure(run(flow))


def test_yield_of_a_value_in_a_subflow_names_the_line_in_the_subflow():
    """Of nested generators the innermost is named: that one yielded."""

    def payment(ctx):
        yield 5

    def flow(event, ctx):
        yield from payment(ctx)

    assert (
        "UsageError",
        f"{place(payment, 'yield 5')}: yielded 5 (int), which is not an operation:\n{NO_OPERATION}",
    ) == failure(run(flow))


def test_yield_of_a_list_of_operations_shows_all():
    """A yield of several operations shows `ctx.all`."""

    def flow(event, ctx):
        yield [ctx.step("a", charge), ctx.step("b", charge)]

    kind, text = failure(run(flow))
    head, _, pair = text.partition(", which is not an operation:\n")
    assert "UsageError" == kind
    assert head.startswith(f"{place(flow, 'yield [')}: yielded [Step(name='a'")
    assert head.endswith(" (list)")
    assert (
        "    wrong:  yield [ctx.step(a), ctx.step(b)]\n"
        "    right:  yield from ctx.all(ctx.step(a), ctx.step(b))"
    ) == pair


def test_yield_of_a_coroutine_names_the_async_function():
    """A yield of a coroutine names the function, shows a step, and leaves no warning behind."""

    def flow(event, ctx):
        yield fetch()

    assert (
        "UsageError",
        (
            f"{place(flow, 'yield fetch')}: yielded the coroutine fetch(...), "
            f"which is not an operation:\n{NO_OPERATION}"
        ),
    ) == failure(run(flow))


# --- async flows -----------------------------------------------------------------------------------


def test_async_handler_is_refused_at_decoration():
    """An `async def` handler is refused where it is decorated."""

    async def handler(event, ctx):
        return 1

    with pytest.raises(UsageError) as caught:
        durable(backend=Stub())(handler)
    assert f"{place(handler)}: @durable on an async function; {NO_ASYNC}" == str(caught.value)


def test_async_generator_handler_is_refused_at_decoration():
    """An async generator is refused where it is decorated."""

    async def handler(event, ctx):
        yield ctx.step("charge", charge)

    with pytest.raises(UsageError) as caught:
        durable(handler)
    assert f"{place(handler)}: @durable on an async function; {NO_ASYNC}" == str(caught.value)


def test_async_child_is_refused_when_it_is_run():
    """An `async def` flow of a child is an error that names the flow and never awaits it."""

    async def payment(ctx):
        return 1

    def flow(event, ctx):
        yield ctx.child("payment", payment)

    qualname = payment.__qualname__
    assert (
        "UsageError",
        f"{place(payment)}: returned the coroutine {qualname}(...); {NO_ASYNC}",
    ) == failure(run(flow))


def test_async_generator_child_is_refused():
    """An async generator as the flow of a child is an error that names the flow."""

    async def payment(ctx):
        yield ctx.step("charge", charge)

    def flow(event, ctx):
        yield ctx.child("payment", payment)

    qualname = payment.__qualname__
    assert (
        "UsageError",
        f"{place(payment)}: returned the async generator {qualname}(...); {NO_ASYNC}",
    ) == failure(run(flow))


def test_async_branch_is_refused():
    """An `async def` flow of a branch is an error like that of a child."""

    async def ship(ctx, item):
        return item

    def flow(event, ctx):
        yield ctx.map("ship", [1], ship)

    assert (
        "UsageError",
        f"{place(ship)}: returned the coroutine {ship.__qualname__}(...); {NO_ASYNC}",
    ) == failure(run(flow))


# --- a flow that returns what it should have yielded -------------------------------------------------


def test_return_of_a_generator_is_an_error():
    """A flow that returns a generator it never ran is shown `return (yield from ...)`."""

    def payment(ctx):
        yield ctx.step("charge", charge)

    def flow(event, ctx):
        yield ctx.step("first", charge)
        return payment(ctx)

    assert (
        "UsageError",
        (
            f"{place(flow)}: returned the generator payment(...) without running it:\n"
            "    wrong:  return payment(ctx)\n"
            "    right:  return (yield from payment(ctx))"
        ),
    ) == failure(run(flow))


def test_return_of_a_generator_in_a_child_names_the_child():
    """The flow that returned it is named, not the handler."""

    def charging(ctx):
        yield ctx.step("charge", charge)

    def payment(ctx):
        yield ctx.step("first", charge)
        return charging(ctx)

    def flow(event, ctx):
        yield ctx.child("payment", payment)

    assert (
        "UsageError",
        (
            f"{place(payment)}: returned the generator charging(...) without running it:\n"
            "    wrong:  return charging(ctx)\n"
            "    right:  return (yield from charging(ctx))"
        ),
    ) == failure(run(flow))


def test_return_of_a_generator_by_an_inline_subflow_names_the_subflow():
    """A subflow run by `yield subflow(ctx)` that returns a generator is named itself."""

    def charging(ctx):
        yield ctx.step("charge", charge)

    def payment(ctx):
        yield ctx.step("first", charge)
        return charging(ctx)

    def flow(event, ctx):
        yield payment(ctx)

    assert (
        "UsageError",
        (
            f"{place(payment)}: returned the generator charging(...) without running it:\n"
            "    wrong:  return charging(ctx)\n"
            "    right:  return (yield from charging(ctx))"
        ),
    ) == failure(run(flow))


def test_plain_function_that_returns_its_subflow_runs_it():
    """A plain function as a child's flow may hand on a generator: that is its flow."""

    def payment(ctx):
        return (yield ctx.step("charge", charge))

    def flow(event, ctx):
        def chosen(child):
            return payment(child)

        return (yield ctx.child("payment", chosen))

    assert "charged order-7" == result(run(flow))


def test_return_of_a_coroutine_is_an_error():
    """A flow that returns a coroutine is told that only steps may be async."""

    def flow(event, ctx):
        yield ctx.step("first", charge)
        return fetch()

    assert (
        "UsageError",
        f"{place(flow)}: returned the coroutine fetch(...); {NO_ASYNC}",
    ) == failure(run(flow))


def test_return_of_an_operation_is_an_error():
    """A flow that returns an operation never ran it."""

    def flow(event, ctx):
        yield ctx.step("first", charge)
        return ctx.step("charge", charge)

    call = "ctx.step('charge')"
    assert (
        "UsageError",
        (
            f"{place(flow, 'return ctx.step')}: {call} was created and never yielded, "
            "so it never ran:\n"
            f"    wrong:  {call}\n"
            f"    right:  yield from {call}"
        ),
    ) == failure(run(flow))


class NotAwaited(str):
    """A text that says that it is not awaited, as a class does whose base is."""

    __slots__ = ()
    __await__ = None


def test_return_of_what_says_that_it_is_not_awaited_is_a_value():
    """`__await__ = None` takes the method back, as it does for `await`."""

    def flow(event, ctx):
        return (yield ctx.child("one", lambda child: NotAwaited("order-7"), serde=Text()))

    assert "order-7" == result(run(flow))


def test_plain_function_that_returns_an_operation_yields_it():
    """A flow that only makes one operation, such as a lambda, needs no yield."""

    def flow(event, ctx):
        return ctx.child("one", lambda child: child.step("charge", charge))

    assert charge() == result(run(flow))


# --- an operation of another context ----------------------------------------------------------------


def elsewhere(where, call, path):
    return (
        f"{where}: {call} was called while the flow of its context ({path}) was not running: in the "
        "flow of another context. Only a flow makes operations, with the context that it was "
        "given:\n"
        '    wrong:  yield ctx.child("payment", lambda child: ctx.step(charge))\n'
        '    right:  yield ctx.child("payment", lambda child: child.step(charge))'
    )


def inside(where, call, step):
    return (
        f"{where}: {call} was called inside step {step!r}. A step does its work by itself; "
        "operations are made and yielded by the flow:\n"
        '    wrong:  yield ctx.step("charge", lambda: ctx.step("reserve", reserve))\n'
        '    right:  yield ctx.step("reserve", reserve)\n'
        '            yield ctx.step("charge", charge)'
    )


def test_operation_of_the_outer_context_in_a_child_is_an_error():
    """A child's flow makes operations with its own context only."""

    def flow(event, ctx):
        def payment(child):
            yield ctx.step("charge", charge)

        flows.append(payment)
        yield ctx.child("payment", payment)

    flows = []
    envelope = run(flow)
    where = place(flows[0], "yield ctx.step")
    assert ("UsageError", elsewhere(where, "ctx.step('charge')", "the handler")) == failure(
        envelope
    )


def test_operation_of_a_child_context_in_the_outer_flow_is_an_error():
    """A context that a child kept is of no use once the child has ended."""
    kept = []

    def payment(child):
        kept.append(child)
        yield child.step("charge", charge)

    def flow(event, ctx):
        yield ctx.child("payment", payment)
        yield kept[0].step("again", charge)

    assert (
        "UsageError",
        (
            f"{place(flow, 'kept[0].step')}: ctx.step('again') was called on a context that is over "
            "(its flow has ended)"
        ),
    ) == failure(run(flow))


def test_operation_of_another_branch_is_an_error():
    """A branch makes operations with its own context only."""
    kept = {}

    def branch(ctx, item):
        kept.setdefault("first", ctx)
        yield kept["first"].step("charge", charge)

    def flow(event, ctx):
        yield ctx.map("ship", ["a", "b"], branch)

    where = place(branch, "yield kept")
    assert (
        "UsageError",
        elsewhere(where, "ctx.step('charge')", "ship/map-item-0"),
    ) == failure(run(flow))


def test_operation_made_in_one_flow_and_yielded_in_another_is_an_error():
    """An operation is yielded by the flow whose context made it."""

    def flow(event, ctx):
        op = ctx.step("charge", charge)

        def payment(child):
            yield op

        flows.append(payment)
        yield ctx.child("payment", payment)

    flows = []
    envelope = run(flow)
    assert (
        "UsageError",
        (
            f"{place(flows[0], 'yield op')}: ctx.step('charge') was created with the context of another "
            f"flow ({place(flow, 'op = ctx.step')}). A flow yields the operations of the context that "
            "it was given:\n"
            '    wrong:  yield ctx.child("payment", lambda child: ctx.step(charge))\n'
            '    right:  yield ctx.child("payment", lambda child: child.step(charge))'
        ),
    ) == failure(envelope)


# --- a durable operation inside a step ---------------------------------------------------------------


def test_operation_inside_a_step_is_an_error():
    """A step is no flow: an operation made in it is an error at its line."""

    def flow(event, ctx):
        def work():
            ctx.step("charge", charge)

        works.append(work)
        yield ctx.step("work", work, retry=None)

    works = []
    envelope = run(flow)
    where = place(works[0], "ctx.step")
    assert ("UsageError", inside(where, "ctx.step('charge')", "work")) == failure(envelope)


def test_operation_inside_a_step_in_a_thread_is_an_error():
    """The same where the step runs in a pool thread."""
    both = threading.Barrier(2, timeout=10)
    contexts = []

    def work():
        both.wait()
        contexts[0].step("charge", charge)

    def flow(event, ctx):
        contexts.append(ctx)
        yield ctx.all(
            ctx.step("a", work, retry=None),
            ctx.step("b", both.wait, retry=None),
        )

    where = place(work, "contexts[0].step")
    assert ("UsageError", inside(where, "ctx.step('charge')", "all/a")) == failure(run(flow))


def test_operation_of_an_abandoned_step_is_an_error_while_the_flow_runs():
    """A step that nobody waits for makes no operation, though its context's flow has the floor."""
    go, done = threading.Event(), threading.Event()
    contexts = []

    def late():
        go.wait(10)
        try:
            contexts[0].step("charge", charge)
        finally:
            done.set()

    def flow(event, ctx):
        contexts.append(ctx)
        yield ctx.race(ctx.step("late", late), ctx.step("quick", charge))
        go.set()
        done.wait(10)
        yield ctx.step("after", charge)

    where = place(late, "contexts[0].step")
    assert ("UsageError", inside(where, "ctx.step('charge')", "race/late")) == failure(run(flow))


def test_operation_inside_an_async_step_is_an_error():
    """The same in an async step."""
    contexts = []

    async def work():
        contexts[0].step("charge", charge)

    def flow(event, ctx):
        contexts.append(ctx)
        yield ctx.step("work", work, retry=None)

    where = place(work, "contexts[0].step")
    assert ("UsageError", inside(where, "ctx.step('charge')", "work")) == failure(run(flow))


def test_operation_inside_a_step_cannot_be_swallowed_by_the_step():
    """A step that catches the error does not save the invocation."""
    contexts = []

    def work():
        try:
            contexts[0].step("charge", charge)
        except Exception:
            return "fine"

    def flow(event, ctx):
        contexts.append(ctx)
        return (yield ctx.step("work", work))

    where = place(work, "contexts[0].step")
    assert ("UsageError", inside(where, "ctx.step('charge')", "work")) == failure(run(flow))


# --- a context after its flow ------------------------------------------------------------------------


def test_context_used_after_the_handler_ended_raises():
    """A context that outlives its handler refuses to make operations."""
    contexts: list[Context] = []

    def flow(event, ctx):
        contexts.append(ctx)
        yield ctx.step("first", charge)

    run(flow)

    def late():
        contexts[0].step("charge", charge)

    with pytest.raises(UsageError) as caught:
        late()
    assert (
        f"{place(late, 'contexts[0].step')}: ctx.step('charge') was called on a context that is "
        "over (its flow has ended)"
    ) == str(caught.value)


def test_context_used_after_the_invocation_was_parked_raises():
    """A context that outlives an invocation that is parked refuses to make operations."""
    contexts: list[Context] = []

    def flow(event, ctx):
        contexts.append(ctx)
        yield ctx.wait("settle", 5)

    assert {"Status": "PENDING"} == run(flow)

    def late():
        contexts[0].wait("more", 5)

    with pytest.raises(UsageError) as caught:
        late()
    assert (
        f"{place(late, 'contexts[0].wait')}: ctx.wait('more') was called on a context that is "
        "over (its invocation has ended)"
    ) == str(caught.value)


def test_callback_result_made_after_the_end_raises():
    """A callback that outlives its flow cannot be waited for."""
    kept: list[Callback] = []

    @durable(backend=Stub([callback_record()]))
    def handler(event, ctx):
        kept.append((yield ctx.callback("approval")))

    assert "SUCCEEDED" == handler(event())["Status"]

    def late():
        kept[0].result()

    with pytest.raises(UsageError) as caught:
        late()
    assert (
        f"{place(late, 'kept[0].result')}: callback.result() was called on a "
        "context that is over (its flow has ended)"
    ) == str(caught.value)


# --- users cannot swallow them -----------------------------------------------------------------------


def test_bad_yield_cannot_be_swallowed():
    """`except Exception: pass` around a bad yield does not save the invocation, nor goes it on."""
    after = []

    def flow(event, ctx):
        try:
            yield 5
        except Exception:
            after.append("caught")
        yield ctx.step("after", after.append, "ran")
        return "fine"

    assert (
        "UsageError",
        f"{place(flow, 'yield 5')}: yielded 5 (int), which is not an operation:\n{NO_OPERATION}",
    ) == failure(run(flow))
    assert "ran" not in after


def test_dropped_operation_cannot_be_swallowed():
    """The same of an operation that was dropped."""

    def flow(event, ctx):
        try:
            ctx.step("charge", charge)
            yield ctx.step("next", charge)
        except Exception:
            pass
        return "fine"

    assert ("UsageError", dropped_text(flow, 'ctx.step("charge"')) == failure(run(flow))


def test_bad_yield_in_a_child_cannot_be_swallowed_by_its_parent():
    """A parent that catches everything of a child does not hide the child's trap."""

    def payment(ctx):
        yield None

    def flow(event, ctx):
        try:
            yield ctx.child("payment", payment)
        except BaseException:
            return "fine"

    assert (
        "UsageError",
        (
            f"{place(payment, 'yield None')}: yielded None (NoneType), "
            f"which is not an operation:\n{NO_OPERATION}"
        ),
    ) == failure(run(flow))


def test_operation_out_of_turn_cannot_be_swallowed():
    """The same of an operation made with another flow's context."""

    def flow(event, ctx):
        def payment(child):
            with suppress(Exception):
                ctx.step("charge", charge)
            return "fine"

        flows.append(payment)
        return (yield ctx.child("payment", payment))

    flows = []
    envelope = run(flow)
    where = place(flows[0], "ctx.step")
    assert ("UsageError", elsewhere(where, "ctx.step('charge')", "the handler")) == failure(
        envelope
    )
