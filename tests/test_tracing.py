"""Traces: one span for each operation however often it is replayed, joined up across invocations."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import NoOpTracerProvider, SpanContext, SpanKind, TraceFlags

from children import id_of
from durable_gen import Retry, UsageError, current_step, durable
from durable_gen._model import instant
from durable_gen.otel import Tracing
from durable_gen.otel._ids import from_header, span_id, to_header, trace_id
from stub import ARN, STARTED, Stub, event
from tracing import Traced


class Lambda:
    """Lambda's context, as far as time goes."""

    def __init__(self, seconds):
        self.seconds = seconds

    def get_remaining_time_in_millis(self):
        return self.seconds * 1000


SOON = Retry(max_attempts=2, initial=1, jitter="none")
SAMPLED = "Root=1-6746e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


@pytest.fixture(name="traced")
def _traced():
    return Traced()


def flaky():
    if current_step().attempt < 2:
        raise LookupError("not yet")


# --- one trace --------------------------------------------------------------------------------------


def test_every_operation_has_one_span_in_one_tree(traced):
    """Steps that are retried, waits, callbacks, maps and invokes: each once, under what it is in."""

    def fetch():
        with traced.tracer.start_as_current_span("http"):
            pass

    def item(ctx, n):
        yield ctx.step("weigh", fetch)
        yield ctx.wait("cool", 1)

    def orders(event, ctx):
        yield ctx.step("price", fetch)
        yield ctx.step("charge", flaky, retry=SOON)
        yield ctx.wait("nap", 2)
        yield ctx.wait_for_callback("approval", lambda id_: None)
        yield ctx.map("pack", [1, 2], item)
        yield ctx.invoke("ship", "shipping:$LATEST")

    def shipping(event, ctx):
        yield ctx.wait("truck", 1)

    traced.run([Tracing(traced.provider)], orders=orders, shipping=shipping)
    item_lines = [
        "      step weigh",
        "        step weigh attempt",
        "          http",
        "      wait cool",
    ]
    assert [
        "orders",
        "  invoke ship",
        "    shipping invocation",
        "    shipping invocation",
        "  map pack",
        "    item map-item-0",
        *item_lines,
        "    item map-item-1",
        *item_lines,
        "  step charge",
        "    step charge attempt ! LookupError",
        "    step charge attempt",
        "  step price",
        "    step price attempt",
        "      http",
        "  wait nap",
        "  wait_for_callback approval",
        "    callback approval",
        "    step approval submit",
        "      step approval submit attempt",
    ] == traced.tree("orders")
    assert ["shipping", "  wait truck"] == traced.tree("shipping")
    assert len(traced.all("orders invocation")) > 5


def test_ids_are_derived_from_the_execution():
    """The same ARN and start give the same ids; the trace's begins with the time, as X-Ray has it."""
    traced = Traced()
    durable(backend=Stub(), plugins=[Tracing(traced.provider)])(one_step)(event())
    root, step, attempt = (
        traced.named(name) for name in ("orders", "step charge", "step charge attempt")
    )
    assert 1_700_000_000 == root.context.trace_id >> 96
    (number,) = {span.context.trace_id for span in (root, step, attempt)}
    assert root.start_time == 1_700_000_000 * 10**9
    assert trace_id(ARN, instant(STARTED)) == number
    assert [span_id(ARN), span_id(ARN, id_of(1)), span_id(ARN, id_of(1), 1)] == [
        span.context.span_id for span in (root, step, attempt)
    ]


def one_step(event, ctx):
    yield ctx.step("charge", int)


def test_spans_say_what_they_are_of(traced):
    """Attributes have AWS's names, and OpenTelemetry's own where there are some."""
    durable(backend=Stub(), plugins=[Tracing(traced.provider)])(one_step)(event())
    execution = {
        "durable.execution.arn": ARN,
        "durable.execution.name": "order-7",
        "cloud.resource_id": ARN.partition("/")[0],
    }
    operation = {
        "durable.execution.arn": ARN,
        "durable.operation.id": id_of(1),
        "durable.operation.name": "charge",
        "durable.operation.type": "STEP",
        "durable.operation.subtype": "Step",
    }
    assert {**execution, "durable.execution.status": "SUCCEEDED"} == traced.named(
        "orders"
    ).attributes
    assert {**operation, "durable.operation.status": "SUCCEEDED"} == traced.named(
        "step charge"
    ).attributes
    assert {
        **operation,
        "durable.attempt.number": 1,
        "durable.attempt.outcome": "SUCCEEDED",
    } == traced.named("step charge attempt").attributes
    assert {
        **execution,
        "durable.invocation.first": True,
        "durable.invocation.status": "SUCCEEDED",
    } == traced.named("orders invocation").attributes


