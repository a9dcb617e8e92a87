"""Metrics of workflows: what ended and how, how long it took, and what it cost. No label is unbounded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from opentelemetry import metrics

from durable_gen._model import TERMINAL
from durable_gen._version import VERSION
from durable_gen.otel._flush import FLUSH, flush
from durable_gen.plugins import BudgetWarning, InvocationEnd, OperationInfo


class Metrics:
    """Measures workflows: a plugin for `@durable(plugins=[Metrics()])`.

    Args:
        meter_provider: the OpenTelemetry SDK's; by default the global one.
        flush_timeout: seconds that the end of an invocation may wait for the export.
    """

    def __init__(self, meter_provider: Any = None, *, flush_timeout: float = FLUSH) -> None:
        self._given = meter_provider
        self._flush_timeout = flush_timeout
        meter = (meter_provider or metrics).get_meter("durable_gen", VERSION)
        self._operations = meter.create_counter(
            "durable.operations", "{operation}", "Operations that ended."
        )
        self._operation = meter.create_histogram(
            "durable.operation.duration", "s", "From an operation's start to its end."
        )
        self._invocations = meter.create_counter(
            "durable.invocations", "{invocation}", "Invocations that ended."
        )
        self._replayed = meter.create_counter(
            "durable.operations.replayed", "{operation}", "Operations that were found in the log."
        )
        self._calls = meter.create_counter(
            "durable.api.calls", "{call}", "Calls of the service's API."
        )
        self._bytes = meter.create_counter(
            "durable.checkpoint.bytes", "By", "What was sent in checkpoints, encoded."
        )
        self._warnings = meter.create_counter(
            "durable.budget.warnings", "{warning}", "Shares of a limit that were passed."
        )
        self._execution = meter.create_histogram(
            "durable.execution.duration", "s", "From an execution's start to its end."
        )
        self._size = meter.create_histogram(
            "durable.execution.operations", "{operation}", "Operations of an execution, at its end."
        )

    def on_operation_end(self, info: OperationInfo) -> None:
        """Count an operation."""
        kind: dict[str, Any] = {
            "durable.operation.type": info.type,
            "durable.operation.subtype": info.sub_type or "",
            "durable.operation.status": info.status or "",
        }
        if info.status in TERMINAL:
            self._operations.add(1, kind)
        if info.started is not None and info.ended is not None:
            self._operation.record((info.ended - info.started).total_seconds(), kind)

    def on_budget_warning(self, info: BudgetWarning) -> None:
        """Count a warning."""
        kind = {"durable.budget.limit": info.what, "durable.budget.share": info.share}
        self._warnings.add(1, kind)

    def on_invocation_end(self, info: InvocationEnd) -> None:
        """Count an invocation and what it used, and its execution if that has ended; then export."""
        self._invocations.add(1, {"durable.invocation.status": info.status or "RAISED"})
        self._replayed.add(info.usage.replayed)
        self._calls.add(info.usage.calls)
        self._bytes.add(info.usage.bytes)
        if info.status in ("SUCCEEDED", "FAILED"):
            ended = {"durable.execution.status": info.status or ""}
            self._size.record(info.usage.operations, ended)
            seconds = (datetime.now(UTC) - info.started).total_seconds()
            self._execution.record(max(0.0, seconds), ended)
        provider = self._given or metrics.get_meter_provider()
        flush(provider, self._flush_timeout, info.seconds_left)
