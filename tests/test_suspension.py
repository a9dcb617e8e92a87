"""Law 6: suspension is a state of the kernel; at Park none of a workflow's code runs, then or later."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path

import pytest

from durable_gen import durable
from durable_gen._fibers import Fiber, Task
from replays import log, place
from stub import Stub, event, result

PENDING = {"Status": "PENDING"}


def nothing(*_):
    return None


def park(flow, *records):
    stub = Stub()
    envelope = durable(backend=stub)(flow)(event(*records))
    gc.collect()
    return envelope, stub


# --- nothing runs at PENDING -------------------------------------------------------------------------


def with_finally(ran):
    def flow(event, ctx):
        try:
            yield ctx.wait("settle", 5)
        finally:
            ran.append("finally")

    return flow


def with_except(ran):
    def flow(event, ctx):
        try:
            yield ctx.wait("settle", 5)
        except Exception:
            ran.append("except")
            raise

    return flow


def with_base_exception(ran):
    def flow(event, ctx):
        try:
            yield ctx.wait("settle", 5)
        except BaseException:
            ran.append("except BaseException")
            raise

    return flow


def with_generator_exit(ran):
    def flow(event, ctx):
        try:
            yield ctx.wait("settle", 5)
        except GeneratorExit:
            ran.append("except GeneratorExit")

    return flow


def with_bare_except(ran):
    def flow(event, ctx):
        try:
            yield ctx.wait("settle", 5)
        except:  # noqa: E722
            ran.append("except")

    return flow


def with_with(ran):
    @contextmanager
    def lock():
        try:
            yield
        finally:
            ran.append("with exit")

    def flow(event, ctx):
        with lock():
            yield ctx.wait("settle", 5)

    return flow


def with_class(ran):
    class Lock:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            ran.append("__exit__")

    def flow(event, ctx):
        with Lock():
            yield from ctx.wait("settle", 5)

    return flow


def with_subflow(ran):
    def payment(ctx):
        try:
            yield from ctx.wait("settle", 5)
        finally:
            ran.append("finally inside")

    def flow(event, ctx):
        yield from payment(ctx)

    return flow


def with_outer_of_a_subflow(ran):
    def payment(ctx):
        yield ctx.wait("settle", 5)

    def flow(event, ctx):
        try:
            yield payment(ctx)
        finally:
            ran.append("finally outside")

    return flow


def with_child(ran):
    def payment(ctx):
        try:
            yield ctx.wait("settle", 5)
        finally:
            ran.append("finally in the child")

    def flow(event, ctx):
        try:
            yield ctx.child("payment", payment)
        finally:
            ran.append("finally around the child")

    return flow


def with_branches(ran):
    def ship(ctx, item):
        try:
            yield ctx.wait("settle", 5)
        finally:
            ran.append("finally in a branch")

    def flow(event, ctx):
        yield ctx.map("ship", [1, 2, 3], ship)

    return flow


def inside_a_handler(ran):
    def flow(event, ctx):
        try:
            raise ValueError
        except ValueError:
            yield ctx.wait("settle", 5)
            ran.append("after")
        finally:
            ran.append("finally")

    return flow


def inside_finally(ran):
    def flow(event, ctx):
        try:
            try:
                pass
            finally:
                yield ctx.wait("settle", 5)
                ran.append("after")
        finally:
            ran.append("finally")

    return flow


def in_a_loop(ran):
    def flow(event, ctx):
        for item in range(3):
            try:
                yield ctx.wait("settle", 5)
            except Exception:
                ran.append(item)
                continue
            else:
                ran.append("else")
            finally:
                ran.append("finally")

    return flow


@pytest.mark.parametrize(
    "make",
    [
        with_finally,
        with_except,
        with_base_exception,
        with_generator_exit,
        with_bare_except,
        with_with,
        with_class,
        with_subflow,
        with_outer_of_a_subflow,
        with_child,
        with_branches,
        inside_a_handler,
        inside_finally,
        in_a_loop,
    ],
)
def test_suspended_workflow_runs_none_of_its_code(make):
    """At PENDING, and when the garbage is collected, no `except`, `finally` or `with` exit runs."""
    ran = []
    envelope, _ = park(make(ran))
    assert PENDING == envelope
    assert [] == ran


@pytest.mark.parametrize(
    "wait",
    [
        lambda ctx: ctx.wait("settle", 5),
        lambda ctx: ctx.invoke("other", "other:1"),
        lambda ctx: ctx.step("charge", int, "x"),
        lambda ctx: ctx.wait_for_condition("ready", nothing),
        lambda ctx: ctx.race(ctx.wait("a", 5), ctx.wait("b", 6)),
        lambda ctx: ctx.child("payment", lambda child: (yield child.wait("settle", 5))),
    ],
    ids=["wait", "invoke", "retry", "poll", "race", "child"],
)
def test_suspension_cannot_be_caught(wait):
    """Whatever a workflow waits for: its handlers never see that it is suspended."""
    ran = []

    def flow(event, ctx):
        try:
            yield wait(ctx)
        except BaseException:
            ran.append("caught")
            return "swallowed"
        finally:
            ran.append("finally")

    envelope, _ = park(flow)
    assert PENDING == envelope
    assert [] == ran


def test_workflow_suspended_outside_every_try_is_let_go():
    """A generator outside every `try` is closed, so what it holds is not kept."""
    import weakref

    class Held:
        pass

    refs = []

    def flow(event, ctx):
        held = Held()
        refs.append(weakref.ref(held))
        yield ctx.wait("settle", 5)
        return repr(held)

    assert PENDING == park(flow)[0]
    assert None is refs[0]()


SCRIPT = """
    import sys
    sys.path[:0] = {paths!r}
    from contextlib import ExitStack
    from stub import Stub, event
    from durable_gen import durable

    def say(*words):
        print("ran:", *words, flush=True)

    class Lock:
        def __enter__(self): return self
        def __exit__(self, *_): say("exit")

    def payment(ctx):
        try:
            yield ctx.wait("settle", 5)
        except BaseException:
            say("except")
            raise
        finally:
            say("finally")

    @durable(backend=Stub())
    def handler(event, ctx):
        with Lock(), ExitStack() as stack:
            stack.callback(say, "callback")
            yield ctx.all(payment, ctx.child("payment", payment), payment(ctx))

    print(handler(event())["Status"])