def test_operation_spans_the_attempts_that_it_made(traced):
    """A step is recorded after its attempt ran; its span begins no later, and ends no earlier."""
    durable(backend=Stub(), plugins=[Tracing(traced.provider)])(one_step)(event())
    step, attempt = traced.named("step charge"), traced.named("step charge attempt")
    assert step.start_time <= attempt.start_time <= attempt.end_time <= step.end_time


def test_links_say_which_invocation_began_and_ended_an_operation(traced):
    """An invocation is no parent: it is linked, from the operation or from itself."""

    def flow(event, ctx):
        yield ctx.step("charge", int)
        yield ctx.wait("nap", 2)

    traced.run([Tracing(traced.provider)], orders=flow)
    first, last = traced.all("orders invocation")
    assert [("orders", "execution"), ("wait nap", "began")] == traced.linked(first)
    assert [("orders", "execution")] == traced.linked(last)
    (began,) = traced.named("step charge").links
    assert (first.context.span_id, ("began", "ended")) == (
        began.context.span_id,
        began.attributes["durable.link"],
    )
    (ended,) = traced.named("wait nap").links
    assert (last.context.span_id, ("ended",)) == (
        ended.context.span_id,
        ended.attributes["durable.link"],
    )
    assert [("orders invocation", "ran")] == traced.linked(traced.named("step charge attempt"))
    assert [("orders invocation", "ended")] == traced.linked(traced.named("orders"))
    assert first.context.trace_id != last.context.trace_id


# --- attempts ---------------------------------------------------------------------------------------


def test_attempt_that_failed_has_its_exception(traced):
    """Number, outcome, error and status; the operation, which succeeded in the end, has none."""

    def flow(event, ctx):
        yield ctx.step("charge", flaky, retry=SOON)

    traced.run([Tracing(traced.provider)], orders=flow)
    first, second = traced.all("step charge attempt")
    assert [(1, "FAILED"), (2, "SUCCEEDED")] == [
        (span.attributes["durable.attempt.number"], span.attributes["durable.attempt.outcome"])
        for span in (first, second)
    ]
    (exception,) = first.events
    assert ("exception", "LookupError", "not yet") == (
        exception.name,
        exception.attributes["exception.type"],
        exception.attributes["exception.message"],
    )
    assert "in flaky" in exception.attributes["exception.stacktrace"]
    assert (False, "not yet") == (first.status.is_ok, first.status.description)
    assert (True, True, ()) == (
        second.status.is_unset,
        traced.named("step charge").status.is_unset,
        second.events,
    )


def of_a_coroutine(fn):
    """Call an async function by one that does not look like it."""
    return lambda: fn()  # noqa: PLW0108 - it hides what it calls


def spanning(traced):
    def plain():
        with traced.tracer.start_as_current_span("http"):
            pass

    async def asynchronous():
        await asyncio.sleep(0)
        with traced.tracer.start_as_current_span("http"):
            await asyncio.sleep(0)

    return {
        "inline": {"fn": plain},
        "in a thread": {"fn": plain, "timeout": 60},
        "on the event loop": {"fn": asynchronous},
        "by a function that makes a coroutine": {"fn": of_a_coroutine(asynchronous)},
        "by one that makes it in a thread": {"fn": of_a_coroutine(asynchronous), "timeout": 60},
    }


@pytest.mark.parametrize("way", list(spanning(None)))
def test_span_of_the_users_in_a_step_is_below_its_attempt(traced, way):
    """However a step runs, its attempt's span is the current one in it, and nowhere else afterwards."""
    options = spanning(traced)[way]

    def flow(event, ctx):
        yield ctx.step("charge", options.pop("fn"), **options)

    durable(backend=Stub(), plugins=[Tracing(traced.provider)])(flow)(event())
    assert [
        "step charge",
        "  step charge attempt",
        "    http",
    ] == traced.tree("step charge")
    assert trace.INVALID_SPAN is trace.get_current_span()


