"""Child contexts: what is sent of one, and what is found again of one."""

from __future__ import annotations

from children import ROOT_1, child_record, id_of, reading
from durable_gen import durable
from replays import log
from stub import Stub, event, logged, result

# --- what is sent ----------------------------------------------------------------------------------


def test_child_that_yields_nothing_sends_start_and_succeed():
    """A child context is one START and one SUCCEED of sub type Context, with its value as JSON."""
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        return (yield ctx.child("seq_test", lambda child: 99))

    assert 99 == result(handler(event()))
    identity = {"Id": ROOT_1, "Type": "CONTEXT", "SubType": "Context", "Name": "seq_test"}
    expected = [
        {**identity, "Action": "START"},
        {
            **identity,
            "Action": "SUCCEED",
            "Payload": "99",
            "ContextOptions": {"ReplayChildren": False},
        },
    ]
    assert expected == stub.updates


def test_child_with_a_step_sends_its_end_last():
    """The updates go out as they were emitted: the context is open around what is inside."""
    stub = Stub()

    def sub_workflow(child):
        return (yield child.step("inner_step", lambda: 42))

    @durable(backend=stub)
    def handler(event, ctx):
        return (yield ctx.child("sub_workflow", sub_workflow))

    assert 42 == result(handler(event()))
    expected = [
        "CONTEXT START sub_workflow",
        "STEP START inner_step",
        "STEP SUCCEED inner_step 42",
        "--",
        "CONTEXT SUCCEED sub_workflow 42",
        "--",
    ]
    assert expected == stub.stream


def test_child_without_a_name_sends_none():
    """An absent name is left out of the update; the service allows no empty one."""
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.child(None, lambda child: 1)

    handler(event())
    assert [] == [update for update in stub.updates if "Name" in update]


def test_child_with_a_sub_type_sends_that():
    """`sub_type=` takes the place of the dialect's word."""
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.child("x", lambda child: 1, sub_type="Payment")

    handler(event())
    assert ["Payment", "Payment"] == [update["SubType"] for update in stub.updates]


def test_virtual_child_is_kept_off_the_wire():
    """A virtual child has no record; what is inside hangs on the nearest context that has one."""
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        return (
            yield ctx.child("v", lambda child: (yield child.step("s", lambda: 7)), virtual=True)
        )

    assert 7 == result(handler(event()))
    assert ["STEP START s", "STEP SUCCEED s 7", "--"] == stub.stream
    assert {id_of(1, 1)} == {update["Id"] for update in stub.updates}
    assert [] == [update for update in stub.updates if "ParentId" in update]


# --- ids, parents and tokens -----------------------------------------------------------------------


def test_ids_are_the_golden_ones():
    """Ids are blake2b of the position, prefixed by the context's id: the same as other SDKs' (law 4)."""
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.child("first", lambda child: (yield child.step("inner", int)))
        yield ctx.step("second", int)

    handler(event())
    ids = {update["Name"]: update["Id"] for update in stub.updates}
    assert ids["first"] == ROOT_1
    assert ids["second"].startswith("c5faca15")
    assert ids["second"].endswith("3947e6")
    assert ids["inner"].startswith("974bfc63")
    assert ids["inner"].endswith("20fc4")


def test_same_name_in_parent_and_child_gives_each_its_own():
    """Ids come from positions, never from names: equal names do not collide."""
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        mine = yield ctx.step("work", lambda: "parent")
        theirs = yield ctx.child("sub", lambda child: (yield child.step("work", lambda: "child")))
        return [mine, theirs]

    assert ["parent", "child"] == result(handler(event()))
    assert {id_of(1), id_of(2, 1)} == {u["Id"] for u in stub.updates if u["Name"] == "work"}


def test_everything_inside_names_its_parent():
    """Each update of an operation inside a context carries the context's id, of every kind."""
    made = logged({"Id": id_of(1, 3), "Type": "CALLBACK"}, "STARTED", CallbackId="c-1")
    stub = Stub([], [], [made])

    def inside(child):
        yield child.step("step", int)
        yield child.child("child", lambda inner: 0)
        callback = yield child.callback("callback")
        yield child.all(
            child.wait("wait", 5),
            child.invoke("invoke", "other"),
            child.wait_for_condition("condition", lambda state: False),
            callback.result(),
        )

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.child("outer", inside)

    assert {"Status": "PENDING"} == handler(event())
    parents = {u["Name"]: u.get("ParentId") for u in stub.updates}
    direct = dict.fromkeys(["step", "child", "callback", "all"], ROOT_1)
    combined = dict.fromkeys(["wait", "invoke", "condition"], id_of(1, 4))
    assert {"outer": None, **direct, **combined} == parents


