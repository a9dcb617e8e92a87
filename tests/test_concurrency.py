"""Branches really overlap, in threads or on one event loop; a sequential workflow makes neither."""

from __future__ import annotations

import asyncio
import itertools
import threading
from contextvars import ContextVar

import pytest

from durable_gen import Completion, StepTimedOut, durable
from replays import failure
from stub import Stub, event, result

LIMIT = 10  # seconds after which a test that hangs fails; none takes them


def nothing(*_):
    return None


def run(flow, stub=None, **options):
    return durable(backend=stub or Stub(), **options)(flow)(event())


# --- branches overlap ------------------------------------------------------------------------------


def test_blocking_steps_of_two_branches_run_at_once():
    """Two steps that wait for each other both end: they are in two threads at one time."""
    both = threading.Barrier(2)

    def meet(name):
        both.wait(LIMIT)
        return name

    def flow(event, ctx):
        return (yield ctx.all(ctx.step("a", meet, "a"), ctx.step("b", meet, "b")))

    assert ["a", "b"] == result(run(flow))


@pytest.mark.parametrize("word", ["map", "parallel", "flat map", "children", "flows"])
def test_blocking_steps_overlap_in_every_fan_out(word):
    """Whatever the fan-out: its branches run at once."""
    both = threading.Barrier(2)

    def branch(ctx, item=0):
        yield ctx.step("meet", both.wait, LIMIT)

    def flow(event, ctx):
        match word:
            case "map":
                batch = yield ctx.map("m", [1, 2], branch)
            case "flat map":
                batch = yield ctx.map("m", [1, 2], branch, nesting="flat")
            case "parallel":
                batch = yield ctx.parallel("p", [branch, branch])
            case "children":
                yield ctx.all(ctx.child("a", branch), ctx.child("b", branch))
                return
            case "flows":
                yield ctx.all(branch, branch(ctx))
                return
        batch.raise_if_failed()

    assert "SUCCEEDED" == run(flow)["Status"]


def test_async_steps_of_two_branches_run_at_once():
    """Two async steps that wait for each other both end: they share one event loop."""
    events: dict[str, asyncio.Event] = {}

    async def meet(mine, other):
        events.setdefault(mine, asyncio.Event()).set()
        await asyncio.wait_for(events.setdefault(other, asyncio.Event()).wait(), LIMIT)
        return mine

    def flow(event, ctx):
        return (yield ctx.all(ctx.step("a", meet, "a", "b"), ctx.step("b", meet, "b", "a")))

    assert ["a", "b"] == result(run(flow))


def test_blocking_and_async_steps_run_at_once():
    """A step in a thread and one on the event loop overlap."""
    heard = threading.Event()

    def listen():
        return heard.wait(LIMIT)

    async def speak():
        await asyncio.sleep(0)
        heard.set()

    def flow(event, ctx):
        return (yield ctx.all(ctx.step("listen", listen), ctx.step("speak", speak)))

    assert [True, None] == result(run(flow))


def test_branch_goes_on_while_another_blocks():
    """A branch does not wait for its siblings' steps: what comes next in it runs meanwhile."""
    second = threading.Event()

    def slow(ctx):
        return (yield ctx.step("slow", second.wait, LIMIT))

    def quick(ctx):
        yield ctx.step("first", nothing)
        yield ctx.step("second", second.set)

    def flow(event, ctx):
        return (yield ctx.all(slow, quick))

    assert [True, None] == result(run(flow))


# --- no company, no threads (law 12) -------------------------------------------------------------------


def test_sequential_workflow_makes_no_thread():
    """Steps one after another run on the caller's thread, and no other is made."""
    before = set(threading.enumerate())
    seen = []

    def look():
        new = set(threading.enumerate()) - before  # some of before may be ending
        seen.append((threading.current_thread(), new))

    async def look_async():
        await asyncio.sleep(0)
        look()

    def payment(ctx):
        yield ctx.step("in a child", look)

    def flow(event, ctx):
        yield ctx.step("plain", look)
        yield ctx.step("async", look_async)
        yield ctx.child("payment", payment)
        yield ctx.all(ctx.step("alone", look))
        yield ctx.wait_for_condition("ready", lambda _: look() or True)

    assert "SUCCEEDED" == run(flow)["Status"]
    assert [(threading.current_thread(), set())] * 5 == seen


