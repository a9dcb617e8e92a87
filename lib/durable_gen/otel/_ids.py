"""Ids that every invocation of an execution derives alike, and X-Ray's way to write them.

A trace id begins with 32 bits of time, as X-Ray wants it; the rest is a hash of the execution's ARN. A span's id
is a hash of the ARN and of what the span is of. So invocations that know nothing of each other name the same
spans, and a span that is exported twice has the same ids both times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from hashlib import blake2b

from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanContext, TraceFlags

HEADER = re.compile(
    r"Root=1-(?P<root>[0-9a-f]{8}-[0-9a-f]{24});Parent=(?P<parent>[0-9a-f]{16})"
    r"(?:;Sampled=(?P<sampled>[01]))?(?:;.*)?"
)

# The trace id and the span id of the span that is being made.
_wanted: ContextVar[tuple[int, int] | None] = ContextVar("durable_gen_otel_ids", default=None)


def trace_id(arn: str, started: datetime) -> int:
    """Name the trace of an execution.

    Args:
        arn: the execution's ARN.
        started: when it was started, as recorded.
    """
    return int(started.timestamp()) << 96 | _hash(arn, 12)


def span_id(arn: str, operation: str = "", attempt: int = 0) -> int:
    """Name a span: of an execution, of one of its operations, or of an attempt of one.

    Args:
        arn: the execution's ARN.
        operation: the operation's id.
        attempt: the attempt's number, from 1.
    """
    return _hash(f"{arn}|{operation}|{attempt}", 8) or 1  # 0 is no id


def _hash(text: str, size: int) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=size).digest())


def to_header(context: SpanContext) -> str:
    """Write a span as the parent in X-Ray's trace header."""
    root, sampled = f"{context.trace_id:032x}", int(context.trace_flags.sampled)
    return f"Root=1-{root[:8]}-{root[8:]};Parent={context.span_id:016x};Sampled={sampled}"


def from_header(header: str | None) -> SpanContext | None:
    """Read the parent of X-Ray's trace header; None where it names none."""
    found = HEADER.fullmatch(header or "")
    if found is None:
        return None
    flags = TraceFlags(TraceFlags.SAMPLED if found["sampled"] == "1" else TraceFlags.DEFAULT)
    root, parent = int(found["root"].replace("-", ""), 16), int(found["parent"], 16)
    context = SpanContext(root, parent, is_remote=True, trace_flags=flags)
    return context if context.is_valid else None


class DerivedIds(IdGenerator):
    """Gives the ids that are wanted, and another generator's where none are.

    Args:
        others: the other generator.
    """

    def __init__(self, others: IdGenerator) -> None:
        self.others = others

    @staticmethod
    @contextmanager
    def wanted(trace: int, span: int) -> Iterator[None]:
        """Give these ids to the span that is made inside."""
        token = _wanted.set((trace, span))
        try:
            yield
        finally:
            _wanted.reset(token)

    def generate_trace_id(self) -> int:
        """Give a trace id."""
        wanted = _wanted.get()
        return self.others.generate_trace_id() if wanted is None else wanted[0]

    def generate_span_id(self) -> int:
        """Give a span id."""
        wanted = _wanted.get()
        return self.others.generate_span_id() if wanted is None else wanted[1]
