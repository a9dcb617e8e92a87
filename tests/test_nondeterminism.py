"""Law 10: a log that does not fit is an error at the user's line, and user code cannot swallow it."""

from __future__ import annotations

import pytest

from durable_gen import durable
from replays import failure, log, place
from stub import Stub, event, result

WHY = (
    "A flow must yield the same operations in the same order for as long as one of its executions "
    "runs. Was it changed and deployed over a running execution, or does it depend on the clock, "
    "random numbers, the environment or the order of a set outside a step?"
)


def nothing(*_):
    return None


def replay(before, now, *over):
    """Run one flow, then another over its log; no update may follow from a log that does not fit."""
    first, second = Stub(), Stub()
    assert {"Status": "PENDING"} == durable(backend=first)(before)(event())
    return durable(backend=second)(now)(event(*log(first, *over)))


def misfit(where, does, place_in_log, had, *rows):
    """Say what is expected of a log that does not fit.

    Args:
        where: the user's line.
        does: what the code does there.
        place_in_log: which operation that is.
        had: what the log has there.
        rows: the operations around it.
    """
    head = (
        f"{where}: the code {does} {place_in_log}, and the log of this execution has {had} there:"
    )
    return "NonDeterminismError", "\n".join([head, *rows, WHY])


def base(event, ctx):
    yield ctx.step("reserve", nothing)
    yield ctx.step("charge", nothing)
    yield ctx.wait("settle", 5)
    yield ctx.step("ship", nothing)


def test_log_that_fits_is_no_error():
    """The same code over its own log goes on where it was."""
    assert None is result(replay(base, base, "settle"))


def test_other_type_names_both():
    """An operation of another type is an error that names what the log has and what the code did."""

    def now(event, ctx):
        yield ctx.step("reserve", nothing)
        yield ctx.wait("charge", 5)
        yield ctx.wait("settle", 5)

    assert misfit(
        place(now, 'ctx.wait("charge"'),
        "yields wait 'charge'",
        "as operation 2",
        "step 'charge'",
        "      1  step 'reserve', SUCCEEDED",
        "  >   2  step 'charge', SUCCEEDED",
        "         the code: wait 'charge'",
        "      3  wait 'settle', STARTED",
    ) == failure(replay(base, now))


def test_other_sub_type_names_both():
    """An operation of another sub type is an error though type and name agree."""

    def now(event, ctx):
        yield ctx.step("reserve", nothing)
        yield ctx.wait_for_condition("charge", nothing)

    assert misfit(
        place(now, "ctx.wait_for_condition"),
        "yields wait_for_condition 'charge'",
        "as operation 2",
        "step 'charge'",
        "      1  step 'reserve', SUCCEEDED",
        "  >   2  step 'charge', SUCCEEDED",
        "         the code: wait_for_condition 'charge'",
        "      3  wait 'settle', STARTED",
    ) == failure(replay(base, now))


def test_other_sub_type_of_the_users_own_is_shown():
    """Two child contexts that differ in the user's own sub type alone do not read alike."""

    def payment(ctx):
        yield ctx.wait("settle", 5)

    def before(event, ctx):
        yield ctx.child("payment", payment, sub_type="Card")

    def now(event, ctx):
        yield ctx.child("payment", payment, sub_type="Cash")

    assert misfit(
        place(now, "ctx.child"),
        "yields child context 'payment' (Cash)",
        "as operation 1",
        "child context 'payment' (Card)",
        "  >   1  child context 'payment' (Card), STARTED",
        "         the code: child context 'payment' (Cash)",
    ) == failure(replay(before, now))


def test_other_name_names_both():
    """A renamed step is an error."""

    def now(event, ctx):
        yield ctx.step("reserve", nothing)
        yield ctx.step("charge card", nothing)

    assert misfit(
        place(now, '"charge card"'),
        "yields step 'charge card'",
        "as operation 2",
        "step 'charge'",
        "      1  step 'reserve', SUCCEEDED",
        "  >   2  step 'charge', SUCCEEDED",
        "         the code: step 'charge card'",
        "      3  wait 'settle', STARTED",
    ) == failure(replay(base, now))


