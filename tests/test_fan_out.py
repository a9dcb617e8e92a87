"""Fan-outs: branches and items at once, in waves, up to a bound, and until enough of them ended."""

from __future__ import annotations

import json
from hashlib import blake2b

import pytest

from durable_gen import BatchFailed, ChildContextFailed, Completion, durable
from replays import failure, log
from stub import Stub, event, logged

KIB_256 = 262_144
ROOT_1 = "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"


def id_of(*path):
    name = None
    for n in path:
        name = blake2b((str(n) if name is None else f"{name}-{n}").encode()).hexdigest()[:64]
    return name


def give(value):
    return lambda ctx: value


def stepping(name, value):
    def branch(ctx):
        return (yield ctx.step(name, lambda: value))

    return branch


def fail(ctx):
    raise ValueError("no funds")


def run(make, *records, stub=None, **options):
    """Run a flow of one fan-out, and give what `make(ctx)` gives and the stub."""
    stub, seen = stub or Stub(), []

    @durable(backend=stub, **options)
    def handler(event, ctx):
        seen.append((yield make(ctx)))

    envelope = handler(event(*records))
    return (seen[0] if seen else envelope), stub


# --- parallel --------------------------------------------------------------------------------------


def test_parallel_sends_a_context_around_a_context_for_each_branch():
    """Sub types, default names, parents and ids of a fan-out are those of durable-lambda-core."""
    batch, stub = run(lambda ctx: ctx.parallel("p", [give(1), give(2)]))
    assert [1, 2] == batch.values
    outer = {"Id": ROOT_1, "Type": "CONTEXT", "SubType": "Parallel", "Name": "p"}
    options = {"ContextOptions": {"ReplayChildren": False}}
    branches = [
        {
            "Id": id_of(1, n),
            "Type": "CONTEXT",
            "SubType": "ParallelBranch",
            "Name": f"parallel-branch-{n - 1}",
            "ParentId": ROOT_1,
        }
        for n in (1, 2)
    ]
    *inside, end = stub.updates
    expected = [
        {**outer, "Action": "START"},
        *({**branch, "Action": "START"} for branch in branches),
        *(
            {**branch, "Action": "SUCCEED", "Payload": str(n), **options}
            for n, branch in enumerate(branches, 1)
        ),
    ]
    assert expected == inside
    payload = json.loads(end.pop("Payload"))
    assert {**outer, "Action": "SUCCEED", **options} == end
    rows = [(row["index"], row["status"], row["result"]) for row in payload["results"]]
    assert [(0, "SUCCEEDED", 1), (1, "SUCCEEDED", 2)] == rows


def test_parallel_of_a_mapping_names_its_branches():
    """A mapping of names to flows gives the branches their names."""
    batch, _ = run(lambda ctx: ctx.parallel("p", {"eur": give(1), "usd": give(2)}))
    assert [("eur", 1), ("usd", 2)] == [(item.name, item.value) for item in batch]


def test_parallel_of_nothing_is_over_at_once():
    """No branches: a START and a SUCCEED, and an empty batch."""
    batch, stub = run(lambda ctx: ctx.parallel("p", []))
    assert 0 == len(batch)
    assert "ALL_COMPLETED" == batch.reason
    assert ["START", "SUCCEED"] == [update["Action"] for update in stub.updates]


def test_branches_have_id_spaces_of_their_own():
    """The same step name in two branches is two operations."""
    flows = [stepping("work", "a"), stepping("work", "b")]
    batch, stub = run(lambda ctx: ctx.parallel("p", flows))
    assert ["a", "b"] == batch.values
    assert {id_of(1, 1, 1), id_of(1, 2, 1)} == {
        u["Id"] for u in stub.updates if u["Name"] == "work"
    }
    assert {id_of(1, 1), id_of(1, 2)} == {
        u["ParentId"] for u in stub.updates if u["Name"] == "work"
    }


def test_branch_that_fails_is_closed_fail_and_the_others_go_on():
    """A failed branch is recorded FAIL and is an item with its error; the fan-out succeeds."""
    batch, stub = run(lambda ctx: ctx.parallel("p", [give(1), fail, give(3)]))
    assert [1, 3] == batch.values
    assert ["SUCCEEDED", "FAILED", "SUCCEEDED"] == [item.status for item in batch]
    error = batch[1].error
    text = "child context failed for operation 'parallel-branch-1': ValueError: no funds"
    assert (ChildContextFailed, text) == (type(error), str(error))
    assert "CONTEXT FAIL parallel-branch-1 ValueError" in stub.stream


