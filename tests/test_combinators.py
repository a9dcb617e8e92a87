"""Combinators: all, settled, any and race of operations and flows."""

from __future__ import annotations

import time

import pytest

from durable_gen import Retry, durable
from replays import failure, log
from stub import Stub, event, logged, result

ROOT_1 = "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"


def give(value):
    return lambda ctx: value


def fail(ctx):
    raise ValueError("no funds")


def run(make, *records, stub=None, **options):
    """Run a flow of one fan-out, and give what `make(ctx)` gives and the stub."""
    stub, seen = stub or Stub(), []

    @durable(backend=stub, **options)
    def handler(event, ctx):
        seen.append((yield make(ctx)))

    envelope = handler(event(*records))
    return (seen[0] if seen else envelope), stub


def value_of(make, *records, stub=None, **options):
    """Run a flow that returns what one combinator gives."""
    stub = stub or Stub()

    @durable(backend=stub, **options)
    def handler(event, ctx):
        return (yield make(ctx))

    return handler(event(*records)), stub


def boom():
    raise RuntimeError("declined")


def test_all_gives_every_value_in_order():
    """all() of operations, flows and generators gives a tuple of their values."""

    def flow(ctx):
        return (yield ctx.step("c", lambda: 3))

    seen, _ = run(lambda ctx: ctx.all(ctx.step("a", lambda: 1), lambda ctx: 2, flow, flow(ctx)))
    assert (1, 2, 3, 3) == seen


def test_all_of_nothing_is_an_empty_tuple():
    """There is nothing to wait for."""
    assert () == run(lambda ctx: ctx.all())[0]


def test_all_raises_the_first_error_as_itself_live_and_on_replay():
    """The error is the operation's own, and the same on replay."""
    make = lambda ctx: ctx.all(ctx.step("a", int), ctx.step("b", boom, retry=None))  # noqa: E731
    live, stub = value_of(make)
    assert ("StepFailed", "step failed for operation 'b': RuntimeError: declined") == failure(live)
    replayed, second = value_of(make, *log(stub))
    assert failure(live) == failure(replayed)
    assert [] == second.calls


def test_all_gives_up_the_rest_when_one_fails():
    """The first failure ends it: what still waits is not waited for."""
    make = lambda ctx: ctx.all(ctx.wait("nap", 30), ctx.step("b", boom, retry=None))  # noqa: E731
    assert "StepFailed" == failure(value_of(make)[0])[0]


def test_all_fails_and_is_killed_before_its_end_is_recorded_then_it_fails_alike():
    """What was recorded in a branch that is given up sooner on replay is no misfit."""

    def ship(ctx):
        yield ctx.step("label", int)
        yield ctx.wait("truck", 30)

    twice = Retry(max_attempts=2)
    make = lambda ctx: ctx.all(ctx.child("ship", ship), ctx.step("b", boom, retry=twice))  # noqa: E731
    _, stub = value_of(make)
    records = [
        {**record, "Status": "FAILED"} if record["Name"] == "b" else record
        for record in log(stub, "truck")
    ]
    assert "SUCCEEDED" == next(r["Status"] for r in records if r["Name"] == "truck")
    expected = ("StepFailed", "step failed for operation 'b': RuntimeError: declined")
    assert expected == failure(value_of(make, *records)[0])


def test_settled_never_raises():
    """settled() gives an item for each, failed or not."""
    make = lambda ctx: ctx.settled(ctx.step("a", int), ctx.step("b", boom, retry=None))  # noqa: E731
    items, _ = run(make)
    assert ["SUCCEEDED", "FAILED"] == [item.status for item in items]
    assert "step failed for operation 'b': RuntimeError: declined" == str(items[1].error)


def test_any_gives_the_first_success():
    """Failures before it do not count."""
    make = lambda ctx: ctx.any(  # noqa: E731
        ctx.step("a", boom, retry=None), ctx.wait("nap", 30), ctx.step("b", lambda: 2)
    )
    assert 2 == result(value_of(make)[0])