def test_spans_of_steps_that_run_at_once_are_each_below_their_own(traced):
    """Threads have each their step's span as the current one."""
    met = threading.Barrier(2, timeout=20)

    def meet(name):
        met.wait()
        with traced.tracer.start_as_current_span(f"http {name}"):
            met.wait()

    def item(ctx, name):
        yield ctx.step(name, meet, name)

    def flow(event, ctx):
        yield ctx.map("all", ["a", "b"], item)

    durable(backend=Stub(), plugins=[Tracing(traced.provider)])(flow)(event())
    for name in "ab":
        assert [f"step {name} attempt", f"  http {name}"] == traced.tree(f"step {name} attempt")


def test_attempt_that_took_too_long_has_failed(traced):
    """A thread that is given up says nothing more; the attempt's span ends with the record."""
    gate = threading.Event()

    def slow():
        with traced.tracer.start_as_current_span("http"):
            gate.wait(60)

    def flow(event, ctx):
        yield ctx.step("charge", slow, timeout=0.01, retry=None)

    durable(backend=Stub(), plugins=[Tracing(traced.provider)])(flow)(event())
    gate.set()
    attempt = traced.named("step charge attempt")
    assert ("FAILED", "StepTimedOut") == (
        attempt.attributes["durable.attempt.outcome"],
        attempt.attributes["error.type"],
    )


def test_what_is_open_at_the_end_has_a_span_as_far_as_it_is(traced):
    """The loser of a race is in the trace, for what it did is: as it stood when the execution ended."""

    async def slow():
        with traced.tracer.start_as_current_span("http"):
            await asyncio.sleep(60)

    async def fast():
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def flow(event, ctx):
        yield ctx.race(ctx.step("slow", slow), ctx.step("fast", fast))

    traced.run([Tracing(traced.provider)], orders=flow)
    attempt = traced.named("step slow attempt")
    assert "ABANDONED" == attempt.attributes["durable.attempt.outcome"]
    assert "STARTED" == traced.named("step slow").attributes["durable.operation.status"]
    ids = {span.context.span_id for span in traced.spans}
    assert set() == {span.parent.span_id for span in traced.spans if span.parent} - ids


# --- invocations ------------------------------------------------------------------------------------


def invocation_of(traced, header, monkeypatch):
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    durable(backend=Stub(), plugins=[Tracing(traced.provider)])(one_step)(event())
    return traced.named("orders invocation")


def test_invocation_is_in_the_trace_that_lambda_gave_it(traced, monkeypatch):
    """X-Ray's header names its parent; the execution's own trace is linked to it."""
    span = invocation_of(traced, SAMPLED, monkeypatch)
    assert from_header(SAMPLED) == span.parent
    assert SpanKind.SERVER is span.kind
    assert (0x53995C3F42CD8AD8, ("caller",)) == (
        traced.named("orders").links[-1].context.span_id,
        traced.named("orders").links[-1].attributes["durable.link"],
    )


@pytest.mark.parametrize("header", [SAMPLED.replace("Sampled=1", "Sampled=0"), "Root=1-2-3", ""])
def test_invocation_has_a_trace_of_its_own_where_lambdas_is_not_sampled(
    traced, monkeypatch, header
):
    """What X-Ray does not keep is no parent: the span would not be kept either."""
    assert invocation_of(traced, header, monkeypatch).parent is None


def test_invocation_is_below_the_current_span(traced, monkeypatch):
    """Where an instrumentation of Lambda has made a span, the invocation is a part of that."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", SAMPLED)
    with traced.tracer.start_as_current_span("lambda") as outer:
        durable(backend=Stub(), plugins=[Tracing(traced.provider)])(one_step)(event())
        assert outer is trace.get_current_span()
    span = traced.named("orders invocation")
    assert (outer.get_span_context(), SpanKind.INTERNAL) == (span.parent, span.kind)


def test_span_of_the_users_in_a_flow_is_below_the_invocation(traced):
    """A flow's own code belongs to the invocation that runs it."""

    def flow(event, ctx):
        with traced.tracer.start_as_current_span("compute"):
            pass
        yield ctx.step("charge", int)

    durable(backend=Stub(), plugins=[Tracing(traced.provider)])(flow)(event())
    assert ["orders invocation", "  compute"] == traced.tree("orders invocation")


