"""What an operation costs, counted: calls of functions and bytes, which are the same on any machine, however busy.

A number here is what there is; one that is exceeded was made worse. Where it was made better, it is to be lowered.
How long things take is measured by `python -m benchmarks.all`.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc

import pytest

from durable_gen import durable
from replays import log
from stub import Stub, event

FEW, MANY = 50, 250


def value(number):
    return {"i": number}


def steps(count, ctx):
    for number in range(count):
        yield ctx.step(f"step {number}", value, number)


def waits(count, ctx):
    def branch(child, item):
        yield child.wait("hour", hours=1)

    yield ctx.map("map", range(count), branch)


def children(count, ctx):
    for number in range(count):
        yield ctx.child(f"child {number}", lambda child: child.step("step", int))


def nested(count, ctx):
    """Hold the inner flow in a variable while it runs, as `inner = flow(ctx)` does."""
    if count:
        inner = nested(count - 1, ctx)
        yield from inner
    yield ctx.wait("hour", hours=1)


def begun(flow, count):
    stub = Stub()
    durable(backend=stub)(flow)(event(payload=count))
    return stub


def run_anew(flow, count):
    return durable(backend=Stub())(flow), event(payload=count)


def run_again(flow, count):
    return durable(backend=Stub())(flow), event(*log(begun(flow, count)), payload=count)


def run_on(flow, count):
    """Go on when all waits are over."""
    return durable(backend=Stub())(flow), event(*log(begun(flow, count), "hour"), payload=count)


def calls(run, flow, count):
    """Count the calls of functions in one invocation, Python's and C's."""
    handler, given = run(flow, count)
    counted = {"call": 0, "c_call": 0}

    def count_it(frame, what, argument):
        if what in counted:
            counted[what] += 1

    gc.collect()
    gc.disable()
    sys.setprofile(count_it)
    try:
        handler(given)
    finally:
        sys.setprofile(None)
        gc.enable()
    return sum(counted.values())


@pytest.mark.parametrize(
    ("run", "flow", "most"),
    [
        (run_again, steps, 21),
        (run_anew, steps, 236),
        (run_again, children, 47),
        (run_anew, children, 532),
        (run_again, waits, 41),
        (run_on, waits, 262),
        (run_anew, waits, 169),
    ],
)
def test_one_operation_more_then_so_many_calls_more_at_most(run, flow, most):
    """The kernel does no more for an operation than it did."""
    run(flow, 1)[0](run(flow, 1)[1])  # what is made once
    few, many = calls(run, flow, FEW), calls(run, flow, MANY)
    assert most >= (many - few) / (MANY - FEW)


def test_one_nested_flow_more_that_is_held_then_so_many_calls_more_at_most():
    """What is held twice, in a variable and by `yield from`, is looked at once when it is parked."""
    calls(run_anew, nested, 1)
    assert (16 - 8) * 20 >= calls(run_anew, nested, 16) - calls(run_anew, nested, 8)


def test_one_operation_more_that_is_held_then_the_others_are_not_copied():
    """To make thousands before the first is yielded takes time in proportion."""
    kept = []

    def flow(_, ctx):
        made = [ctx.step(f"step {number}", int) for number in range(3)]
        kept.append(ctx._scope.others)
        made.append(ctx.step("one more", int))
        kept.append(ctx._scope.others)
        return (yield ctx.all(*made))

    durable(backend=Stub())(flow)(event())
    assert kept[0] is kept[1]


def bytes_of(run, flow, count):
    handler, given = run(flow, count)
    gc.collect()
    tracemalloc.start()
    try:
        handler(given)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("run", "flow", "most"),
    [(run_again, steps, 60), (run_again, waits, 900)],
)
def test_one_operation_more_then_so_many_bytes_more_at_most(run, flow, most):
    """An invocation takes no more memory for an operation in its log than it did."""
    run(flow, 1)[0](run(flow, 1)[1])
    few, many = bytes_of(run, flow, FEW * 4), bytes_of(run, flow, MANY * 4)
    assert most >= (many - few) / (MANY - FEW) / 4
