"""What goes on beside a running step: retries, deadlines, losers; each runs as often as it should."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import warnings
from functools import partial
from types import MethodType

import attrs
import pytest

from durable_gen import (
    CallbackFailed,
    InvokeFailed,
    Retry,
    Semantics,
    current_step,
    durable,
    durable_error,
)
from durable_gen._effects import Call, StepInfo
from durable_gen._workers import Workers
from durable_gen.local import MemoryStore, RealClock, Service
from replays import failure, log, place
from stub import Stub, event, logged, result

SOON = Retry(initial=1, jitter="none")


def serve(flow, **options):
    """Run a workflow on the embedded service, in real time."""
    with Service(MemoryStore(), RealClock()) as service:
        service.register("f", durable(**options)(flow))
        arn = service.start("f", "null")
        service.run(arn)
        return service.describe(arn)


@pytest.mark.parametrize("semantics", Semantics)
def test_step_retried_beside_a_running_one_runs_each_attempt_once(semantics):
    """The service's word that an attempt has begun does not begin it again."""
    attempts = []

    def flaky():
        attempts.append(current_step().attempt)
        if len(attempts) == 1:
            raise ValueError("first")
        time.sleep(1.5)
        return "ok"

    def flow(event, ctx):
        return (
            yield ctx.all(
                ctx.step("flaky", flaky, retry=SOON, semantics=semantics),
                ctx.step("slow", time.sleep, 3),
            )
        )

    assert '["ok",null]' == serve(flow)["Result"]
    assert [1, 2] == attempts


def test_deadline_beside_a_retried_step_is_kept():
    """A wait that is raced against a step is over in time, though an invocation runs only the step."""

    def slow():
        if current_step().attempt == 1:
            raise ConnectionError
        time.sleep(4)
        return "slow"

    def flow(event, ctx):
        return (yield ctx.race(ctx.step("slow", slow, retry=SOON), ctx.wait("deadline", 2)))

    assert "null" == serve(flow)["Result"]


def test_step_that_timed_out_gives_its_place_to_the_next():
    """A thread that is lost does not count: what waits for one begins."""
    stop = threading.Event()

    def flow(event, ctx):
        items = yield ctx.settled(
            ctx.step("hangs", stop.wait, 10, timeout=0.05, retry=None),
            ctx.step("next", lambda: "ran"),
        )
        return [str(item.status) for item in items]

    envelope = durable(backend=Stub(), max_workers=1)(flow)(event())
    stop.set()
    assert ["FAILED", "SUCCEEDED"] == result(envelope)


def test_step_of_a_loser_gives_its_place_to_the_next():
    """So does one that nobody waits for any more."""
    stop = threading.Event()

    async def quick():
        return "quick"

    def flow(event, ctx):
        first = yield ctx.race(ctx.step("hangs", stop.wait, 10), ctx.step("quick", quick))
        both = yield ctx.all(ctx.step("b", lambda: "b"), ctx.step("c", lambda: "c"))
        return [first, *both]

    envelope = durable(backend=Stub(), max_workers=1)(flow)(event())
    stop.set()
    assert ["quick", "b", "c"] == result(envelope)


def test_step_of_a_loser_that_had_not_begun_never_does():
    """What was given up before it began is not begun afterwards."""
    stop, ran = threading.Event(), []

    async def quick():
        await asyncio.sleep(0.05)

    def flow(event, ctx):
        losers = [ctx.step(f"queued {n}", ran.append, n) for n in range(5)]
        yield ctx.race(ctx.step("hangs", stop.wait, 10), *losers, ctx.step("quick", quick))
        return ran

    envelope = durable(backend=Stub(), max_workers=1)(flow)(event())
    before = list(ran)
    stop.set()
    time.sleep(0.1)
    assert before == ran == result(envelope)


def test_async_loser_that_swallows_its_end_does_not_hold_the_invocation():
    """A task that will not be cancelled is left behind."""

    async def stubborn():
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                continue

    async def quick():
        return "quick"

    def flow(event, ctx):
        return (yield ctx.race(ctx.step("stubborn", stubborn), ctx.step("quick", quick)))

    assert "quick" == result(durable(backend=Stub())(flow)(event()))


def test_async_step_that_swallows_its_timeout_has_timed_out_all_the_same():
    """An attempt that took too long failed, whatever it makes of being told."""

    async def stubborn():
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            return "late"

    def flow(event, ctx):
        yield ctx.step("stubborn", stubborn, timeout=0.02, retry=None)

    assert "StepTimedOut" == failure(durable(backend=Stub())(flow)(event()))[0]


def test_cancelled_error_of_a_plain_step_is_its_failure():
    """It is no end of the invocation."""

    def work():
        raise asyncio.CancelledError

    def flow(event, ctx):
        yield ctx.step("work", work, retry=None)

    assert "StepFailed" == failure(durable(backend=Stub())(flow)(event()))[0]


def test_generator_given_twice_is_refused():
    """A generator runs once."""

    def part(ctx):
        yield ctx.step("a", int)

    def flow(event, ctx):
        one = part(ctx)
        yield ctx.all(one, one)

    assert (
        "UsageError",
        (
            "ctx.all(...) was given the generator part(...) twice; a generator runs once:\n"
            "    wrong:  one = part(ctx); yield ctx.all(one, one)\n"
            "    right:  yield ctx.all(part(ctx), part(ctx))"
        ),
    ) == failure(durable(backend=Stub())(flow)(event()))