def test_name_left_out_is_an_error():
    """A step that lost its name is another step."""

    def now(event, ctx):
        yield ctx.step("reserve", nothing)
        yield ctx.step(None, nothing)

    assert misfit(
        place(now, "ctx.step(None"),
        "yields step without a name",
        "as operation 2",
        "step 'charge'",
        "      1  step 'reserve', SUCCEEDED",
        "  >   2  step 'charge', SUCCEEDED",
        "         the code: step without a name",
        "      3  wait 'settle', STARTED",
    ) == failure(replay(base, now))


def test_step_removed_at_the_end_is_an_error():
    """A flow that ends before its history does is an error that names what is left."""

    def now(event, ctx):
        yield ctx.step("reserve", nothing)
        yield ctx.step("charge", nothing)

    assert misfit(
        place(now),
        "ends",
        "before operation 3",
        "wait 'settle'",
        "      1  step 'reserve', SUCCEEDED",
        "      2  step 'charge', SUCCEEDED",
        "  >   3  wait 'settle', STARTED",
        "         the code: ends here",
    ) == failure(replay(base, now))


def test_step_removed_in_the_middle_is_an_error():
    """What came after a removed step stands in its place."""

    def now(event, ctx):
        yield ctx.step("reserve", nothing)
        yield ctx.wait("settle", 5)

    assert misfit(
        place(now, "ctx.wait"),
        "yields wait 'settle'",
        "as operation 2",
        "step 'charge'",
        "      1  step 'reserve', SUCCEEDED",
        "  >   2  step 'charge', SUCCEEDED",
        "         the code: wait 'settle'",
        "      3  wait 'settle', STARTED",
    ) == failure(replay(base, now))


def test_step_inserted_is_an_error():
    """An inserted step stands where another was; it does not run."""
    ran = []

    def now(event, ctx):
        yield ctx.step("check", ran.append, 1)
        yield ctx.step("reserve", nothing)

    assert misfit(
        place(now, '"check"'),
        "yields step 'check'",
        "as operation 1",
        "step 'reserve'",
        "  >   1  step 'reserve', SUCCEEDED",
        "         the code: step 'check'",
        "      2  step 'charge', SUCCEEDED",
        "      3  wait 'settle', STARTED",
    ) == failure(replay(base, now))
    assert [] == ran


def test_branch_changed_is_an_error():
    """What a branch of a parallel did is compared by its path."""

    def pack(ctx):
        yield ctx.step("pack", nothing)
        yield ctx.wait("settle", 5)

    def wrap(ctx):
        yield ctx.step("wrap", nothing)

    def before(event, ctx):
        yield ctx.parallel("ship", {"goods": pack, "papers": pack})

    def now(event, ctx):
        yield ctx.parallel("ship", {"goods": pack, "papers": wrap})

    assert misfit(
        place(wrap, "ctx.step"),
        "yields step 'ship/papers/wrap'",
        "as operation 1 of 'ship/papers'",
        "step 'ship/papers/pack'",
        "  >   1  step 'pack', SUCCEEDED",
        "         the code: step 'wrap'",
        "      2  wait 'settle', SUCCEEDED",
    ) == failure(replay(before, now, "settle"))


def test_branch_renamed_is_an_error():
    """A branch of another name is another branch."""

    def pack(ctx):
        yield ctx.wait("settle", 5)

    def before(event, ctx):
        yield ctx.parallel("ship", {"goods": pack, "papers": pack})

    def now(event, ctx):
        yield ctx.parallel("ship", {"goods": pack, "bills": pack})

    assert misfit(
        place(now, "ctx.parallel"),
        "yields branch 'ship/bills'",
        "as operation 2 of 'ship'",
        "branch 'ship/papers'",
        "      1  branch 'goods', STARTED",
        "  >   2  branch 'papers', STARTED",
        "         the code: branch 'bills'",
    ) == failure(replay(before, now))


