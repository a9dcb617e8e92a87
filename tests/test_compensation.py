"""Compensations: what undoes the steps of a flow, last first."""

from __future__ import annotations

import pytest

from durable_gen import CompensationFailed, durable
from replays import failure, log
from stub import Stub, event, result


def saga(did, *, broken=(), ctx_op=None):
    """Make a flow of three steps that are then undone."""

    def undo(name, value):
        did.append(f"undo {name} {value}")
        if name in broken:
            raise RuntimeError(f"{name} is stuck")

    def flow(event, ctx):
        for n, name in enumerate(["a", "b", "c"]):
            yield ctx.step(name, lambda name, n=n: did.append(name) or n, name, compensate=undo)
        done = yield ctx.compensate()
        return [[item.name, str(item.error) if item.error else None] for item in done.items]

    return flow


def test_compensations_run_last_first():
    """What was done last is undone first, each with the step's arguments and its value."""
    did = []
    items = result(durable(backend=Stub())(saga(did))(event()))
    assert ["a", "b", "c", "undo c 2", "undo b 1", "undo a 0"] == did
    assert [["c", None], ["b", None], ["a", None]] == items


def test_compensation_is_a_context_of_its_own_sub_type():
    """Each is START and SUCCEED of sub type Compensation under the step's name."""
    stub = Stub()
    durable(backend=stub)(saga([]))(event())
    rows = [(u["Action"], u["SubType"], u["Name"]) for u in stub.updates if u["Type"] == "CONTEXT"]
    expected = [(action, "Compensation", name) for name in "cba" for action in ("START", "SUCCEED")]
    assert expected == rows


def test_compensation_in_the_aws_dialect_is_a_child_context():
    """AWS has no word for it; there it is RunInChildContext."""
    stub = Stub()
    durable(backend=stub, dialect="aws")(saga([]))(event())
    assert {"RunInChildContext"} == {u["SubType"] for u in stub.updates if u["Type"] == "CONTEXT"}


def test_compensations_go_on_after_one_fails():
    """A failure does not stop the rest; it is recorded FAIL with its error, and told of its item."""
    stub, did = Stub(), []
    items = result(durable(backend=stub, retry=None)(saga(did, broken="b"))(event()))
    assert ["undo c 2", "undo b 1", "undo a 0"] == did[3:]
    assert [True, False, True] == [error is None for _, error in items]
    assert "b is stuck" in items[1][1]
    (fail,) = [u for u in stub.updates if u["Type"] == "CONTEXT" and u["Action"] == "FAIL"]
    assert "b" == fail["Name"]
    assert "b is stuck" in fail["Error"]["ErrorMessage"]


def test_failed_compensations_are_raised_on_request():
    """raise_if_failed() raises with the whole result."""
    seen = []

    def undo():
        raise RuntimeError("stuck")

    @durable(backend=Stub(), retry=None)
    def handler(event, ctx):
        yield ctx.step("a", lambda: 1, compensate=lambda value: undo())
        done = yield ctx.compensate()
        seen.append(done.all_succeeded)
        try:
            done.raise_if_failed()
        except CompensationFailed as error:
            seen.append((error.code, error.result is done, error.__cause__))

    handler(event())
    assert False is seen[0]
    code, same, cause = seen[1]
    assert ("COMPENSATION_FAILED", True) == (code, same)
    assert "stuck" in str(cause)


def test_nothing_to_undo_sends_nothing():
    """compensate() with nothing registered succeeds without a checkpoint."""
    stub, seen = Stub(), []

    @durable(backend=stub)
    def handler(event, ctx):
        seen.append((yield ctx.compensate()))

    handler(event())
    assert ((), True) == (seen[0].items, seen[0].all_succeeded)
    assert [] == stub.calls