def test_failed_branches_are_raised_on_request():
    """raise_if_failed() tells how many failed, and has the errors."""
    batch, _ = run(lambda ctx: ctx.parallel("p", [fail, give(2), fail]))
    with pytest.raises(BatchFailed) as caught:
        batch.raise_if_failed()
    assert str(caught.value).startswith("batch failed for operation 'p': 2 of 3 failed")
    assert list(caught.value.errors) == batch.errors
    assert caught.value.__cause__ is batch.errors[0]


def test_recorded_fan_out_is_neither_run_nor_sent():
    """On replay the batch is the recorded one: values, statuses, errors and reason."""
    make = lambda ctx: ctx.parallel("p", [give([1]), fail])  # noqa: E731
    live, first = run(make)
    replayed, second = run(make, *log(first))
    assert live == replayed
    assert [str(error) for error in live.errors] == [str(error) for error in replayed.errors]
    assert live.errors[0].args == replayed.errors[0].args
    assert [] == second.calls


def test_record_as_the_crate_writes_it_is_read():
    """A payload of durable-lambda-core's words, with an error as text, is read."""
    payload = {
        "results": [
            {"index": 0, "status": "Succeeded", "result": 7, "error": None},
            {"index": 1, "status": "Failed", "result": None, "error": "it broke"},
        ],
        "completion_reason": "AllCompleted",
    }
    update = {"Id": ROOT_1, "Type": "CONTEXT", "SubType": "Parallel", "Name": "p"}
    record = logged(update, "SUCCEEDED", Result=json.dumps(payload))
    batch, stub = run(lambda ctx: ctx.parallel("p", [give(0), give(0)]), record)
    assert [7] == batch.values
    assert "it broke" in str(batch.errors[0])
    assert "ALL_COMPLETED" == batch.reason
    assert [] == stub.calls


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"])
def test_fan_out_that_was_ended_from_outside_failed(status):
    """A fan-out whose record has another end than success raises."""
    update = {"Id": ROOT_1, "Type": "CONTEXT", "SubType": "Parallel", "Name": "p"}
    envelope, stub = run(lambda ctx: ctx.parallel("p", [give(1)]), logged(update, status))
    assert "ChildContextFailed" == failure(envelope)[0]
    assert [] == stub.calls


def test_branch_that_suspends_keeps_its_place():
    """A suspension is no failure of its branch: the rest goes on, then the invocation parks."""

    def napping(ctx):
        yield ctx.wait("nap", 30)
        return "rested"

    make = lambda ctx: ctx.parallel("p", [napping, stepping("work", "done")])  # noqa: E731
    envelope, first = run(make)
    assert {"Status": "PENDING"} == envelope
    assert 'CONTEXT SUCCEED parallel-branch-1 "done"' in first.stream
    assert not [line for line in first.stream if "FAIL" in line]
    batch, second = run(make, *log(first, "nap"))
    assert ["rested", "done"] == batch.values
    assert ["parallel-branch-0", "p"] == [update["Name"] for update in second.updates]