def test_child_flow_changed_is_an_error_in_the_child():
    """What a child's flow did is compared by its path, and its own line is named."""

    def payment(ctx):
        yield ctx.step("charge", nothing)
        yield ctx.wait("settle", 5)

    def changed(ctx):
        yield ctx.step("refund", nothing)
        yield ctx.wait("settle", 5)

    def before(event, ctx):
        yield ctx.child("payment", payment)

    def now(event, ctx):
        yield ctx.child("payment", changed)

    assert misfit(
        place(changed, "ctx.step"),
        "yields step 'payment/refund'",
        "as operation 1 of 'payment'",
        "step 'payment/charge'",
        "  >   1  step 'charge', SUCCEEDED",
        "         the code: step 'refund'",
        "      2  wait 'settle', STARTED",
    ) == failure(replay(before, now))


def test_child_flow_cut_short_is_an_error_in_the_child():
    """A child's flow that ends before its history does is an error though its parent goes on."""

    def payment(ctx):
        yield ctx.step("charge", nothing)
        yield ctx.wait("settle", 5)

    def changed(ctx):
        yield ctx.step("charge", nothing)

    def before(event, ctx):
        yield ctx.child("payment", payment)

    def now(event, ctx):
        yield ctx.child("payment", changed)
        yield ctx.step("after", nothing)

    assert misfit(
        place(changed),
        "ends",
        "before operation 2 of 'payment'",
        "wait 'payment/settle'",
        "      1  step 'charge', SUCCEEDED",
        "  >   2  wait 'settle', STARTED",
        "         the code: ends here",
    ) == failure(replay(before, now))


def test_child_renamed_is_an_error():
    """A child of another name is another child; its flow is not entered."""
    entered = []

    def payment(ctx):
        entered.append(ctx.name)
        yield ctx.wait("settle", 5)

    def before(event, ctx):
        yield ctx.child("payment", payment)

    def now(event, ctx):
        yield ctx.child("payments", payment)

    assert misfit(
        place(now, "ctx.child"),
        "yields child context 'payments'",
        "as operation 1",
        "child context 'payment'",
        "  >   1  child context 'payment', STARTED",
        "         the code: child context 'payments'",
    ) == failure(replay(before, now))
    assert ["payment"] == entered


def test_child_taken_off_the_wire_is_an_error():
    """A child that becomes virtual leaves a record that nobody comes to."""

    def payment(ctx):
        yield ctx.step("charge", nothing)
        yield ctx.wait("settle", 5)

    def before(event, ctx):
        yield ctx.child("payment", payment)

    def now(event, ctx):
        yield ctx.child("payment", payment, virtual=True)

    kind, text = failure(replay(before, now))
    assert "NonDeterminismError" == kind
    assert "child context 'payment'" in text


# --- fan-outs ----------------------------------------------------------------------------------------


def pack(ctx, item):
    yield ctx.step("pack", nothing)
    yield ctx.wait("settle", 5)


def quick(ctx, item):
    return (yield ctx.step("pack", abs, item))


def test_map_with_fewer_items_is_an_error_when_it_ends():
    """Items whose records no code comes to are an error before the map's end is recorded."""

    def before(event, ctx):
        yield ctx.map("ship", [1, 2, 3], pack)

    def now(event, ctx):
        yield ctx.map("ship", [1, 2], pack)

    kind, text = failure(replay(before, now, "settle"))
    assert "NonDeterminismError" == kind
    assert text.startswith(f"{place(now, 'ctx.map')}: ")
    assert "item 'ship/map-item-2'" in text


