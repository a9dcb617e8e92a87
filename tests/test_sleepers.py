"""Law 14: a branch that stands at one of the service's timers is not entered before that ends."""

from __future__ import annotations

import time

import pytest

from durable_gen import Completion, Retry, durable
from durable_gen.local import MemoryStore, RealClock, Service
from replays import failure, log
from stub import Stub, event, logged, result

SOON = Retry(initial=1, jitter="none")


class Asked(Stub):
    """Gives callbacks their ids."""

    def checkpoint_durable_execution(self, **request):
        answer = super().checkpoint_durable_execution(**request)
        answer["NewExecutionState"]["Operations"] += [
            logged(update, "STARTED", CallbackId=update["Id"])
            for update in request["Updates"]
            if update["Type"] == "CALLBACK"
        ]
        return answer


def run_twice(flow, *over, answers=()):
    """Run a workflow until it is parked, and again when operations of these names are over."""
    first, second = Asked(), Stub(*answers)
    assert {"Status": "PENDING"} == durable(backend=first)(flow)(event())
    records = log(first, *over)
    for record in records:
        if record["Type"] == "CALLBACK":
            record["CallbackDetails"] = {"CallbackId": record["Id"]}
    entered.clear()
    return durable(backend=second)(flow)(event(*records)), second


entered: list[str] = []  # names of branches whose flows were called


def napping(child, name):
    entered.append(name)
    yield child.wait(f"nap {name}", 60)
    return (yield child.step(f"work {name}", str.upper, name))


def nap(event, ctx):
    return (yield ctx.map("map", ["a", "b", "c"], napping)).values


def test_one_of_several_timers_ends_then_its_branch_alone_is_entered():
    """The others would come to their timers again, and do nothing."""
    envelope, stub = run_twice(nap, "nap b")
    assert {"Status": "PENDING"} == envelope
    assert ["b"] == entered
    assert [
        "STEP START work b",
        'STEP SUCCEED work b "B"',
        "--",
        'CONTEXT SUCCEED map-item-1 "B"',
        "--",
    ] == stub.stream


def test_all_timers_end_then_all_branches_are_entered():
    """Nothing is left out that can go on."""
    envelope, _ = run_twice(nap, "nap a", "nap b", "nap c")
    assert ["A", "B", "C"] == result(envelope)
    assert ["a", "b", "c"] == entered


def test_timer_ends_while_another_branch_works_then_its_branch_goes_on_at_once():
    """What the service says with an answer wakes the branch in the same invocation."""
    first = Stub()
    durable(backend=first)(nap)(event())
    update = next(one for one in first.updates if one.get("Name") == "nap c")
    envelope, stub = run_twice(nap, "nap b", answers=[[logged(update, "SUCCEEDED")]])
    assert {"Status": "PENDING"} == envelope
    assert ["b", "c"] == entered
    assert 'STEP SUCCEED work c "C"' in stub.stream


def test_timer_is_due_while_another_branch_works_then_the_service_is_asked():
    """A step that takes long holds no other branch up."""
    done = []

    def branch(child, seconds):
        yield child.wait("nap", seconds)
        yield child.step(
            "work", lambda: (time.sleep(3 if seconds == 1 else 0), done.append(seconds))
        )

    def flow(event, ctx):
        yield ctx.map("map", [1, 2], branch)

    with Service(MemoryStore(), RealClock()) as service:
        service.register("f", durable(flow))
        service.run(service.start("f", "null"))
    assert [2, 1] == done


def test_branch_that_is_to_be_tried_again_then_it_sleeps_as_well():
    """The delay of a retry is a timer of the service's."""

    def branch(child, name):
        entered.append(name)
        yield child.step(f"work {name}", fails, retry=SOON)

    def fails():
        raise ConnectionError

    run_twice(lambda event, ctx: (yield ctx.map("map", ["a", "b"], branch)), "work b")
    assert ["b"] == entered


def in_a_child(child, name):
    yield child.child("inside", napping, name)


def in_two_children(child, name):
    yield child.child("inside", in_a_child, name)


@pytest.mark.parametrize("flow", [in_a_child, in_two_children])
def test_timer_stands_in_a_child_of_the_branch_then_it_is_the_branchs(flow):
    """A chain of contexts that ends at a timer stands there as a whole."""
    run_twice(lambda event, ctx: (yield ctx.map("map", ["a", "b"], flow)), "nap b")
    assert ["b"] == entered


def with_a_callback(child, name):
    yield child.callback("ask")
    yield from napping(child, name)


def with_a_race(child, name):
    entered.append(name)
    yield child.race(child.wait(f"nap {name}", 60), child.wait("later", 90))


def with_a_parallel(child, name):
    entered.append(name)
    yield child.parallel("inside", [lambda inner: inner.wait(f"nap {name}", 60)])


@pytest.mark.parametrize("flow", [with_a_callback, with_a_race, with_a_parallel])
def test_more_is_open_in_a_branch_than_its_timer_then_it_is_entered(flow):
    """Where it stands is not certain then."""
    run_twice(lambda event, ctx: (yield ctx.map("map", ["a", "b"], flow)), "nap b")
    assert ["a", "b"] == entered


def test_enough_branches_end_then_those_that_sleep_are_given_up():
    """They leave nothing behind that the log would be blamed for."""

    def flow(event, ctx):
        completion = Completion(min_successful=1)
        found = yield ctx.map("map", ["a", "b", "c"], napping, completion=completion)
        return found.values

    envelope, _ = run_twice(flow, "nap b")
    assert ["B"] == result(envelope)


def test_branch_that_sleeps_was_changed_then_that_is_an_error_when_it_is_entered():
    """Until then it does nothing that could be wrong."""

    def changed(child, name):
        yield child.step(f"other {name}", str.upper, name)

    def flow(event, ctx):
        kind = changed if event == "now" else napping
        return (yield ctx.map("map", ["a", "b"], kind)).values

    first = Stub()
    durable(backend=first)(flow)(event())
    records = log(first)
    assert {"Status": "PENDING"} == durable(backend=Stub())(flow)(event(*records, payload="now"))
    ended = log(first, "nap b")
    kind, text = failure(durable(backend=Stub())(flow)(event(*ended, payload="now")))
    assert "NonDeterminismError" == kind
    assert "yields step 'map/map-item-1/other b' as operation 1 of 'map/map-item-1'" in text


def test_plugin_watches_then_every_branch_is_entered():
    """It is told of each."""

    class Watcher:
        """Hears nothing, and is there."""

    first = Stub()
    durable(backend=first)(nap)(event())
    entered.clear()
    durable(backend=Stub(), plugins=[Watcher()])(nap)(event(*log(first, "nap b")))
    assert ["a", "b", "c"] == entered
