"""Plugins are told what happens, once and in order; they cannot disturb anything."""

from __future__ import annotations

import logging
from functools import partial

import attrs
import pytest

from durable_gen import Retry, durable
from durable_gen.local import MemoryStore, Service, VirtualClock
from stub import Stub, event, result

SOON = Retry(max_attempts=2, initial=1, jitter="none")


class Recorder:
    """Keeps all that it is told."""

    def __init__(self):
        self.heard = []

    def __getattr__(self, name):
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda info: self.heard.append((name[3:], info))

    def of(self, *hooks):
        return [info for hook, info in self.heard if hook in hooks]


def serve(flow, recorder, payload="null"):
    """Run a workflow on the embedded service, with its answers' records and skipped time."""
    logging.getLogger("durable_gen").setLevel(logging.CRITICAL)
    with Service(MemoryStore(), VirtualClock()) as service:
        service.register("f", durable(plugins=[recorder])(flow))
        arn = service.start("f", payload)
        service.run(arn)
        return service.describe(arn)


def stepping(event, ctx):
    return (yield ctx.step("greet", lambda: "hello"))


def waiting(event, ctx):
    yield ctx.wait("nap", 2)
    return "done"


def failing_once(event, ctx):
    attempts = []

    def flaky():
        attempts.append(1)
        raise ValueError("no")

    yield ctx.step("a", lambda: 1)
    yield ctx.step("b", flaky, retry=SOON)


def test_invocation_hooks_frame_everything_else():
    """The first thing told is that the invocation begins, the last that it has ended."""
    recorder = Recorder()
    serve(stepping, recorder)
    assert [
        "invocation_start",
        "operation_start",
        "attempt_start",
        "attempt_end",
        "checkpoint",
        "operation_change",
        "operation_end",
        "invocation_end",
    ] == [hook for hook, _ in recorder.heard]
    start, end = recorder.of("invocation_start", "invocation_end")
    assert (True, 0, {}) == (start.is_first, len(start.operations), start.updated)
    assert (True, "SUCCEEDED", None, 1) == (
        end.is_first,
        end.status,
        end.error,
        len(end.operations),
    )
    assert start.request_id == end.request_id
    assert start.started == end.started


def test_operation_hooks_carry_the_operation_as_recorded():
    """Start and end have the id, name and type of the record; the end has what came of it."""
    recorder = Recorder()
    serve(stepping, recorder)
    start, end = recorder.of("operation_start", "operation_end")
    assert ("greet", "STEP", "Step", None, False) == (
        start.name,
        start.type,
        start.sub_type,
        start.status,
        start.is_replay,
    )
    assert start.id == end.id
    assert ("SUCCEEDED", 1, '"hello"', None, False) == (
        end.status,
        end.attempt,
        end.result,
        end.error,
        end.is_replay,
    )
    assert end.started <= end.ended


def test_wait_that_ended_from_outside_is_told_at_the_next_invocation():
    """It stands among the updated ones, and its end is told once."""
    recorder = Recorder()
    serve(waiting, recorder)
    first, second = recorder.of("invocation_start")
    assert (True, []) == (first.is_first, list(first.updated))
    (end,) = recorder.of("operation_end")
    assert [end.id] == list(second.updated)
    assert ("WAIT", "SUCCEEDED") == (end.type, end.status)
    assert ["PENDING", "SUCCEEDED"] == [info.status for info in recorder.of("invocation_end")]


def test_operation_that_is_not_over_is_told_again_and_one_that_is_not():
    """A replay tells of what goes on, never of what has ended."""
    recorder = Recorder()
    serve(failing_once, recorder)
    starts = [(info.name, info.is_replay) for info in recorder.of("operation_start")]
    assert [("a", False), ("b", False), ("b", True)] == starts
    ends = [(info.name, info.status) for info in recorder.of("operation_end")]
    assert [("a", "SUCCEEDED"), ("b", "FAILED")] == ends


def test_attempt_hooks_count_attempts():
    """Each attempt is told, with its outcome and error."""
    recorder = Recorder()
    serve(failing_once, recorder)
    ends = recorder.of("attempt_end")
    assert [("a", 1, "SUCCEEDED"), ("b", 1, "FAILED"), ("b", 2, "FAILED")] == [
        (info.operation.name, info.attempt, info.outcome) for info in ends
    ]
    assert [None, "no", "no"] == [info.error and info.error.message for info in ends]


def test_attempt_of_an_async_step_is_told_too():
    """The hooks run around the coroutine."""
    recorder = Recorder()

    async def greet():
        return "hello"

    def flow(event, ctx):
        return (yield ctx.step("greet", greet))

    assert '"hello"' == serve(flow, recorder)["Result"]
    assert ["attempt_start", "attempt_end"] == [
        hook for hook, _ in recorder.heard if hook.startswith("attempt")
    ]


def test_flow_of_a_context_is_told_in_each_invocation_that_runs_it():
    """It says whether the log holds operations of the context already."""
    recorder = Recorder()

    def part(ctx):
        yield ctx.wait("nap", 2)
        return "part"

    def flow(event, ctx):
        return (yield ctx.child("part", part))

    serve(flow, recorder)
    starts = recorder.of("function_start")
    assert [("part", False), ("part", True)] == [
        (info.operation.name, info.is_replaying_children) for info in starts
    ]
    (end,) = recorder.of("function_end")
    assert "SUCCEEDED" == end.outcome


