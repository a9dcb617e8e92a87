"""When Lambda's time runs out, what is done is recorded, and the service calls again: nobody is killed."""

import threading

import pytest

from durable_gen import Semantics, UsageError, current_step, durable
from durable_gen._channel import Deadline
from durable_gen._ids import operation_id
from durable_gen.local import Service, VirtualClock
from replays import log
from stub import Stub, event, result, short


class Lambda:
    """Lambda's context, whose time the workflow's steps use up."""

    def __init__(self, seconds=100):
        self.seconds = seconds

    def get_remaining_time_in_millis(self):
        return self.seconds * 1000

    def spend(self, seconds):
        self.seconds -= seconds
        return seconds


def comes_back(update):
    return "WAIT START deadline" == short(update)


@pytest.mark.parametrize(
    ("seconds", "margin", "left"),
    [(100, 1, 99), (100, 0, 100), (2, 1, 1.5), (2, 0.25, 1.75), (0, 1, 0)],
)
def test_margin_is_taken_from_the_time_but_a_quarter_of_it_at_most(seconds, margin, left):
    """A function of two seconds is not to be without time from its beginning."""
    assert left == Deadline.of(Lambda(seconds), margin).left()


def test_without_lambda_there_is_no_deadline():
    """Nothing says when the invocation ends: it need not."""
    assert float("inf") == Deadline.of(None, 1).left()


def test_step_that_leaves_no_time_is_recorded_and_no_other_is_begun():
    """One checkpoint holds the step's end and a wait of a second; the next step is not in it."""
    context, stub, ran = Lambda(), Stub(), []

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.step("long", context.spend, 99.5)
        yield ctx.step("next", ran.append, 1)

    assert {"Status": "PENDING"} == handler(event(), context)
    expected = ["STEP START long", "STEP SUCCEED long 99.5", "--", "WAIT START deadline", "--"]
    assert expected == stub.stream
    assert [] == ran
    wait = stub.updates[-1]
    assert {"WaitSeconds": 1} == wait["WaitOptions"]
    assert ("Deadline", operation_id("deadline", 1)) == (wait["SubType"], wait["Id"])


def test_invocation_after_it_goes_on_and_the_wait_is_no_operation_of_the_workflow():
    """The log has a record that no code yields: it is the library's own."""
    context, stub = Lambda(), Stub()

    def flow(event, ctx):
        yield ctx.step("long", context.spend, 99.5)
        yield ctx.step("longer", context.spend, 99.5)
        return (yield ctx.step("last", lambda: ctx.usage.operations))

    durable(backend=stub)(flow)(event(), context)
    again, context.seconds = Stub(), 100
    assert {"Status": "PENDING"} == durable(backend=again)(flow)(
        event(*log(stub, "deadline")), context
    )
    assert operation_id("deadline", 2) == again.updates[-1]["Id"]
    for one in again.updates:
        stub.calls.append({"Updates": [one]})
    context.seconds = 100
    envelope = durable(backend=Stub())(flow)(event(*log(stub, "deadline")), context)
    assert 5 == result(envelope)  # three steps and two waits


def test_step_that_is_the_last_ends_the_workflow_though_time_runs_out():
    """To end is cheaper than to come back."""
    context = Lambda()
    handler = durable(backend=Stub())(lambda event, ctx: (yield ctx.step(context.spend, 99.5)))
    assert 99.5 == result(handler(event(), context))


def test_invocation_that_has_done_nothing_goes_on_though_it_is_late():
    """However short the time, every invocation brings the workflow on by a step."""
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.step("one", int)
        yield ctx.step("two", int)

    handler(event(), Lambda(0))
    assert ["STEP START one", "STEP SUCCEED one 0", "--"] == stub.stream[:3]
    assert comes_back(stub.updates[-1])
    assert 3 == len(stub.updates)


def test_workflow_that_waits_anyway_asks_for_nothing_more():
    """What it waits for brings it back."""
    context, stub = Lambda(), Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.step("long", context.spend, 99.5)
        yield ctx.wait("pause", 60)

    assert {"Status": "PENDING"} == handler(event(), context)
    assert [] == [update for update in stub.updates if comes_back(update)]


def test_step_at_most_once_is_not_started_when_time_runs_out():
    """Its start would be recorded, and the next invocation find it interrupted."""
    context, stub = Lambda(), Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.step("long", context.spend, 99.5)
        yield ctx.step("charge", int, semantics=Semantics.AT_MOST_ONCE)

    handler(event(), context)
    assert [] == [one for one in stub.updates if one["Name"] == "charge"]
    assert comes_back(stub.updates[-1])


def test_step_at_most_once_whose_start_is_recorded_runs_though_time_runs_out():
    """It was promised; nothing else is begun after it."""
    context, ran = Lambda(), []

    class Slow(Stub):
        def checkpoint_durable_execution(self, **request):
            if any(one["Name"] == "charge" for one in request["Updates"]):
                context.seconds = 0  # the checkpoint took all the time there was
            return super().checkpoint_durable_execution(**request)

    stub = Slow()

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.step("first", int)
        yield ctx.step("charge", ran.append, 1, semantics=Semantics.AT_MOST_ONCE)
        yield ctx.step("after", ran.append, 2)

    assert {"Status": "PENDING"} == handler(event(), context)
    assert [1] == ran
    names = [(one["Name"], one["Action"]) for one in stub.updates]
    assert ("charge", "SUCCEED") in names
    assert "after" not in dict(names)


def test_step_that_runs_on_in_a_thread_is_given_up_when_time_runs_out():
    """What is done beside it is recorded; the step counts as cut off, and runs again."""
    context, stub = Lambda(), Stub()
    quick, release = threading.Event(), threading.Event()

    def slow():
        quick.wait(10)
        context.seconds = 0
        release.wait(10)

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.all(ctx.step("slow", slow), ctx.step("quick", quick.set))

    assert {"Status": "PENDING"} == handler(event(), context)
    release.set()
    names = [(one["Name"], one["Action"]) for one in stub.updates]
    assert ("quick", "SUCCEED") in names
    assert ("slow", "SUCCEED") not in names
    assert comes_back(stub.updates[-1])


def test_long_workflow_in_short_invocations_ends_as_in_one():
    """The service takes the wait for what it is, and every step runs once."""
    context, ran = Lambda(), []

    def work(n):
        ran.append((n, current_step().attempt))
        return context.spend(40) + n

    @durable
    def handler(event, ctx):
        one = yield ctx.map(
            "part", range(4), lambda child, n: child.step(work, n), max_concurrency=1
        )
        two = yield ctx.step("sum", work, 10)
        return [*one.values, two]

    service = Service(clock=VirtualClock())
    using = handler.using(service.client)

    def invoke(event, _):
        context.seconds = 100
        return using(event, context)

    service.register("f", invoke)
    arn = service.start("f", "null")
    assert "SUCCEEDED" == service.run(arn)
    assert "[40,41,42,43,50]" == service.describe(arn)["Result"]
    assert [(n, 1) for n in (0, 1, 2, 3, 10)] == ran
    waits = [e for e in service.history(arn) if e["EventType"] == "WaitSucceeded"]
    assert waits
    assert {"Deadline"} == {one["SubType"] for one in waits}


@pytest.mark.parametrize("margin", [-1, "1", True, None])
def test_margin_that_is_no_number_of_seconds_is_refused(margin):
    """It is an option like any other."""
    with pytest.raises(UsageError) as caught:
        durable(deadline_margin=margin)
    assert str(caught.value).startswith("@durable(deadline_margin=...) must be")