def test_failed_step_registers_nothing():
    """Only a step that succeeded is undone."""
    did = []

    def boom():
        raise RuntimeError("declined")

    @durable(backend=Stub(), retry=None)
    def handler(event, ctx):
        yield ctx.step("a", int, compensate=lambda value: did.append("a"))
        try:
            yield ctx.step("b", boom, compensate=lambda value: did.append("b"))
        except Exception:
            yield ctx.compensate()

    handler(event())
    assert ["a"] == did


def test_child_does_not_inherit_compensations():
    """A child undoes what it did itself; what its parent did is the parent's."""
    did = []

    def body(child):
        yield child.step("mine", int, compensate=lambda value: did.append("mine"))
        yield child.compensate()

    @durable(backend=Stub())
    def handler(event, ctx):
        yield ctx.step("theirs", int, compensate=lambda value: did.append("theirs"))
        yield ctx.child("x", body)

    handler(event())
    assert ["mine"] == did


def test_replayed_steps_register_and_recorded_compensations_are_not_run():
    """On replay nothing is done again, and the result is the same, a failure's text too."""
    first, second, did = Stub(), Stub(), []
    handler = durable(backend=first, retry=None)(saga(did, broken="b"))
    items = result(handler(event()))
    did.clear()
    assert items == result(handler.using(second)(event(*log(first))))
    assert [] == did
    assert [] == second.calls


def test_compensations_resume_half_way():
    """When an invocation was cut off in the middle, only what is left is undone."""
    first, second, did = Stub(), Stub(), []
    handler = durable(backend=first)(saga(did))
    handler(event())
    records = log(first)
    gone = {row["Id"] for row in records if row["Name"] == "a" and row["Type"] == "CONTEXT"}
    half = [row for row in records if row["Id"] not in gone and row.get("ParentId") not in gone]
    did.clear()
    items = result(handler.using(second)(event(*half)))
    assert ["undo a 0"] == did
    assert [["c", None], ["b", None], ["a", None]] == items
    assert {"a"} == {update["Name"] for update in second.updates}


def test_compensation_may_be_a_flow():
    """A generator function gets a context first, and may wait and retry like any flow."""
    first, second, did = Stub(), Stub(), []

    def undo(ctx, order, value):
        yield ctx.wait("cool down", 30)
        yield ctx.step("refund", did.append, (order, value))

    @durable(backend=first)
    def handler(event, ctx):
        yield ctx.step("charge", lambda order: "receipt", "order-7", compensate=undo)
        done = yield ctx.compensate()
        return done.all_succeeded

    assert {"Status": "PENDING"} == handler(event())
    assert True is result(handler.using(second)(event(*log(first, "cool down"))))
    assert [("order-7", "receipt")] == did


def test_compensations_run_once_though_asked_twice():
    """What was undone is undone: a second compensate() finds nothing."""
    did = []

    @durable(backend=Stub())
    def handler(event, ctx):
        yield ctx.step("a", int, compensate=lambda value: did.append("a"))
        yield ctx.compensate()
        yield ctx.compensate()

    handler(event())
    assert ["a"] == did


@pytest.mark.parametrize("word", ["all", "settled"])
def test_steps_in_a_combinator_are_undone_too(word):
    """A combinator's operations belong to the flow that yields it: their compensations as well."""
    did = []

    @durable(backend=Stub())
    def handler(event, ctx):
        a = ctx.step("a", int, compensate=lambda value: did.append("a"))
        b = ctx.step("b", int, compensate=lambda value: did.append("b"))
        yield getattr(ctx, word)(a, b)
        yield ctx.compensate()

    result(handler(event()))
    assert {"a", "b"} == set(did)


def test_compensate_in_a_combinator_is_refused():
    """What it undoes is the flow's: it stands by itself."""

    @durable(backend=Stub())
    def handler(event, ctx):
        yield ctx.all(ctx.compensate(), ctx.step("tell", int))

    assert (
        "UsageError",
        "ctx.all(...) takes operations that give a value; yield ctx.compensate() by itself",
    ) == failure(handler(event()))