def test_fan_out_of_async_steps_makes_no_thread():
    """Async steps need no threads, however many run at once."""
    before = set(threading.enumerate())
    seen = []

    async def look(item):
        await asyncio.sleep(0)
        seen.append(set(threading.enumerate()) - before)

    def flow(event, ctx):
        yield ctx.map("look", range(20), lambda ctx, n: (yield ctx.step("look", look, n)))

    assert "SUCCEEDED" == run(flow)["Status"]
    assert [set()] * 20 == seen


def test_threads_end_with_the_invocation():
    """No thread of the pool outlives its invocation by more than the step that it runs."""
    both = threading.Barrier(2)
    threads = []

    def meet():
        threads.append(threading.current_thread())
        both.wait(LIMIT)

    def flow(event, ctx):
        yield ctx.all(ctx.step("a", meet), ctx.step("b", meet))

    run(flow)
    assert 2 == len(threads)
    for thread in threads:
        thread.join(LIMIT)
    assert [False, False] == [thread.is_alive() for thread in threads]


# --- bounds -----------------------------------------------------------------------------------------------


class Gauge:
    """Counts how many are inside, and the most that ever were."""

    def __init__(self):
        self.lock = threading.Lock()
        self.now = self.most = 0

    def __enter__(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_):
        with self.lock:
            self.now -= 1


@pytest.mark.parametrize("workers", [1, 3])
def test_max_workers_bounds_the_threads(workers):
    """No more steps are in threads at once than `max_workers` says, and as many as that are."""
    gauge, full = Gauge(), threading.Barrier(workers)
    names = set()

    def work(item):
        names.add(threading.get_ident())
        with gauge:
            full.wait(LIMIT)

    def flow(event, ctx):
        batch = yield ctx.map("work", range(9), lambda ctx, n: (yield ctx.step("w", work, n)))
        batch.raise_if_failed()

    assert "SUCCEEDED" == run(flow, max_workers=workers)["Status"]
    assert workers == gauge.most
    assert workers == len(names)


def test_max_concurrency_bounds_the_branches_under_way():
    """No more branches are begun than `max_concurrency` says, until one of them ends."""
    gauge, full = Gauge(), threading.Barrier(2)

    def work(item):
        with gauge:
            full.wait(LIMIT)

    def branch(ctx, item):
        yield ctx.step("work", work, item)

    def flow(event, ctx):
        batch = yield ctx.map("work", range(6), branch, max_concurrency=2)
        batch.raise_if_failed()

    assert "SUCCEEDED" == run(flow)["Status"]
    assert 2 == gauge.most


def test_suspended_branch_keeps_its_place():
    """A branch that waits is under way: no other begins in its place."""
    begun = []

    def branch(ctx, item):
        yield ctx.step("begin", begun.append, item)
        yield ctx.wait("settle", 5)

    def flow(event, ctx):
        yield ctx.map("work", range(6), branch, max_concurrency=2)

    assert {"Status": "PENDING"} == run(flow)
    assert [0, 1] == sorted(begun)


def test_wave_begins_when_the_one_before_has_ended():
    """With `batch_size` no item of a wave begins before all of the one before have ended."""
    lines = []

    def branch(ctx, item):
        yield ctx.step("first", lines.append, ("begin", item))
        yield ctx.step("last", lines.append, ("end", item))

    def flow(event, ctx):
        yield ctx.map("work", range(4), branch, batch_size=2)

    run(flow)
    assert [("begin", 0), ("begin", 1), ("end", 0), ("end", 1)] == sorted(lines[:4])
    assert [("begin", 2), ("begin", 3), ("end", 2), ("end", 3)] == sorted(lines[4:])


# --- context variables --------------------------------------------------------------------------------------

REQUEST: ContextVar[str] = ContextVar("request", default="none")


