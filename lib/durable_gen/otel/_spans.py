"""The spans of one invocation: what they are named, what they say, how they hang together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import define, field
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import Tracer
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags

from durable_gen._log import noun
from durable_gen._model import TERMINAL, ErrorObject, Status, Type
from durable_gen.otel._ids import DerivedIds, from_header, span_id
from durable_gen.plugins import InvocationEnd, InvocationStart, OperationInfo

EPOCH = datetime.fromtimestamp(0, UTC)


@define(eq=False)
class Invocation:
    """What is known of an invocation while it runs.

    Attributes:
        start: what was told of its beginning.
        tracer: makes its spans.
        trace: the id of the execution's trace.
        flags: whether that is sampled.
        span: the invocation's own.
        over: operations that had ended when it began.
        began: when it came to an operation for the first time, in nanoseconds.
        ended: operations whose span is exported.
        attempts: the spans of attempts that run.
        ran: when the first attempt of an operation began in it and the last one ended, in nanoseconds.
        latest: when the last operation ended, in nanoseconds.
    """

    start: InvocationStart
    tracer: Tracer
    trace: int
    flags: TraceFlags
    span: Span
    over: frozenset[str]
    began: dict[str, int] = field(factory=dict)
    ended: set[str] = field(factory=set)
    attempts: dict[tuple[str, int], Span] = field(factory=dict)
    ran: dict[str, tuple[int, int]] = field(factory=dict)
    latest: int = 0

    @property
    def arn(self) -> str:
        """The execution's ARN."""
        return self.start.execution_arn

    def context_of(self, operation: str | None) -> SpanContext:
        """Name the span of an operation, or of the execution; another invocation may export it."""
        id_ = span_id(self.arn, operation or "")
        return SpanContext(self.trace, id_, is_remote=True, trace_flags=self.flags)

    def make(
        self, name: str, id_: int, parent: SpanContext | None, start: int, **more: Any
    ) -> Span:
        """Begin a span of the execution's trace."""
        context = otel_context.Context()
        if parent is not None:
            context = trace.set_span_in_context(NonRecordingSpan(parent), context)
        with DerivedIds.wanted(self.trace, id_):
            return self.tracer.start_span(name, context, start_time=start, **more)

    def link(self, *words: str) -> Sequence[Link]:
        """Link to this invocation."""
        context = self.span.get_span_context()
        return (Link(context, {"durable.link": words}),) if context.is_valid else ()

    def end_operation(self, info: OperationInfo) -> None:
        """Export the span of an operation, unless this invocation has."""
        if info.id in self.ended:
            return
        self.ended.add(info.id)
        now = time.time_ns()
        began = self.began.get(info.id, now)
        first, last = self.ran.get(info.id, (began, 0))
        started = now if info.started is None else ns(info.started)
        # A step's start is recorded with its end, so its attempt may have begun before.
        start = min(started, began, first)
        end = max(start, last, now if info.ended is None else ns(info.ended))
        self.latest = max(self.latest, end)
        words = ("began", "ended") if info.id in self.began else ("ended",)
        span = self.make(
            title(info),
            span_id(self.arn, info.id),
            self.context_of(info.parent_id),
            start,
            kind=SpanKind.CLIENT if info.type == Type.CHAINED_INVOKE else SpanKind.INTERNAL,
            links=self.link(*words),
            attributes={**of_operation(info), "durable.operation.status": info.status or ""},
        )
        if info.status in TERMINAL and info.status != Status.SUCCEEDED:
            failed(span, info.error or ErrorObject(info.status), end)
        span.end(end)

    def end_attempt(
        self, key: tuple[str, int], end: int, outcome: str, error: ErrorObject | None
    ) -> None:
        """End the span of an attempt, unless it was given up before."""
        span = self.attempts.pop(key, None)
        if span is None:
            return
        first, last = self.ran[key[0]]
        self.ran[key[0]] = (first, max(last, end))
        span.set_attribute("durable.attempt.outcome", outcome)
        if error is not None:
            failed(span, error, end)
        span.end(end)

    def end_execution(self, info: InvocationEnd, now: int) -> None:
        """Export the span of the execution."""
        arn = self.arn
        links = self.link("ended")
        caller = from_header(self.start.trace_header)
        if caller is not None:
            links = (*links, Link(caller, {"durable.link": ("caller",)}))
        span = self.make(
            function(arn),
            span_id(arn),
            None,
            ns(info.started),
            kind=SpanKind.SERVER,
            links=links,
            attributes={**of_execution(arn), "durable.execution.status": info.status},
        )
        if info.error is not None:
            failed(span, info.error, now)
        span.end(max(now, self.latest, ns(info.started)))


def begun(tracer: Tracer, info: InvocationStart, root: SpanContext) -> Span:
    """Begin an invocation's span, in Lambda's trace if that is known and sampled."""
    header = from_header(info.trace_header)
    context, kind = None, SpanKind.INTERNAL
    if not trace.get_current_span().get_span_context().is_valid:
        kind = SpanKind.SERVER
        if header is not None and header.trace_flags.sampled:
            context = trace.set_span_in_context(NonRecordingSpan(header))
    attributes: dict[str, Any] = {
        **of_execution(info.execution_arn),
        "durable.invocation.first": info.is_first,
    }
    if info.request_id is not None:
        attributes["faas.invocation_id"] = info.request_id
    return tracer.start_span(
        f"{function(info.execution_arn)} invocation",
        context,
        kind,
        attributes=attributes,
        links=(Link(root, {"durable.link": ("execution",)}),),
    )


def failed(span: Span, error: ErrorObject, at: int) -> None:
    """Say in a span what its subject failed with."""
    kind = error.type or "Error"
    event = {"exception.type": kind, "exception.message": error.message or ""}
    if error.stack_trace:
        event["exception.stacktrace"] = "".join(error.stack_trace)
    span.add_event("exception", event, at)
    span.set_attribute("error.type", kind)
    span.set_status(trace.Status(trace.StatusCode.ERROR, error.message))


def is_over(info: OperationInfo) -> bool:
    """Tell whether an operation has ended."""
    return info.status in TERMINAL


def title(info: OperationInfo) -> str:
    """Name the span of an operation: `step charge`."""
    word = noun(info.type, info.sub_type)
    return f"{word} {info.name}" if info.name else word


def function(arn: str) -> str:
    """Name the function of an execution, without its qualifier."""
    found = arn.partition("/")[0].rpartition(":function:")[2]
    return found.partition(":")[0] or "execution"


def of_execution(arn: str) -> dict[str, str]:
    """List the attributes that name an execution."""
    function, _, run = arn.partition("/durable-execution/")
    name = run.rpartition("/")[0]
    found = {"durable.execution.arn": arn, "cloud.resource_id": function}
    return {**found, "durable.execution.name": name} if name else found


def of_operation(info: OperationInfo) -> dict[str, Any]:
    """List the attributes that name an operation."""
    found = {
        "durable.execution.arn": info.execution_arn,
        "durable.operation.id": info.id,
        "durable.operation.name": info.name,
        "durable.operation.type": info.type,
        "durable.operation.subtype": info.sub_type,
    }
    return {name: value for name, value in found.items() if value is not None}


def ns(time_: datetime) -> int:
    """Give an instant in nanoseconds since the epoch."""
    return (time_ - EPOCH) // timedelta(microseconds=1) * 1000
