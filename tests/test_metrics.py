"""Metrics: what ended and how, and what it cost; no label grows with the number of executions."""

from __future__ import annotations

import threading

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from durable_gen import Budget, Retry, current_step, durable
from durable_gen.otel import Metrics
from stub import Stub, event
from tracing import Traced

SOON = Retry(max_attempts=2, initial=1, jitter="none")


class Measured:
    """A meter provider, and what it has measured."""

    def __init__(self):
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)

    def points(self):
        """List what was measured: name, the labels' values in order, and the value or the count."""
        data = self.reader.get_metrics_data()
        return {
            (metric.name, *(value for _, value in sorted(point.attributes.items()))): point
            for scope in data.resource_metrics[0].scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        }

    def values(self):
        return {key: getattr(point, "value", None) for key, point in self.points().items()}


@pytest.fixture(name="measured")
def _measured():
    found = Measured()
    yield found
    found.provider.shutdown()


def orders(event, ctx):
    def flaky():
        if current_step().attempt == 1:
            raise LookupError("no")

    yield ctx.step("charge", flaky, retry=SOON)
    yield ctx.wait("nap", 1)
    try:
        yield ctx.step("refuse", int, "x", retry=None)
    except Exception:
        yield ctx.step("mend", int)


def test_operations_and_invocations_are_counted_once(measured):
    """However often they are replayed, by type and outcome."""
    Traced().run([Metrics(measured.provider)], orders=orders)
    values = measured.values()
    assert {
        ("durable.operations", "SUCCEEDED", "Step", "STEP"): 2,
        ("durable.operations", "FAILED", "Step", "STEP"): 1,
        ("durable.operations", "SUCCEEDED", "Wait", "WAIT"): 1,
        ("durable.invocations", "PENDING"): 2,
        ("durable.invocations", "SUCCEEDED"): 1,
    } == {
        key: value
        for key, value in values.items()
        if key[0] in {"durable.operations", "durable.invocations"}
    }


def test_durations_are_those_that_are_recorded(measured):
    """In seconds, from start to end."""
    Traced().run([Metrics(measured.provider)], orders=orders)
    point = measured.points()["durable.operation.duration", "SUCCEEDED", "Wait", "WAIT"]
    assert (1, 1.0) == (point.count, point.sum)
    assert 1 == measured.points()["durable.execution.duration", "SUCCEEDED"].count


def test_usage_of_invocations_is_added_up(measured):
    """Calls, bytes and replayed operations of all invocations; the operations of the execution at its end."""
    used = []

    class Hearing:
        def on_invocation_end(self, info):
            used.append(info.usage)

    Traced().run([Metrics(measured.provider), Hearing()], orders=orders)
    values, points = measured.values(), measured.points()
    assert 3 == len(used)
    assert sum(one.calls for one in used) == values[("durable.api.calls",)] > 3
    assert sum(one.bytes for one in used) == values[("durable.checkpoint.bytes",)] > 100
    assert sum(one.replayed for one in used) == values[("durable.operations.replayed",)] > 1
    assert 4 == points["durable.execution.operations", "SUCCEEDED"].sum


def test_warnings_of_the_budget_are_counted(measured):
    """By the limit and by the share that was passed."""
    budget = Budget(max_operations=2, operations=(0.5,))
    options = {"backend": Stub(), "plugins": [Metrics(measured.provider)], "budget": budget}

    @durable(**options)
    def handler(event, ctx):
        yield ctx.step("a", int)

    handler(event())
    assert 1 == measured.values()["durable.budget.warnings", "operations", 0.5]


def test_no_label_grows_with_the_number_of_executions(measured):
    """Two executions have no more series than one."""
    traced, plugins = Traced(), [Metrics(measured.provider)]
    traced.run(plugins, orders=orders)
    before = measured.points().keys()
    traced.run(plugins, orders=orders)
    assert before == measured.points().keys()


def test_metrics_are_exported_before_the_invocation_returns():
    """Lambda freezes the process then; but it does not wait for ever."""
    gate, asked = threading.Event(), []

    class Hanging:
        def get_meter(self, *_):
            return MeterProvider(shutdown_on_exit=False).get_meter("x")

        def force_flush(self, milliseconds):
            asked.append(milliseconds)
            gate.wait(60)

    plugins = [Metrics(Hanging(), flush_timeout=0.05)]
    assert (
        "SUCCEEDED"
        == durable(backend=Stub(), plugins=plugins)(lambda event, ctx: 1)(event())["Status"]
    )
    assert [50] == asked
    gate.set()