def test_any_of_failures_raises_all_of_them():
    """When all fail it is BatchFailed, live as on replay."""
    make = lambda ctx: ctx.any(ctx.step("a", boom, retry=None))  # noqa: E731
    live, stub = value_of(make)
    replayed, _ = value_of(make, *log(stub))
    assert "BatchFailed" == failure(live)[0]
    assert failure(live) == failure(replayed)


def test_race_records_the_winner_before_anyone_sees_it():
    """Law 9: the context is closed with the winner before its value is delivered."""
    stub, seen = Stub(), []

    @durable(backend=stub)
    def handler(event, ctx):
        value = yield ctx.race(ctx.wait("nap", 30), ctx.step("a", lambda: 7))
        seen.append((value, [u["Action"] for u in stub.updates if u["Type"] == "CONTEXT"]))

    handler(event())
    assert [(7, ["START", "SUCCEED"])] == seen


def test_race_has_the_recorded_winner_though_the_loser_has_ended_too():
    """On replay the order in which things ended is the recorded one."""
    make = lambda ctx: ctx.race(ctx.wait("nap", 30), ctx.step("a", lambda: 7))  # noqa: E731
    _, stub = value_of(make)
    replayed, second = value_of(make, *log(stub, "nap"))
    assert 7 == result(replayed)
    assert [] == second.calls


def test_race_of_an_error_raises_it():
    """Whatever ends first counts, an error too."""
    make = lambda ctx: ctx.race(ctx.wait("nap", 30), ctx.step("a", boom, retry=None))  # noqa: E731
    assert "StepFailed" == failure(value_of(make)[0])[0]


def test_race_as_a_timeout():
    """A wait that ends first wins over work that goes on: its value is None."""
    make = lambda ctx: ctx.race(ctx.invoke("work", "other"), ctx.wait("limit", 30))  # noqa: E731
    envelope, stub = value_of(make)
    assert {"Status": "PENDING"} == envelope
    assert result(value_of(make, *log(stub, "limit"))[0]) is None


@pytest.mark.parametrize("word", ["any", "race"])
def test_first_of_nothing_is_refused(word):
    """What would never end is an error where it is made."""
    assert "UsageError" == failure(value_of(lambda ctx: getattr(ctx, word)())[0])[0]


def test_combinators_nest():
    """A combinator is an operation like another."""
    inner = lambda ctx: ctx.all(ctx.step("a", lambda: 1), ctx.step("b", lambda: 2))  # noqa: E731
    make = lambda ctx: ctx.all(inner(ctx), ctx.race(ctx.step("c", lambda: 3)))  # noqa: E731
    live, stub = run(make)
    assert ((1, 2), 3) == live
    replayed, second = run(make, *log(stub))
    assert ((1, 2), 3) == replayed
    assert [] == second.calls


def test_flush_in_a_combinator_is_refused():
    """all() takes operations that give a value: a flush is no work to be done beside other work."""

    @durable(backend=Stub())
    def handler(event, ctx):
        yield ctx.all(ctx.flush(), ctx.step("a", lambda: 1))

    text = "ctx.all(...) takes operations that give a value; yield ctx.flush() by itself"
    assert text == handler(event())["Error"]["ErrorMessage"]


def test_callback_result_may_stand_in_a_combinator():
    """The answer to a callback is an operation like another."""
    update = {"Id": ROOT_1, "Type": "CALLBACK", "SubType": "Callback", "Name": "cb"}
    record = logged(update, "SUCCEEDED", CallbackId="c-1", Result='"yes"')

    @durable(backend=Stub())
    def handler(event, ctx):
        callback = yield ctx.callback("cb")
        return (yield ctx.race(callback.result(), ctx.wait("limit", 60)))

    assert "yes" == result(handler(event(record)))


def test_late_outcome_of_a_loser_is_dropped():
    """A loser's step that ends after the race is not recorded: its branch was given up."""
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        won = yield ctx.race(ctx.step("slow", time.sleep, 0.05), ctx.step("fast", lambda: 7))
        yield ctx.step("after", time.sleep, 0.1)
        return won

    assert 7 == result(handler(event()))
    assert ["START"] == [u["Action"] for u in stub.updates if u["Name"] == "slow"]
