"""OpenTelemetry for workflows: traces and metrics, as plugins of `@durable`; needs the extra `otel`."""

from durable_gen.otel._metrics import Metrics
from durable_gen.otel._tracing import Tracing

__all__ = ["Metrics", "Tracing"]