def test_large_fan_out_is_found_again_by_its_branches():
    """A batch over 256 KiB is left to its branches; on replay nothing is sent, and it is equal."""
    ran = []

    def half(ctx):
        yield ctx.step("part", lambda: ran.append(1))
        return "x" * (KIB_256 // 2)

    make = lambda ctx: ctx.parallel("p", [half, half, fail])  # noqa: E731
    live, first = run(make)
    assert {"ReplayChildren": True} == first.updates[-1]["ContextOptions"]
    assert len(first.updates[-1].get("Payload", "")) < 1000
    replayed, second = run(make, *log(first))
    assert [1, 1] == ran
    assert live == replayed
    assert [] == second.calls


def test_parallel_in_a_child_in_a_parallel():
    """Fan-outs and children nest in one another."""

    def outer(n):
        def middle(ctx):
            inner = yield ctx.parallel("inner", [give(n), give(2 * n)])
            return sum(inner.values)

        return lambda ctx: (yield ctx.child("middle", middle))

    batch, _ = run(lambda ctx: ctx.parallel("outer", [outer(10), outer(100)]))
    assert [30, 300] == batch.values


def test_branches_know_their_place():
    """ctx.index and ctx.name tell which branch this is, in a child of it too."""

    def branch(ctx):
        inner = yield ctx.child("inner", lambda child: child.index)
        return [ctx.name, ctx.index, inner]

    batch, _ = run(lambda ctx: ctx.parallel("p", {"a": branch, "b": branch}))
    assert [["a", 0, 0], ["b", 1, 1]] == batch.values


# --- flat ------------------------------------------------------------------------------------------


def test_flat_branches_are_kept_off_the_wire():
    """With nesting="flat" the branches have no records; their operations hang on the fan-out."""
    flows = [stepping("a", 1), stepping("b", 2)]
    make = lambda ctx: ctx.parallel("p", flows, nesting="flat")  # noqa: E731
    batch, stub = run(make)
    assert [1, 2] == batch.values
    inside = {(u["Name"], u["Id"], u["ParentId"]) for u in stub.updates if u["Type"] == "STEP"}
    assert {("a", id_of(1, 1, 1), ROOT_1), ("b", id_of(1, 2, 1), ROOT_1)} == inside
    assert {"p"} == {u["Name"] for u in stub.updates if u["Type"] == "CONTEXT"}
    replayed, second = run(make, *log(stub))
    assert batch == replayed
    assert [] == second.calls


def test_flat_branch_that_fails_is_the_same_error_on_replay():
    """The error of a branch without a record is kept in the fan-out's."""
    make = lambda ctx: ctx.map("m", [1], lambda ctx, n: fail(ctx), nesting="flat")  # noqa: E731
    live, stub = run(make)
    replayed, _ = run(make, *log(stub))
    assert "child context failed for operation 'map-item-0': ValueError: no funds" == str(
        live.errors[0]
    )
    assert str(live.errors[0]) == str(replayed.errors[0])
    assert live.errors[0].args == replayed.errors[0].args


# --- map -------------------------------------------------------------------------------------------


def double(ctx, item):
    return (yield ctx.step("double", lambda: item * 2))


def test_map_runs_its_flow_for_each_item_in_order():
    """A map is a fan-out of sub type Map over MapItem contexts, named by their index."""
    batch, stub = run(lambda ctx: ctx.map("m", [10, 20, 30], double))
    assert [20, 40, 60] == batch.values
    contexts = [(u["SubType"], u["Name"]) for u in stub.updates if u["Action"] == "START"]
    items = [("MapItem", f"map-item-{i}") for i in range(3)]
    assert [("Map", "m"), *items] == [row for row in contexts if row[0].startswith("Map")]


def test_map_items_are_named_by_item_name():
    """item_name is given the item and its index."""
    name = lambda item, i: f"{item}-{i}"  # noqa: E731
    batch, _ = run(lambda ctx: ctx.map("m", ["a", "b"], lambda ctx, x: x, item_name=name))
    assert ["a-0", "b-1"] == [item.name for item in batch]


def test_map_of_nothing_is_over_at_once():
    """No items: a START and a SUCCEED, and an empty batch."""
    batch, stub = run(lambda ctx: ctx.map("m", [], double))
    assert ([], 2) == (batch.values, len(stub.updates))


def test_map_item_failures_are_captured_wherever_they_are():
    """Items that fail first, in the middle and last leave the others alone."""

    def odd(ctx, n):
        return n if n % 2 else fail(ctx)

    batch, _ = run(lambda ctx: ctx.map("m", range(5), odd))
    assert [1, 3] == batch.values
    assert [0, 2, 4] == [item.index for item in batch if item.status == "FAILED"]


def nap_and(name):
    def flow(ctx, item):
        yield ctx.wait(f"{name}-{item}", 30)
        return item

    return flow


def started(stub):
    return [u["Name"] for u in stub.updates if u["Action"] == "START" and u["Type"] == "WAIT"]


def test_map_in_waves_begins_a_wave_when_the_one_before_has_ended():
    """batch_size is a barrier: no item of the next wave begins while one of this wave goes on."""
    make = lambda ctx: ctx.map("m", range(5), nap_and("nap"), batch_size=2)  # noqa: E731
    _, first = run(make)
    assert ["nap-0", "nap-1"] == started(first)
    _, second = run(make, *log(first, "nap-0"))
    assert [] == started(second)
    _, second = run(make, *log(first, "nap-0", "nap-1"))
    assert ["nap-2", "nap-3"] == started(second)


def test_max_concurrency_is_a_sliding_bound():
    """max_concurrency lets the next item begin as soon as one has ended."""
    make = lambda ctx: ctx.map("m", range(4), nap_and("nap"), max_concurrency=2)  # noqa: E731
    _, first = run(make)
    assert ["nap-0", "nap-1"] == started(first)
    _, second = run(make, *log(first, "nap-1"))
    assert ["nap-2"] == started(second)


def test_bound_of_one_runs_one_after_the_other():
    """With max_concurrency=1 a branch ends before the next begins."""
    make = lambda ctx: ctx.map("m", [1, 2], double, max_concurrency=1)  # noqa: E731
    _, stub = run(make)
    names = [f"{u['Action']} {u['Name']}" for u in stub.updates if u["Type"] == "CONTEXT"]
    expected = ["START m"]
    for i in range(2):
        expected += [f"START map-item-{i}", f"SUCCEED map-item-{i}"]
    assert [*expected, "SUCCEED m"] == names


@pytest.mark.parametrize("option", ["batch_size", "max_concurrency"])
@pytest.mark.parametrize("value", [0, -1, True, 1.5])
def test_bounds_below_one_are_refused(option, value):
    """A bound is a whole number of at least 1, and is refused where it is given."""
    envelope, stub = run(lambda ctx: ctx.map("m", [1], double, **{option: value}))
    assert "UsageError" == failure(envelope)[0]
    assert [] == stub.calls


# --- completion ------------------------------------------------------------------------------------


def test_enough_successes_end_a_fan_out():
    """min_successful ends it as soon as that many succeeded; the rest is given up."""
    completion = Completion(min_successful=1)
    waiting = lambda ctx: (yield ctx.wait("nap", 30))  # noqa: E731
    make = lambda ctx: ctx.parallel("p", [waiting, give(2)], completion=completion)  # noqa: E731
    batch, stub = run(make)
    assert [2] == batch.values
    assert "MIN_SUCCESSFUL_REACHED" == batch.reason
    assert ["STARTED", "SUCCEEDED"] == [item.status for item in batch]
    replayed, second = run(make, *log(stub))
    assert batch == replayed
    assert [] == second.calls


def test_too_many_failures_end_a_fan_out():
    """More failures than are tolerated end it, and the items not begun stay so."""
    completion = Completion(tolerated_failures=0)
    make = lambda ctx: ctx.map(  # noqa: E731
        "m", range(3), lambda ctx, n: fail(ctx), max_concurrency=1, completion=completion
    )
    batch, _ = run(make)
    assert "FAILURE_TOLERANCE_EXCEEDED" == batch.reason
    assert ["FAILED", "NOT_STARTED", "NOT_STARTED"] == [item.status for item in batch]


def test_tolerated_failures_do_not_end_a_fan_out():
    """As many failures as are tolerated change nothing."""
    completion = Completion(tolerated_failures=1)
    batch, _ = run(lambda ctx: ctx.parallel("p", [fail, give(2)], completion=completion))
    assert "ALL_COMPLETED" == batch.reason


def test_tolerated_percentage_is_of_all():
    """More than that share of all branches must fail to end it."""
    completion = Completion(tolerated_percentage=50)
    flows = [fail, give(1), fail, fail]
    make = lambda ctx: ctx.parallel("p", flows, max_concurrency=1, completion=completion)  # noqa: E731
    batch, _ = run(make)
    assert "FAILURE_TOLERANCE_EXCEEDED" == batch.reason
    completion = Completion(tolerated_percentage=75)
    assert "ALL_COMPLETED" == run(make)[0].reason


def test_predicate_ends_a_fan_out():
    """A predicate on the progress may end it."""
    over = lambda progress: progress.completed == 2  # noqa: E731
    make = lambda ctx: ctx.map(  # noqa: E731
        "m", range(4), lambda ctx, n: n, max_concurrency=1, completion=over
    )
    batch, _ = run(make)
    assert ([0, 1], "PREDICATE_SATISFIED") == (batch.values, batch.reason)


def test_more_successes_than_branches_are_refused():
    """A fan-out that could never be over is an error where it is made."""
    completion = Completion(min_successful=3)
    envelope, _ = run(lambda ctx: ctx.parallel("p", [give(1)], completion=completion))
    assert "UsageError" == failure(envelope)[0]


def test_early_end_is_found_again_though_it_was_large():
    """Law 9: which branches counted is recorded; a replay by the children ends the same way."""

    def large(ctx):
        return "x" * (KIB_256 + 1)

    completion = Completion(min_successful=1)
    waiting = lambda ctx: (yield ctx.wait("nap", 30))  # noqa: E731
    make = lambda ctx: ctx.parallel("p", [waiting, large], completion=completion)  # noqa: E731
    batch, stub = run(make)
    replayed, second = run(make, *log(stub, "nap"))  # the loser's wait is over meanwhile
    assert ["STARTED", "SUCCEEDED"] == [item.status for item in replayed]
    assert batch == replayed
    assert [] == second.calls