def test_context_variables_reach_steps_in_threads():
    """What the caller set is seen by a step in a thread, and by an async one."""
    both = threading.Barrier(2)

    def blocking():
        both.wait(LIMIT)
        return REQUEST.get()

    async def waiting():
        return REQUEST.get()

    def flow(event, ctx):
        several = yield ctx.all(
            ctx.step("a", blocking), ctx.step("b", blocking), ctx.step("c", waiting)
        )
        alone = yield ctx.step("d", REQUEST.get)
        alone_async = yield ctx.step("e", waiting)
        return [*several, alone, alone_async]

    token = REQUEST.set("r-7")
    try:
        assert ["r-7"] * 5 == result(run(flow))
    finally:
        REQUEST.reset(token)


def test_context_variables_that_a_step_sets_stay_in_it():
    """A step's own setting reaches neither the caller nor another step."""

    def flow(event, ctx):
        yield ctx.step("set", lambda: REQUEST.set("leaked") and None)
        return (yield ctx.step("get", REQUEST.get))

    assert "none" == result(run(flow))
    assert "none" == REQUEST.get()


# --- timeouts -------------------------------------------------------------------------------------------------


def test_async_step_that_times_out_is_cancelled():
    """An async step is cancelled when its time is over, and its `finally` runs."""
    ran = []

    async def forever():
        try:
            await asyncio.Event().wait()
        finally:
            ran.append("finally")

    def flow(event, ctx):
        yield ctx.step("forever", forever, timeout=0.02, retry=None)

    assert (
        "StepTimedOut",
        "step timed out for operation 'forever': it took longer than 0.02 s",
    ) == failure(run(flow))
    assert ["finally"] == ran


def test_sync_step_that_times_out_is_abandoned():
    """A plain step goes on in its thread, unheard; the workflow goes on without it."""
    release, heard = threading.Event(), []

    def forever():
        release.wait(LIMIT)
        heard.append("ended")
        return "late"

    def flow(event, ctx):
        try:
            return (yield ctx.step("forever", forever, timeout=0.02, retry=None))
        except StepTimedOut:
            return (yield ctx.step("after", lambda: "went on"))

    stub = Stub()
    assert "went on" == result(run(flow, stub))
    assert [] == heard
    release.set()
    assert [
        "STEP START forever",
        "--",  # it is recorded while the step runs
        "STEP FAIL forever StepTimedOut",
        "--",
        "STEP START after",
        'STEP SUCCEED after "went on"',
        "--",
    ] == stub.stream


def test_step_within_its_time_gives_its_value():
    """A timeout that is not reached changes nothing."""

    async def quick():
        return "async"

    def flow(event, ctx):
        one = yield ctx.step("plain", lambda: "plain", timeout=LIMIT)
        two = yield ctx.step("async", quick, timeout=LIMIT)
        return [one, two]

    assert ["plain", "async"] == result(run(flow))


# --- late outcomes of branches that were given up -----------------------------------------------------------------


def test_late_outcome_of_a_loser_is_dropped():
    """What a loser's step gives after the race is over is neither sent nor seen."""
    over, ended = threading.Event(), threading.Event()

    def slow():
        over.wait(LIMIT)
        ended.set()
        return "slow"

    def after():
        over.set()
        ended.wait(LIMIT)
        return "after"

    def flow(event, ctx):
        first = yield ctx.race(ctx.step("slow", slow), ctx.step("quick", lambda: "quick"))
        return [first, (yield ctx.step("after", after)), (yield ctx.step("last", nothing))]

    stub = Stub()
    assert ["quick", "after", None] == result(run(flow, stub))
    assert [] == [line for line in stub.stream if line.startswith("STEP SUCCEED slow")]


def test_late_failure_of_a_loser_is_dropped():
    """The same of an error: it fails nothing."""
    over, ended = threading.Event(), threading.Event()

    def slow():
        over.wait(LIMIT)
        ended.set()
        raise ValueError("too late")

    def after():
        over.set()
        ended.wait(LIMIT)

    def flow(event, ctx):
        yield ctx.parallel(
            "both",
            [
                lambda ctx: (yield ctx.step("slow", slow)),
                lambda ctx: (yield ctx.step("q", nothing)),
            ],
            completion=Completion(min_successful=1),
        )
        yield ctx.step("after", after)
        return "done"

    stub = Stub()
    assert "done" == result(run(flow, stub))
    assert [] == [line for line in stub.stream if line.startswith(("STEP RETRY", "STEP FAIL"))]


