"""Crashed anywhere, the trace of a workflow is whole: every operation has its span, and every span its parent."""

from __future__ import annotations

import logging
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import define
from hypothesis import event, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from programs import WAYS, programs
from running import ENDS, Outcome, Peace, execute
from test_crashes import MANY, Crashes

from durable_gen.otel import Tracing

# Many programs are suspended inside a try, more than are kept.
pytestmark = pytest.mark.filterwarnings("ignore:.*a workflow that was suspended:RuntimeWarning")


@define
class Crashing(Crashes):
    """A run that crashes, and is watched."""

    plugins: tuple[Any, ...] = ()


@define
class Hurried(Peace):
    """A run whose time runs out after some of its calls, and is watched.

    Attributes:
        at: the numbers of those calls, counted over all invocations.
    """

    at: frozenset[int]
    plugins: tuple[Any, ...] = ()
    calls: int = 0
    late: bool = False
    happened: int = 0

    @property
    def context(self) -> Any:
        self.late = False  # a new invocation
        return self

    def get_remaining_time_in_millis(self) -> float:
        return 0 if self.late else 1_000_000

    def around(self, client: Any) -> Any:
        def checkpoint(**request: Any) -> Any:
            self.calls += 1
            if self.calls in self.at:
                self.happened += 1
                self.late = True
            return client.checkpoint_durable_execution(**request)

        pages = client.get_durable_execution_state
        return SimpleNamespace(
            checkpoint_durable_execution=checkpoint, get_durable_execution_state=pages
        )


def trace(program: tuple, way: str, fate: Any) -> tuple[Outcome, list[ReadableSpan]]:
    """Run a program to its end; give the spans of its own trace that were exported."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    fate.plugins = (Tracing(provider),)
    outcome = execute(program, way, fate)
    spans = exporter.get_finished_spans()
    return outcome, [one for one in spans if "durable.invocation.first" not in one.attributes]


def of(span: ReadableSpan) -> tuple[Any, ...]:
    """Say what a span is of: an operation, an attempt, or the execution."""
    found = span.attributes or {}
    return found.get("durable.operation.id"), found.get("durable.attempt.number")


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("durable_gen").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("durable_gen").setLevel(logging.NOTSET)


@pytest.mark.parametrize("way", WAYS)
@settings(MANY, max_examples=40)
@given(program=programs, at=st.frozensets(st.integers(1, 40), max_size=4))
def test_crashed_anywhere_then_the_trace_is_whole(way, program, at):
    """Every operation that ended has a span, every span a parent that exists, and each thing one id; without
    a crash each has one span."""
    crashes = Crashing(at)
    outcome, spans = trace(program, way, crashes)
    event(f"crashes: {crashes.happened}")
    assert 1 == len({span.context.trace_id for span in spans})
    ended = {(id_, None) for id_, record in outcome.log.items() if record[0].endswith(ENDS)}
    counted = Counter(map(of, spans))
    assert set() == (ended | {(None, None)}) - counted.keys()
    ids = {span.context.span_id for span in spans}
    assert len(ids) == len(counted)
    assert set() == {span.parent.span_id for span in spans if span.parent is not None} - ids
    assert {(None, None)} == {of(span) for span in spans if span.parent is None}
    if not crashes.happened:
        assert {1} == set(counted.values())


@pytest.mark.parametrize("way", WAYS)
@settings(MANY, max_examples=25)
@given(program=programs, at=st.frozensets(st.integers(1, 30), min_size=1, max_size=4))
def test_out_of_time_anywhere_then_every_operation_has_one_span(way, program, at):
    """An invocation that comes back because its time runs out has exported what it ended, and no more."""
    hurried = Hurried(at)
    outcome, spans = trace(program, way, hurried)
    event(f"late: {hurried.happened}")
    ended = {id_ for id_, record in outcome.log.items() if record[0].endswith(ENDS)}
    counted = Counter(id_ for id_, attempt in map(of, spans) if attempt is None)
    assert set() == (ended | {None}) - counted.keys()
    assert {1} == set(counted.values())