def test_failed_workflow_has_its_error(traced):
    """The execution's span, and its last invocation's, say what it failed with."""

    def flow(event, ctx):
        yield ctx.step("charge", int)
        raise LookupError("no")

    traced.run([Tracing(traced.provider)], orders=flow)
    assert [("LookupError", "no")] * 2 == [
        (span.attributes["error.type"], span.status.description)
        for span in (traced.named("orders"), traced.named("orders invocation"))
    ]


def test_invocation_that_raises_ends_nothing_but_itself(traced):
    """Lambda will invoke again: the execution has no span yet."""

    class Down(Stub):
        def checkpoint_durable_execution(self, **request):
            raise ConnectionError("down")

    handler = durable(backend=Down(), plugins=[Tracing(traced.provider)])(one_step)
    with pytest.raises(ConnectionError):
        handler(event(), Lambda(0))
    assert "RAISED" == traced.named("orders invocation").attributes["durable.invocation.status"]
    assert [] == traced.all("orders")


def test_execution_inside_a_step_is_below_its_attempt(traced):
    """A handler that is called in a step has an invocation below that step, and its own trace."""
    plugins = [Tracing(traced.provider)]
    inner = durable(backend=Stub(), plugins=plugins)(one_step)

    def flow(_, ctx):
        yield ctx.step("run", inner, event())
        yield ctx.step("after", int)

    traced.run(plugins, outer=flow)
    assert [
        "step run",
        "  step run attempt",
        "    orders invocation",
    ] == traced.tree("step run")
    assert [
        "orders",
        "  step charge",
        "    step charge attempt",
    ] == traced.tree("orders")
    assert traced.named("step after") in traced.below(traced.named("outer"))


# --- propagation ------------------------------------------------------------------------------------


def test_invoke_carries_its_span_to_the_function(traced):
    """A durable function that is invoked runs below the invoke's span, and its execution links to it."""

    def outer(event, ctx):
        yield ctx.invoke("pay", "inner:$LATEST")

    traced.run([Tracing(traced.provider)], outer=outer, inner=one_step)
    invoke = traced.named("invoke pay")
    assert SpanKind.CLIENT is invoke.kind
    assert ["invoke pay", "  inner invocation"] == traced.tree("invoke pay")
    assert ("invoke pay", "caller") in traced.linked(traced.named("inner"))
    assert traced.named("inner").context.trace_id != invoke.context.trace_id


@pytest.mark.parametrize("flags", [TraceFlags.SAMPLED, TraceFlags.DEFAULT])
def test_header_then_it_reads_back(flags):
    """X-Ray's header holds all that a span's context does."""
    context = SpanContext(0x6746E988 << 96 | 7, 9, is_remote=True, trace_flags=TraceFlags(flags))
    assert context == from_header(to_header(context))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Root=1-6746e988-bd862e3fe1be46a994272793",
        "Root=1-00000000-000000000000000000000000;Parent=53995c3f42cd8ad8;Sampled=1",
        "Root=1-6746e988-bd862e3fe1be46a994272793;Parent=0000000000000000;Sampled=1",
        "Root=2-6746e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
    ],
)
def test_header_without_a_parent_then_none(header):
    """What names no span is no parent."""
    assert from_header(header) is None


def test_header_with_lambdas_lineage_then_its_parent():
    """Lambda adds members of its own."""
    assert from_header(SAMPLED) == from_header(f"{SAMPLED};Lineage=1:fc3b4ff1:0")


# --- sampling, providers, export --------------------------------------------------------------------


def test_execution_that_is_not_sampled_exports_nothing():
    """The sampler decides by the trace, so in each invocation alike; what is invoked is told."""
    traced, told = Traced(sampler=ParentBased(ALWAYS_OFF)), []

    class Hearing:
        def on_invocation_start(self, info):
            told.append(info.trace_header)

    def outer(event, ctx):
        yield ctx.wait("nap", 1)
        yield ctx.invoke("pay", "inner:$LATEST")

    plugins = [Tracing(traced.provider), Hearing()]
    traced.run(plugins, outer=outer, inner=one_step)
    assert [] == traced.spans
    assert "Sampled=0" == next(header for header in told if header).rpartition(";")[2]


def test_provider_that_is_not_the_sdks_is_refused():
    """Ids can only be derived with the SDK's; a mistake is said where it is made."""
    with pytest.raises(UsageError) as error:
        Tracing(NoOpTracerProvider())
    assert str(error.value).startswith(
        "Tracing(tracer_provider) must be a TracerProvider of opentelemetry.sdk.trace, or None for the "
        "global one, not <opentelemetry.trace.NoOpTracerProvider object at"
    )