def test_generator_yielded_twice_is_refused():
    """The same of one that has run."""

    def part(ctx):
        yield ctx.step("a", int)

    def flow(event, ctx):
        one = part(ctx)
        yield one
        yield one  # again

    assert (
        "UsageError",
        (
            f"{place(flow, 'yield one  # again')}: the generator part(...) runs already, or has run; a generator "
            "runs once:\n"
            "    wrong:  one = part(ctx); yield one; yield one\n"
            "    right:  yield part(ctx); yield part(ctx)"
        ),
    ) == failure(durable(backend=Stub())(flow)(event()))


class Forwarding:
    """Passes for the function that it wraps, as a decorator's object may, and calls it once."""

    def __init__(self, wrapped):
        self.wrapped, self.made = wrapped, None

    def __getattr__(self, name):
        return getattr(self.wrapped, name)

    def __call__(self, ctx):
        self.made = self.made or self.wrapped(ctx)
        return self.made


def test_generator_given_twice_by_what_passes_for_its_function_is_refused():
    """Whatever a flow says of its code, what it gives is to be a generator that has not run."""

    def part(ctx):
        yield from ()

    def flow(event, ctx):
        twice = Forwarding(part)
        yield ctx.child("one", twice)
        yield ctx.child("two", twice)

    kind, text = failure(durable(backend=Stub())(flow)(event()))
    assert "UsageError" == kind
    assert "the generator part(...) runs already, or has run" in text


def test_method_made_of_something_else_than_a_function_is_a_flow_like_any_other():
    """A bound method may be of any callable, with no code of its own."""

    def part(ctx):
        return (yield ctx.step("a", int))

    def flow(event, ctx):
        return (yield ctx.child("one", MethodType(partial(lambda _, child: part(child)), object())))

    assert 0 == result(durable(backend=Stub())(flow)(event()))


# --- what comes from outside --------------------------------------------------------------------


@pytest.mark.parametrize("type_", ["SerializationError", "UsageError", "StepFailed", "ValueError"])
def test_error_from_outside_never_chooses_the_class(type_):
    """Whatever a peer calls its error, `except CallbackFailed` and `except InvokeFailed` catch it."""
    error = {"ErrorType": type_, "ErrorMessage": "no", "ErrorData": '{"args":[],"attributes":{}}'}
    seen = []

    def flow(event, ctx):
        callback = yield ctx.callback("c")
        try:
            yield callback.result()
        except CallbackFailed as failed:
            seen.append(failed.error_type)
        try:
            yield ctx.invoke("i", "other")
        except InvokeFailed as failed:
            seen.append(failed.error_type)

    first = Stub()
    durable(backend=first)(lambda event, ctx: (yield ctx.callback("c")))(event())
    callback = logged(first.updates[0], "FAILED", CallbackId="id", Error=error)
    second = Stub()
    durable(backend=second)(flow)(event(callback))
    invoke = logged(second.updates[0], "FAILED", Error=error)
    durable(backend=Stub())(flow)(event(callback, invoke))
    assert [type_] * 3 == seen


def test_record_that_regresses_runs_nothing_again():
    """What has ended stays ended, whatever an old page says."""
    ran = []

    def flow(event, ctx):
        return (yield ctx.step("a", ran.append, 1)), (yield ctx.step("b", ran.append, 2))

    first = Stub()
    durable(backend=first)(flow)(event())
    done = log(first)
    old = [logged(update, "STARTED") for update in first.updates if update["Action"] == "START"]
    assert [None, None] == result(durable(backend=Stub())(flow)(event(*done, *old)))
    assert [1, 2] == ran

    class Forgetful(Stub):
        def checkpoint_durable_execution(self, **request):
            answer = super().checkpoint_durable_execution(**request)
            starts = [u for u in request["Updates"] if u["Action"] == "START"]
            answer["NewExecutionState"] = {"Operations": [logged(u, "STARTED") for u in starts]}
            return answer

    ran.clear()
    assert "SUCCEEDED" == durable(backend=Forgetful())(flow)(event())["Status"]
    assert [1, 2] == ran


@durable_error
@attrs.frozen
class FrozenError(Exception):
    reason: str


@durable_error
@attrs.define
class SlottedError(Exception):
    reason: str


@pytest.mark.parametrize("cls", [FrozenError, SlottedError])
def test_durable_error_of_attrs_comes_back_as_itself(cls):
    """Frozen or with slots, it has what it had."""
    first, seen = Stub(), []

    def work():
        raise cls("no funds")

    @durable(backend=first)
    def handler(event, ctx):
        try:
            yield ctx.step("work", work, retry=None)
        except cls as error:
            seen.append(error.reason)

    handler(event())
    handler.using(Stub())(event(*log(first)))
    assert ["no funds", "no funds"] == seen


@pytest.mark.parametrize("given_up", [False, True])
def test_async_step_that_never_began_leaves_no_warning(given_up):
    """An invocation may end between the making of a coroutine and its first step, and so may a race."""
    workers = Workers(1)

    async def never():
        raise AssertionError

    call = Call(None, never, (), None, StepInfo(None, "never", "id", 1, "arn"))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        workers.start(call)
        if given_up:
            workers.drop(call)
        workers.close()
        del call, workers
        gc.collect()
    assert [] == [str(one.message) for one in warned]