def test_flat_map_with_fewer_items_is_an_error_when_it_ends():
    """Items that are off the wire leave their operations' records, which no code comes to."""

    def before(event, ctx):
        yield ctx.map("ship", [1, 2, 3], pack, nesting="flat")

    def now(event, ctx):
        yield ctx.map("ship", [1, 2], pack, nesting="flat")

    kind, text = failure(replay(before, now, "settle"))
    assert "NonDeterminismError" == kind
    assert text.startswith(f"{place(now, 'ctx.map')}: ")


def test_all_of_fewer_operations_is_an_error_when_it_ends():
    """The same of the operations given to a combinator."""

    def before(event, ctx):
        yield ctx.all(ctx.wait("settle", 5), ctx.step("charge", nothing), ctx.step("ship", nothing))

    def now(event, ctx):
        yield ctx.all(ctx.wait("settle", 5), ctx.step("charge", nothing))

    kind, text = failure(replay(before, now, "settle"))
    assert "NonDeterminismError" == kind
    assert text.startswith(f"{place(now, 'ctx.all')}: ")


@pytest.mark.parametrize("items", [[1, 2], [1, 2, 3, 4]], ids=["fewer", "more"])
def test_map_that_is_over_with_another_number_of_items_is_an_error(items):
    """A batch is as long as it was recorded; results are neither lost nor made up."""

    def before(event, ctx):
        yield ctx.map("ship", [1, 2, 3], quick)
        yield ctx.wait("settle", 5)

    def now(event, ctx):
        batch = yield ctx.map("ship", items, quick)
        yield ctx.wait("settle", 5)
        return batch.values

    kind, text = failure(replay(before, now, "settle"))
    assert "NonDeterminismError" == kind
    assert text.startswith(f"{place(now, 'ctx.map')}: ")
    assert "map 'ship'" in text


def test_map_with_more_items_that_is_not_over_goes_on():
    """More items than were begun is what `max_concurrency` looks like: no error."""

    def before(event, ctx):
        yield ctx.map("ship", [1, 2, 3], pack, max_concurrency=1)

    assert {"Status": "PENDING"} == replay(before, before)


# --- contexts whose flow runs again ---------------------------------------------------------------------

LARGE = "x" * 300_000


def large(ctx):
    yield ctx.step("fetch", nothing)
    return LARGE


def with_large(flow):
    def before(event, ctx):
        yield ctx.child("report", flow)
        yield ctx.wait("settle", 5)

    return before


def test_large_child_runs_again_without_error():
    """A child whose result was too large to keep finds it again from its own records."""

    def now(event, ctx):
        report = yield ctx.child("report", large)
        yield ctx.wait("settle", 5)
        return len(report)

    assert 300_000 == result(replay(with_large(large), now, "settle"))


def test_large_child_that_now_raises_is_an_error():
    """A child that succeeded and now raises does not do what the log says."""

    def now(ctx):
        yield ctx.step("fetch", nothing)
        raise ValueError("no report")

    assert (
        "NonDeterminismError",
        (
            f"{place(now)}: by the log of this execution 'report' succeeded, and now it raised "
            "ValueError: no report"
        ),
    ) == failure(replay(with_large(large), with_large(now)))


def test_large_child_with_a_step_removed_is_an_error():
    """A flow that runs again must come to all its records."""

    def now(ctx):
        yield from ()
        return LARGE

    assert misfit(
        place(now),
        "ends",
        "before operation 1 of 'report'",
        "step 'report/fetch'",
        "  >   1  step 'fetch', SUCCEEDED",
        "         the code: ends here",
    ) == failure(replay(with_large(large), with_large(now)))


def test_large_child_with_a_step_added_is_an_error():
    """A flow that runs again only finds what it did: it does nothing new in a context that is over."""
    ran = []

    def now(ctx):
        yield ctx.step("fetch", nothing)
        yield ctx.step("print", ran.append, 1)
        return LARGE

    kind, text = failure(replay(with_large(large), with_large(now)))
    assert "NonDeterminismError" == kind
    assert text.startswith(f"{place(now, 'print')}: the code yields step 'report/print' ")
    assert [] == ran