def test_workflow_does_not_wait_for_a_loser():
    """The handler returns while a loser's step still runs in its thread."""
    release = threading.Event()

    def flow(event, ctx):
        return (yield ctx.race(ctx.step("slow", release.wait, LIMIT), ctx.step("quick", lambda: 1)))

    try:
        assert 1 == result(run(flow))
        assert not release.is_set()
    finally:
        release.set()


def test_async_loser_is_cancelled_at_the_end_of_the_invocation():
    """An async step that nobody waits for is cancelled, not left behind."""
    ran = []

    async def slow():
        try:
            await asyncio.Event().wait()
        finally:
            ran.append("cancelled")

    async def quick():
        await asyncio.sleep(0)
        return 1

    def flow(event, ctx):
        return (yield ctx.race(ctx.step("slow", slow), ctx.step("quick", quick)))

    assert 1 == result(run(flow))
    assert ["cancelled"] == ran


# --- order -----------------------------------------------------------------------------------------------------------


def ordered(order):
    """Run three branches of two steps each whose first steps end in a given order."""
    ends = [threading.Event() for _ in order]
    ends[order[0]].set()
    follows = dict(itertools.pairwise(order))

    def work(n):
        ends[n].wait(LIMIT)
        return n

    def release(n):  # the next one ends only when this one's branch has gone on
        if n in follows:
            ends[follows[n]].set()
        return n * 10

    def branch(ctx, n):
        first = yield ctx.step("first", work, n)
        second = yield ctx.step("second", release, n)
        return [first, second, str(ctx.uuid4())]

    def flow(event, ctx):
        batch = yield ctx.map("work", range(3), branch)
        yield ctx.step("after", nothing)
        return batch.values

    stub = Stub()
    value = result(run(flow, stub))
    ids = {(update["Id"], update.get("ParentId"), update.get("Name")) for update in stub.updates}
    return value, ids


ORDERS = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]


@pytest.mark.parametrize("order", ORDERS[1:], ids=str)
def test_order_of_completion_changes_neither_result_nor_ids(order):
    """Ids come from positions, results from the input's order: not from timing (law 4)."""
    assert ordered(ORDERS[0]) == ordered(order)


def test_ready_branches_have_their_turns_in_order():
    """The ready queue is first in, first out: branches advance in step with one another (law 2)."""
    turns = []

    def branch(ctx, n):
        for turn in range(3):
            turns.append((turn, n))
            yield ctx.child(f"turn {turn}", nothing)

    def flow(event, ctx):
        yield ctx.map("work", range(3), branch)

    run(flow, batch=True)
    assert [(turn, n) for turn in range(3) for n in range(3)] == turns


def test_updates_go_out_in_the_order_in_which_they_were_emitted():
    """Branches are started in the order of the input (law 7)."""

    def flow(event, ctx):
        yield ctx.map("work", range(5), lambda ctx, n: (yield ctx.step(f"s{n}", nothing)))

    stub = Stub()
    run(flow, stub)
    started = [line.split()[-1] for line in stub.stream if line.startswith("STEP START")]
    assert ["s0", "s1", "s2", "s3", "s4"] == started


# --- few calls (law 7) -----------------------------------------------------------------------------------------------


async def waiting(n):
    await asyncio.sleep(0)
    return n


@pytest.mark.parametrize("step", [abs, waiting], ids=["sync", "async"])
def test_wide_map_uses_few_calls(step):
    """Updates of branches share checkpoints: 300 items take little more calls than they must."""

    def flow(event, ctx):
        batch = yield ctx.map("work", range(300), lambda ctx, n: (yield ctx.step("s", step, n)))
        return sum(batch.values)

    stub = Stub()
    assert sum(range(300)) == result(run(flow, stub))
    assert len(stub.updates) / 250 + 3 >= len(stub.calls)
    assert max(len(call["Updates"]) for call in stub.calls) <= 250