def test_no_provider_then_said_once_and_nothing_disturbed(caplog):
    """Where nobody set a tracer provider the workflow runs, and a warning says what to do."""
    handler = durable(plugins=[Tracing()])(one_step)
    for _ in range(2):
        assert "SUCCEEDED" == handler.using(Stub())(event())["Status"]
    (record,) = [one for one in caplog.records if one.name == "durable_gen.otel"]
    assert (
        "no workflow is traced: the tracer provider is ProxyTracerProvider, not the OpenTelemetry "
        "SDK's. Set one before the first invocation, or give it: Tracing(TracerProvider(...))"
    ) == record.getMessage()


def test_sdk_that_is_switched_off_then_silence(monkeypatch, caplog):
    """OTEL_SDK_DISABLED is meant: nothing is traced, and nothing said."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    traced = Traced()
    durable(backend=Stub(), plugins=[Tracing(traced.provider)])(one_step)(event())
    told = [one for one in caplog.records if one.name.startswith("durable_gen")]
    assert ([], []) == (traced.spans, told)


def test_batches_are_exported_before_the_invocation_returns():
    """Lambda freezes the process then."""
    traced, kept = Traced(), []

    class Keeping(SpanExporter):
        def export(self, spans):
            kept.extend(span.name for span in spans)
            return SpanExportResult.SUCCESS

    traced.provider.add_span_processor(BatchSpanProcessor(Keeping(), schedule_delay_millis=600_000))
    durable(backend=Stub(), plugins=[Tracing(traced.provider)])(one_step)(event())
    assert sorted(kept) == ["orders", "orders invocation", "step charge", "step charge attempt"]
    traced.provider.shutdown()


def test_exporter_that_hangs_holds_an_invocation_up_for_a_while_only(caplog):
    """The end of an invocation waits for the export as long as it was told to, and says so."""
    traced, gate = Traced(), threading.Event()

    class Hanging(SpanExporter):
        def export(self, spans):
            gate.wait(60)
            return SpanExportResult.SUCCESS

    traced.provider.add_span_processor(BatchSpanProcessor(Hanging()))
    plugins = [Tracing(traced.provider, flush_timeout=0.05)]
    envelope = durable(backend=Stub(), plugins=plugins)(one_step)(event())
    assert ("SUCCEEDED", False) == (envelope["Status"], gate.is_set())
    assert ["TracerProvider was not flushed within 0.05 s"] == [
        one.getMessage() for one in caplog.records if one.name == "durable_gen.otel"
    ]
    gate.set()
    traced.provider.shutdown()


def test_exporter_that_hangs_near_the_functions_end_is_left_behind(caplog):
    """It gets a quarter of the time that Lambda leaves, whatever it may take otherwise."""
    gate = threading.Event()

    class Hanging(TracerProvider):
        def force_flush(self, *_):
            gate.wait(60)

    plugins = [Tracing(Hanging(shutdown_on_exit=False), flush_timeout=3600)]
    durable(backend=Stub(), plugins=plugins)(one_step)(event(), Lambda(0.04))
    assert ["Hanging was not flushed within 0.01 s"] == [
        one.getMessage() for one in caplog.records if one.name == "durable_gen.otel"
    ]
    gate.set()


def test_exporter_that_fails_disturbs_nothing(caplog):
    """Whatever a provider raises when it is flushed is logged."""
    traced = Traced()

    class Failing(TracerProvider):
        def force_flush(self, *_):
            raise OSError("no route")

    plugins = [Tracing(Failing(shutdown_on_exit=False)), Tracing(traced.provider)]
    assert "SUCCEEDED" == durable(backend=Stub(), plugins=plugins)(one_step)(event())["Status"]
    assert ["Failing could not be flushed"] == [
        one.getMessage() for one in caplog.records if one.name == "durable_gen.otel"
    ]
    assert 4 == len(traced.spans)


def test_library_alone_then_opentelemetry_is_not_loaded():
    """A cold start pays for it only where it is used."""
    code = """
        import sys
        import durable_gen, durable_gen.logging
        print([name for name in sys.modules if name.startswith("opentelemetry")])
    """
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=True, capture_output=True, text=True
    )
    assert "[]" == answer.stdout.strip()