# --- a flow that raises earlier than its history -------------------------------------------------------


def test_flow_that_raises_before_its_history_ends_is_an_error():
    """An error raised earlier than before is a log that does not fit, and says what was raised."""

    def now(event, ctx):
        yield ctx.step("reserve", nothing)
        raise ValueError("sold out")

    assert misfit(
        place(now, "raise ValueError"),
        "raises ValueError: sold out",
        "before operation 2",
        "step 'charge'",
        "      1  step 'reserve', SUCCEEDED",
        "  >   2  step 'charge', SUCCEEDED",
        "         the code: raises ValueError: sold out",
        "      3  wait 'settle', STARTED",
    ) == failure(replay(base, now))


def test_child_that_raises_before_its_history_ends_is_an_error():
    """The same in a child, whose parent cannot catch it."""

    def payment(ctx):
        yield ctx.step("charge", nothing)
        yield ctx.wait("settle", 5)

    def changed(ctx):
        raise ValueError("sold out")
        yield

    def before(event, ctx):
        yield ctx.child("payment", payment)

    def now(event, ctx):
        try:
            yield ctx.child("payment", changed)
        except Exception:
            return "fine"

    assert misfit(
        place(changed, "raise ValueError"),
        "raises ValueError: sold out",
        "before operation 1 of 'payment'",
        "step 'payment/charge'",
        "  >   1  step 'charge', SUCCEEDED",
        "         the code: raises ValueError: sold out",
        "      2  wait 'settle', STARTED",
    ) == failure(replay(before, now))


def test_records_that_no_code_came_to_are_an_error_at_the_end():
    """What a virtual child left in the log is missed when the child is gone."""

    def payment(ctx):
        yield ctx.step("charge", nothing)

    def before(event, ctx):
        yield ctx.child("payment", payment, virtual=True)
        yield ctx.wait("settle", 5)

    def now(event, ctx):
        yield ctx.child("payment", nothing, virtual=True)
        yield ctx.wait("settle", 5)

    assert misfit(
        place(nothing),
        "ends",
        "before operation 1 of 'payment'",
        "step 'payment/charge'",
        "  >   1  step 'charge', SUCCEEDED",
        "         the code: ends here",
    ) == failure(replay(before, now, "settle"))


# --- user code cannot swallow it -------------------------------------------------------------------------


def test_misfit_cannot_be_swallowed_by_except_exception():
    """`try: ... except Exception` around the yield neither hides it nor runs."""
    after = []

    def now(event, ctx):
        yield ctx.step("reserve", nothing)
        try:
            yield ctx.step("refund", after.append, "refund")
        except Exception:
            after.append("caught")
        yield ctx.step("after", after.append, "after")

    kind, text = failure(replay(base, now))
    assert "NonDeterminismError" == kind
    assert text.startswith(f"{place(now, 'refund')}: the code yields step 'refund' ")
    assert [] == after


def test_misfit_cannot_be_swallowed_by_a_bare_except():
    """A bare `except` around the yield neither hides it nor runs."""
    after = []

    def now(event, ctx):
        yield ctx.step("reserve", nothing)
        try:
            yield ctx.step("refund", nothing)
        except:  # noqa: E722
            after.append("caught")
        finally:
            after.append("finally")
        return "fine"

    assert "NonDeterminismError" == failure(replay(base, now))[0]
    assert [] == after


def test_misfit_in_a_branch_cannot_be_swallowed_by_settled():
    """A combinator that never raises does not hide a branch whose log does not fit."""

    def payment(ctx):
        yield ctx.step("charge", nothing)
        yield ctx.wait("settle", 5)

    def changed(ctx):
        yield ctx.step("refund", nothing)
        yield ctx.wait("settle", 5)

    def before(event, ctx):
        yield ctx.settled(payment)

    def now(event, ctx):
        changed.__name__ = "payment"
        yield ctx.settled(changed)
        return "fine"

    assert "NonDeterminismError" == failure(replay(before, now))[0]