def test_change_is_a_part_of_all_operations():
    """What changed is among what the log holds."""
    recorder = Recorder()
    serve(failing_once, recorder)
    for change in recorder.of("operation_change"):
        assert change.updated.items() <= change.operations.items()


def test_checkpoint_is_told_of_before_it_is_sent():
    """What is about to be recorded is told as it will be; it is told again once it is acknowledged."""
    recorder = Recorder()
    serve(failing_once, recorder)
    sent, changed = recorder.of("checkpoint"), recorder.of("operation_change")
    told = [[(info.name, info.status) for info in change.updated.values()] for change in (*sent,)]
    assert [[("a", "SUCCEEDED")], [("b", "PENDING")], [("b", "FAILED")]] == told
    assert [list(change.updated) for change in changed] == [list(one.updated) for one in sent]
    assert [None, None, None] == [one.ended for change in sent for one in change.updated.values()]


def test_header_that_a_plugin_gives_goes_with_an_invoke():
    """The first plugin that has a trace header is heard; what is no text is not."""

    class Heading:
        def __init__(self, header):
            self.header = header

        def on_invoke(self, info):
            return self.header and f"{self.header} {info.name} {info.type} {info.sub_type}"

    class Odd:
        def on_invoke(self, info):
            return 7

    def flow(event, ctx):
        yield ctx.invoke("pay", "payments:1", 20)

    stub = Stub()
    plugins = [Recorder(), Odd(), Heading(None), Heading("Root=1"), Heading("Root=2")]
    durable(backend=stub, plugins=plugins)(flow)(event())
    (update,) = stub.updates
    assert {
        "FunctionName": "payments:1",
        "XAmznTraceId": "Root=1 pay CHAINED_INVOKE ChainedInvoke",
    } == update["ChainedInvokeOptions"]


def test_invocation_start_has_lambdas_trace_header(monkeypatch):
    """It is the environment's, where Lambda puts it."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-2-3")
    recorder = Recorder()
    durable(backend=Stub(), plugins=[recorder])(stepping)(event())
    assert "Root=1-2-3" == recorder.of("invocation_start")[0].trace_header


def test_plugin_that_raises_disturbs_neither_the_workflow_nor_another():
    """Every hook may raise."""

    class Faulty:
        def __getattr__(self, name):
            def hook(info):
                raise RuntimeError(name)

            return hook

    logging.getLogger("durable_gen.plugins").setLevel(logging.CRITICAL)
    recorder = Recorder()
    handler = durable(backend=Stub(), plugins=[Faulty(), recorder])(stepping)
    assert "hello" == result(handler(event()))
    assert "SUCCEEDED" == recorder.of("invocation_end")[0].status


def test_plugin_with_few_hooks_is_called_for_those():
    """A plugin has the hooks that it wants."""

    class Ends:
        heard = ()

        def on_invocation_end(self, info):
            self.heard = (*self.heard, info.status)

    plugin = Ends()
    durable(backend=Stub(), plugins=[plugin])(stepping)(event())
    assert ("SUCCEEDED",) == plugin.heard


def test_failure_is_told_with_the_end_of_its_invocation():
    """The end has the workflow's error."""
    recorder = Recorder()

    def flow(event, ctx):
        raise ValueError("no")

    durable(backend=Stub(), plugins=[recorder])(flow)(event())
    (end,) = recorder.of("invocation_end")
    assert ("FAILED", "ValueError", "no") == (end.status, end.error.type, end.error.message)


def test_what_plugins_are_told_is_frozen():
    """No plugin can change what another is told."""
    recorder = Recorder()
    serve(stepping, recorder)
    for _, info in recorder.heard:
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            info.status = "x"


def test_attempt_of_a_function_that_makes_a_coroutine_is_told_when_that_has_ended():
    """Its outcome is that of the coroutine."""
    recorder = Recorder()

    def call(fn):
        return fn()

    async def decline():
        raise ValueError("no")

    def flow(event, ctx):
        yield ctx.step("charge", partial(call, decline), retry=None)

    assert "FAILED" == serve(flow, recorder)["Status"]
    (end,) = recorder.of("attempt_end")
    assert ("FAILED", "no") == (end.outcome, end.error.message)


def test_plugin_whose_hook_cannot_be_looked_up_disturbs_nothing():
    """The look-up of a hook is the plugin's too."""

    class Broken:
        @property
        def on_invocation_start(self):
            raise RuntimeError("no")

    logging.getLogger("durable_gen.plugins").setLevel(logging.CRITICAL)
    handler = durable(backend=Stub(), plugins=[Broken()])(stepping)
    assert "hello" == result(handler(event()))


def test_change_that_ends_an_operation_is_told_once_though_checkpoints_split():
    """Nothing is told before it is acknowledged, and no end twice."""
    recorder = Recorder()

    def stepped(child):
        yield child.step("s", int)

    def flow(event, ctx):
        with ctx.batch():
            for n in range(200):
                yield ctx.child(f"c{n}", stepped)

    assert "SUCCEEDED" == serve(flow, recorder)["Status"]
    ended = [
        id_
        for change in recorder.of("operation_change")
        for id_, info in change.updated.items()
        if info.status == "SUCCEEDED"
    ]
    assert 400 == len(ended) == len(set(ended)) == len(recorder.of("operation_end"))