"""


def test_suspended_workflow_runs_none_of_its_code_at_exit():
    """When the interpreter ends, no `except`, `finally` or `with` exit runs, and nothing is said."""
    root = Path(__file__).parent
    script = textwrap.dedent(SCRIPT).format(paths=[str(root), str(root.parent / "lib")])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("PENDING\n", "", 0) == (done.stdout, done.stderr, done.returncode)


# --- durable cleanup -----------------------------------------------------------------------------------


def follow(flow, *rounds):
    """Run a flow over several invocations; each round names the operations ended before it."""
    records: dict[str, dict] = {}
    envelope, stub = park(flow)
    stubs = [stub]
    for over in rounds:
        assert PENDING == envelope
        records.update({record["Id"]: record for record in log(stub)})
        for record in records.values():
            if record.get("Name") in over:
                ended = "SUCCEEDED" if record["Type"] == "WAIT" else "READY"
                record["Status"] = ended
        envelope, stub = park(flow, *records.values())
        stubs.append(stub)
    return envelope, [stub.stream for stub in stubs]


def test_release_in_finally_runs_once_at_the_true_end():
    """`finally: yield ctx.step("release", ...)` runs once over several invocations."""
    ran = []

    def flow(event, ctx):
        yield ctx.step("acquire", ran.append, "acquire")
        try:
            yield ctx.wait("first", 5)
            yield ctx.wait("second", 5)
        finally:
            yield ctx.step("release", ran.append, "release")
        return "done"

    envelope, streams = follow(flow, ["first"], ["second"])
    assert "done" == result(envelope)
    assert ["acquire", "release"] == ran
    assert ["STEP START release", "STEP SUCCEED release null", "--"] == streams[2]


def test_release_in_finally_runs_once_when_the_workflow_fails():
    """The same when the end is an error, which is raised on after the cleanup."""
    ran = []

    def flow(event, ctx):
        try:
            yield ctx.wait("first", 5)
            raise ValueError("sold out")
        finally:
            yield ctx.step("release", ran.append, "release")

    envelope, _ = follow(flow, ["first"])
    assert "ValueError" == envelope["Error"]["ErrorType"]
    assert ["release"] == ran


def test_release_that_waits_runs_once():
    """A cleanup may itself be suspended, and goes on where it was."""
    ran = []

    def flow(event, ctx):
        try:
            yield ctx.wait("first", 5)
        finally:
            yield ctx.step("begin", ran.append, "begin")
            yield ctx.wait("cool down", 5)
            yield ctx.step("release", ran.append, "release")

    envelope, _ = follow(flow, ["first"], ["cool down"])
    assert "SUCCEEDED" == envelope["Status"]
    assert ["begin", "release"] == ran


def test_release_in_a_child_runs_once():
    """The same in a child context."""
    ran = []

    def payment(ctx):
        try:
            yield ctx.wait("first", 5)
        finally:
            yield ctx.step("release", ran.append, "release")

    def flow(event, ctx):
        yield ctx.child("payment", payment)
        yield ctx.wait("second", 5)

    envelope, _ = follow(flow, ["first"], ["second"])
    assert "SUCCEEDED" == envelope["Status"]
    assert ["release"] == ran


def test_code_of_a_with_block_runs_to_its_end_when_the_workflow_goes_on():
    """A `with` is left once in each invocation that comes to its end, and not before."""
    ran = []

    @contextmanager
    def lock():
        ran.append("enter")
        yield
        ran.append("exit")

    def flow(event, ctx):
        with lock():
            yield ctx.wait("first", 5)

    envelope, _ = follow(flow, ["first"])
    assert "SUCCEEDED" == envelope["Status"]
    assert ["enter", "enter", "exit"] == ran


# --- losers of a race ------------------------------------------------------------------------------------


def losing(ran):
    def slow(ctx):
        try:
            yield ctx.wait("slow", 500)
        except BaseException:
            ran.append("except")
            raise
        finally:
            ran.append("finally")
            yield ctx.step("release", ran.append, "release")

    return slow


@pytest.mark.parametrize(
    "make",
    [
        lambda ctx, slow: ctx.race(slow, ctx.step("quick", nothing)),
        lambda ctx, slow: ctx.any(slow(ctx), ctx.step("quick", nothing)),
        lambda ctx, slow: ctx.race(
            ctx.child("inner", slow), ctx.map("ship", [1], lambda ctx, _: slow(ctx)), nothing
        ),
        lambda ctx, slow: ctx.parallel("both", [slow, nothing], completion=lambda p: p.completed),
    ],
    ids=["race", "any", "nested", "parallel"],
)
def test_loser_runs_none_of_its_code(make):
    """A branch that is given up runs no `except` or `finally`, then or later."""
    ran = []

    def flow(event, ctx):
        yield make(ctx, losing(ran))
        yield ctx.step("after", nothing)
        return "done"

    envelope, stub = park(flow)
    assert "done" == result(envelope)
    assert [] == ran
    assert "STEP START release" not in stub.stream


def test_rest_of_a_failed_workflow_runs_none_of_its_code():
    """What is left when the invocation ends with a fault of the code runs none of its code."""
    ran = []

    def flow(event, ctx):
        try:
            yield 5
        finally:
            ran.append("finally")

    envelope, _ = park(flow)
    assert "FAILED" == envelope["Status"]
    assert [] == ran


# --- what is kept is bounded -----------------------------------------------------------------------------------


def test_kept_workflows_are_bounded_and_the_oldest_is_named():
    """Past the bound the oldest is closed, its operations are refused, and a warning names its line."""
    from durable_gen import _park

    refused = []

    def flow(event, ctx):
        try:
            yield ctx.wait("settle", 5)
        finally:
            try:
                yield ctx.step("release", nothing)
            except BaseException as error:
                refused.append(type(error).__name__)
                raise

    def noise(event, ctx):
        try:
            yield ctx.wait("settle", 5)
        finally:
            pass

    def fill():
        for _ in range(_park.MOST_KEPT):
            durable(backend=Stub())(noise)(event())

    kept = list(_park._kept)
    _park._kept.clear()
    try:
        assert PENDING == park(flow)[0]
        with pytest.warns(RuntimeWarning) as caught:
            fill()
    finally:
        _park._kept.clear()  # what is left of them is never finalised
        _park._kept.extend(kept)
    assert (
        f"{place(flow, 'yield ctx.wait')}: a workflow that was suspended inside a try or with was "
        "closed, because more than 1000 of them are kept; its finally blocks ran, and "
        "operations that they yield did not"
    ) == str(caught[0].message)
    assert ["UsageError"] == refused


# --- what is no Exception passes through ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("how", ["inline", "async", "threads", "timeout"])
def test_interrupt_in_a_step_passes_through(kind, how):
    """A KeyboardInterrupt is no outcome of a step: it leaves the handler, and nothing is recorded."""
    ran = []

    def stop():
        raise kind

    async def stop_async():
        raise kind

    def flow(event, ctx):
        try:
            match how:
                case "inline":
                    yield ctx.step("stop", stop)
                case "async":
                    yield ctx.step("stop", stop_async)
                case "threads":
                    yield ctx.all(ctx.step("stop", stop), ctx.step("other", nothing))
                case "timeout":
                    yield ctx.step("stop", stop, timeout=30)
        except BaseException:
            ran.append("caught")
            raise
        finally:
            ran.append("finally")

    stub = Stub()
    with pytest.raises(kind):
        durable(backend=stub)(flow)(event())
    gc.collect()
    assert [] == ran
    assert [] == [line for line in stub.stream if "FAIL" in line or "RETRY" in line]


@pytest.mark.parametrize(
    "through",
    [
        iter,
        enumerate,
        lambda rows: zip("ab", rows, strict=False),
        lambda rows: map(str, rows),
        lambda rows: filter(None, rows),
        itertools.chain,
        lambda rows: itertools.chain.from_iterable([rows]),
        lambda rows: itertools.islice(rows, 5),
        lambda rows: enumerate(itertools.pairwise(rows)),
        itertools.groupby,
    ],
)
def test_generator_that_a_suspended_flow_goes_through_is_not_finalised(through):
    """The `finally` of a generator in a `for` of the flow does not run at suspension either."""
    ran = []

    def rows():
        try:
            yield from (1, 2)
        finally:
            ran.append("closed")

    @durable(backend=Stub())
    def handler(event, ctx):
        for _ in through(rows()):
            yield ctx.wait("nap", 5)

    assert {"Status": "PENDING"} == handler(event())
    gc.collect()
    assert [] == ran


# --- nothing of an invocation outlives it ------------------------------------------------------------


def children_that_end(event, ctx):
    for _ in range(3):
        yield ctx.child("child", lambda child: child.step("step", int))


def branches_that_wait(event, ctx):
    yield ctx.map("map", range(3), lambda child, item: child.wait("hour", hours=1))


def race_with_losers(event, ctx):
    yield ctx.race(ctx.step("won", int), ctx.wait("lost", hours=1))
    yield ctx.wait("hour", hours=1)


@pytest.mark.parametrize("flow", [children_that_end, branches_that_wait, race_with_losers])
def test_invocation_that_is_over_then_no_task_and_no_fiber_is_left_to_the_collector(flow):
    """What the kernel made is freed at once: a warm function does not fill up between collections."""
    stub = Stub()
    handler = durable(backend=stub)(flow)
    gc.collect()
    gc.disable()
    try:
        before = set(map(id, made()))
        handler(event())
        assert [] == [one for one in made() if id(one) not in before]
    finally:
        gc.enable()


def made():
    return [one for one in gc.get_objects() if type(one) in (Fiber, Task)]