def test_five_levels_nest():
    """Contexts nest to any depth; the ends go out from the inside to the outside."""
    stub = Stub()

    def level(ctx, depth):
        if depth == 5:
            return (yield ctx.step("deep", lambda: depth))
        return (yield ctx.child(f"level-{depth + 1}", level, depth + 1))

    @durable(backend=stub)
    def handler(event, ctx):
        return (yield ctx.child("level-1", level, 1))

    assert 5 == result(handler(event()))
    levels = [f"level-{n}" for n in range(1, 6)]
    names = [update["Name"] for update in stub.updates]
    assert [*levels, "deep", "deep", *reversed(levels)] == names
    path = [1] * 6
    parents = {u["Name"]: u.get("ParentId") for u in stub.updates}
    expected = {name: id_of(*path[:n]) for n, name in enumerate([*levels, "deep"])}
    assert expected == parents


def test_outer_multiplies_what_inner_found():
    """A child's value is its parent's to work with."""

    def inner(ctx):
        return (yield ctx.step("deep_step", lambda: 7))

    def outer(ctx):
        return (yield ctx.child("inner", inner)) * 6

    @durable(backend=Stub())
    def handler(event, ctx):
        return (yield ctx.child("outer", outer))

    assert 42 == result(handler(event()))


def test_one_token_goes_through_nested_contexts():
    """Each checkpoint carries the token that the one before answered, however deep it is (law 1)."""
    stub = Stub()

    def inner(ctx):
        yield ctx.step("a", int)
        yield ctx.step("b", int)

    def outer(ctx):
        yield ctx.child("inner", inner)
        yield ctx.step("c", int)

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.child("outer", outer)
        yield ctx.step("d", int)

    assert result(handler(event())) is None
    tokens = [call["CheckpointToken"] for call in stub.calls]
    assert [f"t{n}" for n in range(len(tokens))] == tokens
    assert len(tokens) > 4


def test_plain_function_is_a_flow_that_yields_nothing():
    """A child's flow may be a plain function; it gets a context and the arguments."""

    @durable(backend=Stub())
    def handler(event, ctx):
        return (yield ctx.child("sum", lambda child, a, b: a + b, 2, 3))

    assert 5 == result(handler(event()))


# --- what is found again ---------------------------------------------------------------------------


def test_recorded_child_is_neither_run_nor_sent():
    """A child that succeeded gives its recorded value: no body, no checkpoint."""
    stub, seen = Stub(), []
    handler = durable(backend=stub)(reading(seen))
    handler(event(child_record("SUCCEEDED", Result="42", ReplayChildren=False)))
    assert [42] == seen
    assert [] == stub.calls


def test_recorded_child_without_a_result_gives_none():
    """A record that succeeded and holds no result stands for None."""
    seen = []
    durable(backend=Stub())(reading(seen))(event(child_record("SUCCEEDED")))
    assert [None] == seen


def test_recorded_child_with_an_undecodable_result_is_an_error_that_names_it():
    """A stored text that is no JSON is a DeserializationError that names the operation."""
    seen = []
    durable(backend=Stub())(reading(seen))(event(child_record("SUCCEEDED", Result="{oops")))
    (error,) = seen
    assert error.code == "DESERIALIZATION"
    assert str(error).startswith("child context 'x': '{oops' is not JSON")


def test_live_value_equals_the_replayed_one():
    """What was logged is delivered, never the raw return: a tuple is a list both times (law 3)."""
    stub, seen = Stub(), []

    @durable(backend=stub)
    def handler(event, ctx):
        seen.append((yield ctx.child("x", lambda child: (1, (2, 3)))))

    handler(event())
    handler.using(Stub())(event(*log(stub)))
    assert [[1, [2, 3]], [1, [2, 3]]] == seen


def test_suspended_child_writes_nothing_of_its_own():
    """A suspension is no end: beyond its START the context has no update (law 5)."""
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.child("x", lambda child: (yield child.wait("nap", 30)))

    assert {"Status": "PENDING"} == handler(event())
    assert ["CONTEXT START x", "WAIT START nap", "--"] == stub.stream


