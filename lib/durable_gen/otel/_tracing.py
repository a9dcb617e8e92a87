"""Spans of executions, invocations, operations and attempts that join up across invocations.

Theory of operation. An execution has one trace, and each span in it ids that are derived, so that a span can
be the parent of others long before it ends. A span of an operation is exported once: before its end is
recorded, so that an end that is recorded has its span wherever the invocation dies, or where it came from outside,
when it is first seen. That of an attempt is exported when it ends; that of the execution by its last
invocation, after what is still open then. An invocation is no parent of these: it has a span in the trace
that Lambda gave it, and links say what began and ended in it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import SpanContext, TraceFlags

from durable_gen import _check
from durable_gen._model import Type
from durable_gen._version import VERSION
from durable_gen.otel._flush import FLUSH, flush
from durable_gen.otel._ids import DerivedIds, span_id, to_header, trace_id
from durable_gen.otel._spans import (
    EPOCH,
    Invocation,
    begun,
    failed,
    function,
    is_over,
    ns,
    of_operation,
    title,
)
from durable_gen.plugins import (
    AttemptInfo,
    InvocationEnd,
    InvocationStart,
    OperationChange,
    OperationInfo,
)

LOGGER = logging.getLogger("durable_gen.otel")
FROM_OUTSIDE = frozenset({Type.WAIT, Type.CALLBACK, Type.CHAINED_INVOKE})


class Tracing:
    """Traces workflows: a plugin for `@durable(plugins=[Tracing()])`.

    Args:
        tracer_provider: the OpenTelemetry SDK's; by default the global one.
        flush_timeout: seconds that the end of an invocation may wait for the export.

    Raises:
        UsageError: the tracer provider is not the SDK's, which alone lets spans have derived ids.
    """

    def __init__(
        self, tracer_provider: TracerProvider | None = None, *, flush_timeout: float = FLUSH
    ) -> None:
        if tracer_provider is not None:
            expected = "a TracerProvider of opentelemetry.sdk.trace, or None for the global one"
            _check.one_of("Tracing(tracer_provider)", tracer_provider, TracerProvider, expected)
        self._given = tracer_provider
        self._flush_timeout = flush_timeout
        self._warned = False
        self._running: ContextVar[Invocation | None] = ContextVar("durable_gen_otel", default=None)

    @property
    def _provider(self) -> Any:
        return self._given or trace.get_tracer_provider()

    # --- invocations ---------------------------------------------------------------------------

    def on_invocation_start(self, info: InvocationStart) -> None:
        """Begin the invocation's span, and end those of operations that ended before it."""
        tracer = self._provider.get_tracer("durable_gen", VERSION)
        if not isinstance(tracer, Tracer):
            self._running.set(None)
            self._refuse()
            return
        if not isinstance(tracer.id_generator, DerivedIds):
            tracer.id_generator = DerivedIds(tracer.id_generator)
        arn, over = info.execution_arn, [one for one in info.operations.values() if is_over(one)]
        number = trace_id(arn, info.started)
        chosen = tracer.sampler.should_sample(None, number, function(arn))
        flags = TraceFlags(int(chosen.decision is Decision.RECORD_AND_SAMPLE))
        root = SpanContext(number, span_id(arn), is_remote=True, trace_flags=flags)
        span = begun(tracer, info, root)
        # Both contexts go with the invocation's own context variables.
        otel_context.attach(trace.set_span_in_context(span))
        ids = frozenset(one.id for one in over)
        running = Invocation(info, tracer, number, flags, span, ids)
        self._running.set(running)
        for one in _unheard(info, over):
            running.end_operation(one)

    def _refuse(self) -> None:
        off = isinstance(self._provider, TracerProvider)  # by the environment's OTEL_SDK_DISABLED
        if not self._warned and not off:
            self._warned = True
            LOGGER.warning(
                "no workflow is traced: the tracer provider is %s, not the OpenTelemetry SDK's. Set one "
                "before the first invocation, or give it: Tracing(TracerProvider(...))",
                type(self._provider).__name__,
            )

    def on_invocation_end(self, info: InvocationEnd) -> None:
        """End the invocation's span, and the execution's if that has ended; then export."""
        running = self._running.get()
        if running is None:
            return
        now = time.time_ns()
        for key in list(running.attempts):
            running.end_attempt(key, now, "ABANDONED", None)
        if info.status in ("SUCCEEDED", "FAILED"):
            for id_ in info.operations:
                if id_ not in running.over and id_ not in running.ended:  # nobody waits for it
                    running.end_operation(info.operations[id_])
            running.end_execution(info, now)
        span = running.span
        for id_ in running.began.keys() - running.ended:
            span.add_link(running.context_of(id_), {"durable.link": ("began",)})
        span.set_attribute("durable.invocation.status", info.status or "RAISED")
        if info.error is not None and info.status != "SUCCEEDED":
            failed(span, info.error, now)
        span.end(now)
        flush(self._provider, self._flush_timeout, info.seconds_left)

    # --- operations ----------------------------------------------------------------------------

    def on_operation_start(self, info: OperationInfo) -> None:
        """Note when an operation is come to."""
        running = self._running.get()
        if running is not None and not info.is_replay:
            running.began.setdefault(info.id, time.time_ns())

    def on_checkpoint(self, info: OperationChange) -> None:
        """Export the spans of operations whose end will be recorded, and of attempts that were given up."""
        running = self._running.get()
        if running is None:
            return
        for key in list(running.attempts):
            operation = info.updated.get(key[0])
            if operation is not None and key[1] <= operation.attempt:
                running.end_attempt(key, time.time_ns(), "FAILED", operation.error)
        for operation in info.updated.values():
            if is_over(operation):
                running.end_operation(operation)

    def on_operation_end(self, info: OperationInfo) -> None:
        """Export the span of an operation that ended from outside."""
        running = self._running.get()
        if running is not None:
            running.end_operation(info)

    def on_invoke(self, info: OperationInfo) -> str | None:
        """Give the trace header that makes the invoke's span the parent of what it runs."""
        running = self._running.get()
        return None if running is None else to_header(running.context_of(info.id))

    # --- attempts ------------------------------------------------------------------------------

    def on_attempt_start(self, info: AttemptInfo) -> None:
        """Begin an attempt's span, and make it the current one where the step's function runs."""
        running = self._running.get()
        if running is None:
            return
        operation, start = info.operation, ns(info.started)
        span = running.make(
            f"{title(operation)} attempt",
            span_id(running.arn, operation.id, info.attempt),
            running.context_of(operation.id),
            start,
            links=running.link("ran"),
            attributes={**of_operation(operation), "durable.attempt.number": info.attempt},
        )
        running.attempts[operation.id, info.attempt] = span
        running.ran.setdefault(operation.id, (start, start))
        otel_context.attach(trace.set_span_in_context(span))  # the step's own context variables

    def on_attempt_end(self, info: AttemptInfo) -> None:
        """End an attempt's span."""
        running = self._running.get()
        if running is not None and info.ended is not None:
            key = (info.operation.id, info.attempt)
            running.end_attempt(key, ns(info.ended), info.outcome or "", info.error)


def _unheard(info: InvocationStart, over: Iterable[OperationInfo]) -> list[OperationInfo]:
    """List the operations that ended from outside, and whose span no invocation may have exported.

    Where the invocation before this one died, that is what had called it.
    """
    if not info.is_retry:
        return [one for one in info.updated.values() if is_over(one)]
    ended = [(one.ended or EPOCH, one) for one in over if one.type in FROM_OUTSIDE]
    latest = max((end for end, _ in ended), default=EPOCH)
    return [one for end, one in ended if end == latest]
