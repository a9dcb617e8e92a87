"""What an execution uses is counted, and told of before it is too much."""

import pytest

from durable_gen import Budget, BudgetWarning, Usage, UsageError, durable
from durable_gen._budget import Meter
from replays import log
from stub import ARN, Stub, event, result

MIB = 1_048_576


@pytest.mark.parametrize(
    ("count", "expected"),
    [(4, None), (5, 0.5), (6, None), (7, None), (8, 0.75), (9, None), (10, 1.0), (11, None)],
)
def test_operation_that_is_the_first_at_a_share_or_past_it_is_told_of(count, expected):
    """Half of ten is five; three quarters are passed by the eighth."""
    assert expected == Meter(Budget(10, (0.5, 0.75, 1.0))).operations(count)


def test_usage_counts_operations_calls_and_bytes():
    """A step is one operation and, alone, one call; what is sent is counted as it is encoded."""
    seen = []

    def flow(event, ctx):
        yield ctx.step("first", lambda: "x" * 10)
        seen.append(ctx.usage)
        yield ctx.step("second", int)
        seen.append(ctx.usage)

    stub = Stub()
    durable(backend=stub)(flow)(event())
    first, second = seen
    assert Usage(1, 30_000, 0, 1, first.bytes, 12) == first
    assert Usage(2, 30_000, 0, 2, second.bytes, 12) == second
    assert 12 < first.bytes < second.bytes

    again = Stub()
    durable(backend=again)(flow)(event(*log(stub)))
    assert Usage(2, 30_000, 2, 0, 0, 0) == seen[-1]


class Warned:
    """A plugin that keeps what it is warned of."""

    def __init__(self):
        self.warnings = []
        self.usages = []

    def on_budget_warning(self, info):
        self.warnings.append(info)

    def on_invocation_end(self, info):
        self.usages.append(info.usage)


def run(flow, budget, *operations):
    plugin, stub = Warned(), Stub()
    handler = durable(backend=stub, budget=budget, plugins=[plugin])(flow)
    result(handler(event(*operations)))
    return plugin, stub


def four_steps(event, ctx):
    for n in range(4):
        yield ctx.step(f"s{n}", int)


def test_operations_that_pass_a_share_are_told_of_once(caplog):
    """By the hook, and by a record of the log."""
    budget = Budget(max_operations=4, operations=(0.5, 0.9))
    plugin, _ = run(four_steps, budget)
    expected = [
        BudgetWarning(
            execution_arn=ARN, what="operations", used=used, limit=4, share=share, path=path
        )
        for used, share, path in [(2, 0.5, "s1"), (4, 0.9, "s3")]
    ]
    assert expected == plugin.warnings
    assert 4 == plugin.usages[0].operations
    records = [one for one in caplog.records if one.name == "durable_gen.budget"]
    assert [
        "s1: the execution has 2 of the 4 operations that it may have",
        "s3: the execution has 4 of the 4 operations that it may have",
    ] == [one.getMessage() for one in records]
    assert (ARN, 0.5) == (records[0].executionArn, records[0].share)


def test_operations_of_earlier_invocations_are_not_told_of_again():
    """The invocation that passes a share tells of it."""
    budget = Budget(max_operations=4, operations=(0.5, 0.9))
    _, stub = run(four_steps, budget)
    plugin, _ = run(four_steps, budget, *log(stub)[:3])
    assert [0.9] == [one.share for one in plugin.warnings]


@pytest.mark.parametrize(
    ("size", "expected"), [(MIB // 2 - 1, []), (MIB // 2, [0.5]), (MIB - 2, [0.9])]
)
def test_payload_that_passes_a_share_is_told_of(size, expected, caplog):
    """The highest one that it passes, by bytes of its text."""

    def flow(event, ctx):
        yield ctx.step("load", lambda: "x" * (size - 2))

    plugin, _ = run(flow, Budget(payloads=(0.5, 0.9)))
    assert expected == [one.share for one in plugin.warnings]
    assert [f"load: its payload takes {size} of the {MIB} bytes that it may take"][
        : len(expected)
    ] == caplog.messages


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"operations": (0.5, 1.5)},
            "Budget(operations=...) must be shares above 0 and up to 1, such as (0.5, 0.8), not 1.5",
        ),
        (
            {"payloads": 0},
            "Budget(payloads=...) must be shares above 0 and up to 1, such as (0.5, 0.8), not 0",
        ),
        (
            {"operations": ["half"]},
            "Budget(operations=...) must be shares above 0 and up to 1, such as (0.5, 0.8), not 'half'",
        ),
        (
            {"max_operations": 0},
            "Budget(max_operations=...) must be a whole number of at least 1, not 0",
        ),
    ],
)
def test_budget_out_of_range_is_refused(options, text):
    """Where it is made."""
    with pytest.raises(UsageError) as caught:
        Budget(**options)
    assert text == str(caught.value)


def test_budget_of_another_class_is_refused():
    """Where the handler is made."""
    with pytest.raises(UsageError) as caught:
        durable(budget=30_000)
    assert "@durable(budget=...) must be a Budget, not 30000" == str(caught.value)