def test_suspended_child_runs_no_except_and_no_finally():
    """User code cannot see a suspension, in a child as little as elsewhere (law 6)."""
    seen = []

    def body(child):
        try:
            yield child.wait("nap", 30)
        except BaseException as error:
            seen.append(error)
            raise
        finally:
            seen.append("finally")

    @durable(backend=Stub())
    def handler(event, ctx):
        yield ctx.child("x", body)

    assert {"Status": "PENDING"} == handler(event())
    assert [] == seen


def test_started_child_is_entered_again_and_not_started_again():
    """A record left STARTED is entered: recorded steps are found, the rest runs, no second START."""
    first, second, ran = Stub(), Stub(), []

    def body(child):
        one = yield child.step("one", lambda: ran.append("one") or 1)
        yield child.wait("nap", 30)
        two = yield child.step("two", lambda: ran.append("two") or 2)
        return one + two

    @durable(backend=first)
    def handler(event, ctx):
        return (yield ctx.child("x", body))

    assert {"Status": "PENDING"} == handler(event())
    assert 3 == result(handler.using(second)(event(*log(first, "nap"))))
    assert ["one", "two"] == ran
    assert ["STEP START two", "STEP SUCCEED two 2", "--", "CONTEXT SUCCEED x 3", "--"] == (
        second.stream
    )


def test_started_child_whose_wait_goes_on_sends_nothing():
    """An invocation that finds nothing to do parks without a checkpoint."""
    first, second = Stub(), Stub()

    @durable(backend=first)
    def handler(event, ctx):
        yield ctx.child("x", lambda child: (yield child.wait("nap", 30)))

    handler(event())
    assert {"Status": "PENDING"} == handler.using(second)(event(*log(first)))
    assert [] == second.calls


def test_child_context_is_known_from_inside():
    """A child's context has the child's name; the root's has none."""
    seen = []

    @durable(backend=Stub())
    def handler(event, ctx):
        seen.append(ctx.name)
        yield ctx.child("x", lambda child: seen.append(child.name))

    handler(event())
    assert [None, "x"] == seen


def test_is_replaying_tells_of_each_context_alone():
    """A context replays while the log holds what it comes to next, whatever the others do."""
    first, seen = Stub(), []

    def body(child):
        seen.append(("child before one", child.is_replaying))
        yield child.step("one", int)
        seen.append(("child after one", child.is_replaying))
        yield child.wait("nap", 30)

    @durable(backend=first)
    def handler(event, ctx):
        seen.append(("before zero", ctx.is_replaying))
        yield ctx.step("zero", int)
        seen.append(("before x", ctx.is_replaying))
        yield ctx.child("x", body)
        seen.append(("after x", ctx.is_replaying))
        yield ctx.step("last", int)

    handler(event())
    live = ["before zero", "before x", "child before one", "child after one"]
    assert [(where, False) for where in live] == seen
    seen.clear()
    handler.using(Stub())(event(*log(first, "nap")))
    assert [(where, True) for where in live] + [("after x", False)] == seen


# --- operations are logged -------------------------------------------------------------------------


def logged_operations(caplog):
    names = ("op.name", "op.type", "op.id", "parent")
    assert {"durable_operation"} == {record.getMessage() for record in caplog.records}
    return [tuple(vars(record)[name] for name in names) for record in caplog.records]


def test_each_operation_is_logged_once_and_nests(caplog):
    """There is one DEBUG record `durable_operation` for each operation, with its parent's id."""
    caplog.set_level("DEBUG", "durable_gen.operations")

    @durable(backend=Stub())
    def handler(event, ctx):
        flow = lambda child: (yield child.step("inner_step", int))  # noqa: E731
        yield ctx.child("parent_flow", flow)
        yield ctx.step("after", int)

    handler(event())
    expected = [
        ("parent_flow", "child_context", id_of(1), None),
        ("inner_step", "step", id_of(1, 1), id_of(1)),
        ("after", "step", id_of(2), None),
    ]
    assert expected == logged_operations(caplog)


def test_replayed_operation_is_not_logged_again(caplog):
    """An operation is logged when it is first come to, not on replay."""
    caplog.set_level("DEBUG", "durable_gen.operations")
    durable(backend=Stub())(reading([]))(event(child_record("SUCCEEDED", Result="42")))
    assert [] == caplog.records