# --- where the flow of a context is the library's, or only makes an operation -------------------------------


def of_all(ctx, name):
    return ctx.all(ctx.step(name, nothing), ctx.wait("day", days=1))


def of_a_child(ctx, name):
    return ctx.child("one", lambda child: child.all(child.step(name, nothing), child.wait("d", 9)))


def of_a_map(ctx, name):
    def item(child, seconds):
        return child.all(child.step(name, nothing), child.wait("day", seconds))

    return ctx.map("items", [9], item)


@pytest.mark.parametrize("make", [of_all, of_a_child, of_a_map])
def test_misfit_where_no_line_is_the_users_then_the_line_that_waits_is_named(make):
    """Inside a combinator's branch or a function that only makes an operation no line yields it."""

    def before(event, ctx):
        yield make(ctx, "a")

    def now(event, ctx):
        yield make(ctx, "b")

    kind, text = failure(replay(before, now))
    assert ("NonDeterminismError", place(now, "yield make")) == (kind, text.partition(": the")[0])


def test_misfit_of_the_operation_that_a_handler_returns_then_the_handler_is_named():
    """A handler that only makes one operation has no line that yields it."""

    def now(event, ctx):
        return ctx.wait("b", 9)

    kind, text = failure(replay(lambda event, ctx: ctx.wait("a", 9), now))
    assert ("NonDeterminismError", place(now)) == (kind, text.partition(": the")[0])


# --- leftovers that are no error ---------------------------------------------------------------------------


def test_records_of_a_losing_branch_are_no_error():
    """What a loser of a race left in the log need not be come to."""

    def slow(ctx):
        yield ctx.step("prepare", nothing)
        yield ctx.wait("slow", 500)

    def before(event, ctx):
        first = yield ctx.race(slow, ctx.wait("short", 5))
        yield ctx.wait("settle", 5)
        return first

    first, second, third = Stub(), Stub(), Stub()
    assert {"Status": "PENDING"} == durable(backend=first)(before)(event())
    once = log(first, "short")
    assert {"Status": "PENDING"} == durable(backend=second)(before)(event(*once))
    ids = {record["Id"] for record in log(second)}
    twice = [record for record in once if record["Id"] not in ids] + log(second, "settle")
    assert "slow" in [record.get("Name") for record in twice]
    assert None is result(durable(backend=third)(before)(event(*twice)))


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "pruned"])
def test_records_inside_a_child_that_is_over_are_no_error(kept):
    """A child that is over is not entered: its records may be there or pruned."""

    def payment(ctx):
        yield ctx.step("charge", nothing)
        yield ctx.child("inner", lambda inner: (yield inner.step("deep", nothing)))
        return "paid"

    def flow(event, ctx):
        paid = yield ctx.child("payment", payment)
        yield ctx.wait("settle", 5)
        return paid

    first, second = Stub(), Stub()
    assert {"Status": "PENDING"} == durable(backend=first)(flow)(event())
    records = [one for one in log(first, "settle") if kept or "ParentId" not in one]
    assert (5 if kept else 2) == len(records)
    assert "paid" == result(durable(backend=second)(flow)(event(*records)))


def test_flow_of_a_child_that_is_over_may_change():
    """The flow of a child that is over is not entered, so it may have changed."""

    def payment(ctx):
        yield ctx.step("charge", nothing)

    def changed(ctx):
        yield ctx.step("refund", nothing)

    def before(event, ctx):
        yield ctx.child("payment", payment)
        yield ctx.wait("settle", 5)

    def now(event, ctx):
        yield ctx.child("payment", changed)
        yield ctx.wait("settle", 5)

    assert None is result(replay(before, now, "settle"))
