"""A fan-out is a counter and a policy: what may begin, when it is over, and what is kept of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_gen import BatchItem, Completion, DeserializationError, durable, durable_error
from durable_gen._failure import describe
from durable_gen._fanout import Tally, read
from durable_gen._model import ErrorObject
from durable_gen._ops import Child, FanOut, Map
from durable_gen._policy import Reason
from durable_gen._results import ItemStatus
from durable_gen.errors import BatchFailed, ChildContextFailed, StepFailed
from stub import Stub, event, logged, result

NO = ErrorObject("ValueError", "no")


@durable_error
class Declined(Exception):  # noqa: N818
    """An error of the user's that is marked."""


def flow(ctx):
    yield ctx


def same(batch):
    return batch


def plain(_):
    return True


def raw(_):
    return False


def loads(_, text):
    return None if text is None else json.loads(text)


def fan(total, *, transparent=False, **options):
    children = [Child(f"b{n}", flow, transparent=transparent) for n in range(total)]
    return FanOut("all", children, same, **options)


def tally(total, summary=None, **options):
    return Tally(fan(total, **options), plain, summary)


def succeed(count, *indexes):
    for index in indexes:
        count.ended(index, str(index), None)


# --- which branches may begin ------------------------------------------------------------------------


def test_no_bound_then_all_branches_begin_at_once():
    """Without `max_concurrency` every branch may begin."""
    count = tally(3)
    assert [0, 1, 2] == count.startable()
    assert count.startable() == []


def test_bound_then_a_branch_begins_when_another_has_ended():
    """At most `max_concurrency` are under way; they begin in the order of the input."""
    count = tally(4, max_concurrency=2)
    assert [0, 1] == count.startable()
    assert count.startable() == []
    succeed(count, 1)
    assert [2] == count.startable()
    succeed(count, 0, 2)
    assert [3] == count.startable()


def test_waves_then_the_next_begins_when_the_one_before_has_ended():
    """`batch_size` items are in a wave; a wave begins when the one before has ended."""
    count = tally(5, batch_size=2)
    assert [0, 1] == count.startable()
    succeed(count, 1)
    assert count.startable() == []
    succeed(count, 0)
    assert [2, 3] == count.startable()
    succeed(count, 2, 3)
    assert [4] == count.startable()


def test_waves_and_a_bound_then_both_hold():
    """Within a wave no more than `max_concurrency` are under way."""
    count = tally(6, batch_size=3, max_concurrency=2)
    assert [0, 1] == count.startable()
    succeed(count, 0)
    assert [2] == count.startable()
    succeed(count, 1)
    assert count.startable() == []
    succeed(count, 2)
    assert [3, 4] == count.startable()


options = st.fixed_dictionaries(
    {"max_concurrency": st.none() | st.integers(1, 6), "batch_size": st.none() | st.integers(1, 6)}
)


@given(st.integers(0, 12), options, st.data())
def test_any_order_of_ends_then_each_branch_begins_once_in_order_and_within_bounds(
    total, bounds, data
):
    """Whatever ends when, no branch is lost and no bound is broken."""
    count = tally(total, **bounds)
    begun, flight = [], set()
    while True:
        new = count.startable()
        begun += new
        flight |= set(new)
        assert len(flight) <= (bounds["max_concurrency"] or total)
        size = bounds["batch_size"]
        assert size is None or len({index // size for index in flight}) <= 1
        if not flight:
            break
        index = data.draw(st.sampled_from(sorted(flight)))
        flight.discard(index)
        succeed(count, index)
    assert list(range(total)) == begun
    assert Reason.ALL_COMPLETED == count.reason()


# --- when it is over ---------------------------------------------------------------------------------


def test_empty_fan_out_then_it_is_over_at_once():
    """Nothing to do is all done."""
    assert Reason.ALL_COMPLETED == tally(0).reason()


def test_branches_under_way_then_it_is_not_over():
    """By default a fan-out waits for all its branches."""
    count = tally(2)
    count.startable()
    succeed(count, 0)
    assert count.reason() is None


def test_enough_successes_then_it_is_over_with_branches_under_way():
    """A completion ends a fan-out early; what is under way is told from what never began."""
    count = tally(4, max_concurrency=2, completion=Completion(min_successful=1))
    count.startable()
    succeed(count, 1)
    assert Reason.MIN_SUCCESSFUL_REACHED == count.reason()
    assert [
        ItemStatus.STARTED,
        ItemStatus.SUCCEEDED,
        ItemStatus.NOT_STARTED,
        ItemStatus.NOT_STARTED,
    ] == count.final()


def test_branch_that_failed_then_it_counts_as_a_failure():
    """An end with an error is no success."""
    count = tally(2, completion=Completion(tolerated_failures=0))
    count.startable()
    count.ended(0, None, NO)
    assert Reason.FAILURE_TOLERANCE_EXCEEDED == count.reason()


# --- what is kept of it ------------------------------------------------------------------------------


def ended():
    count = tally(4, max_concurrency=3, completion=Completion(min_successful=1))
    count.startable()
    count.ended(1, None, NO)
    count.ended(0, '{"n":1}', None)
    return count


def test_payload_then_it_has_a_row_for_each_branch_in_the_order_of_the_input():
    """A fan-out's record holds its items, so replay runs none of its branches."""
    stored = json.loads(ended().payload(Reason.MIN_SUCCESSFUL_REACHED))
    failed = {"ErrorType": "ValueError", "ErrorMessage": "no"}
    rows = [
        (0, "b0", "SUCCEEDED", {"n": 1}, None),
        (1, "b1", "FAILED", None, failed),
        (2, "b2", "STARTED", None, None),
        (3, "b3", "NOT_STARTED", None, None),
    ]
    members = ("index", "name", "status", "result", "error")
    assert {
        "results": [dict(zip(members, row, strict=True)) for row in rows],
        "completion_reason": "MIN_SUCCESSFUL_REACHED",
    } == stored


def test_payload_then_reading_it_gives_the_batch():
    """What was written is read as a Batch of equal values and errors."""
    batch = read(fan(4), ended().payload(Reason.MIN_SUCCESSFUL_REACHED), loads, plain, {})
    assert Reason.MIN_SUCCESSFUL_REACHED == batch.reason
    assert [{"n": 1}] == batch.values
    assert ["child context failed for operation 'b1': ValueError: no"] == [
        str(error) for error in batch.errors
    ]
    assert ["SUCCEEDED", "FAILED", "STARTED", "NOT_STARTED"] == [item.status for item in batch]


@pytest.mark.parametrize(
    "text", ["1", '"a"', "null", '{"a":[1,{}]}', "[]", "1.5", "true", '"é\\u2028"']
)
def test_result_that_is_json_then_it_is_embedded_and_read_back(text):
    """A branch's JSON is not quoted twice."""
    count = tally(1)
    count.startable()
    count.ended(0, text, None)
    payload = count.payload(Reason.ALL_COMPLETED)
    assert json.loads(text) == json.loads(payload)["results"][0]["result"]
    assert [json.loads(text)] == read(fan(1), payload, loads, plain, {}).values


@pytest.mark.parametrize("text", ["plain words", "{not json", "", "1"])
def test_result_that_is_text_then_it_is_kept_as_text(text):
    """What another serde wrote is quoted, and read back letter for letter."""
    count = Tally(fan(1), raw)
    count.startable()
    count.ended(0, text, None)
    payload = count.payload(Reason.ALL_COMPLETED)
    assert [text] == read(fan(1), payload, lambda _, stored: stored, raw, {}).values


def test_result_of_none_then_it_is_none():
    """A branch that gives nothing has no text."""
    count = tally(1)
    count.startable()
    count.ended(0, None, None)
    assert [None] == read(fan(1), count.payload(Reason.ALL_COMPLETED), loads, plain, {}).values


def test_summary_then_the_same_branches_begin_again_and_it_ends_as_recorded():
    """A result that is too large is found again: branches that had ended, and no others."""
    summary = ended().summary(Reason.MIN_SUCCESSFUL_REACHED)
    again = tally(4, summary, max_concurrency=1)
    assert [0, 1] == again.startable()
    assert again.startable() == []
    again.ended(1, None, NO)
    assert again.reason() is None
    again.ended(0, '{"n":1}', None)
    assert Reason.MIN_SUCCESSFUL_REACHED == again.reason()
    expected = ended().payload(Reason.MIN_SUCCESSFUL_REACHED)
    assert expected == again.payload(Reason.MIN_SUCCESSFUL_REACHED)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_summary_of_a_fan_out_in_which_nothing_ended_then_it_is_over_at_once(count):
    """A fan-out can be over before any branch ends: then none begins again."""
    before = tally(count)
    again = tally(count, before.summary(Reason.PREDICATE_SATISFIED))
    assert again.startable() == []
    assert Reason.PREDICATE_SATISFIED == again.reason()


def over_at_once(event, ctx):
    batch = yield ctx.map("each", range(4_000), lambda _, n: n, completion=lambda _: True)
    return [len(batch), len(batch.values), batch.reason]


def test_large_batch_that_was_over_at_once_then_replay_finds_it_again():
    """Thousands of rows are over the limit though no item began: replay must not wait for one."""
    first, second = Stub(), Stub()
    live = durable(backend=first)(over_at_once)(event())
    records = [
        logged(update, "SUCCEEDED", Result=update["Payload"], **update["ContextOptions"])
        for update in first.updates
        if update["Action"] == "SUCCEED"
    ]
    assert [4_000, 0, "PREDICATE_SATISFIED"] == result(live)
    assert [4_000, 0, "PREDICATE_SATISFIED"] == result(
        durable(backend=second)(over_at_once)(event(*records))
    )


# --- what others wrote -------------------------------------------------------------------------------

CRATE = (
    '{"results":[{"index":0,"status":"Succeeded","result":1,"error":null}],'
    '"completion_reason":"AllCompleted"}'
)


def test_payload_of_the_crate_then_it_is_read():
    """durable-lambda-core's words for statuses and reasons are read like ours."""
    batch = read(fan(1), CRATE, loads, plain, {})
    assert (BatchItem(0, "b0", ItemStatus.SUCCEEDED, 1),) == batch.items
    assert Reason.ALL_COMPLETED == batch.reason


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("AllCompleted", Reason.ALL_COMPLETED),
        ("MinSuccessfulReached", Reason.MIN_SUCCESSFUL_REACHED),
        ("FailureToleranceExceeded", Reason.FAILURE_TOLERANCE_EXCEEDED),
        ("ALL_COMPLETED", Reason.ALL_COMPLETED),
    ],
)
def test_reason_in_either_spelling_then_it_is_read(word, reason):
    """Reading accepts both spellings."""
    text = json.dumps({"results": [], "completion_reason": word})
    assert reason == read(fan(0), text, loads, plain, {}).reason


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Succeeded", ItemStatus.SUCCEEDED),
        ("Failed", ItemStatus.FAILED),
        ("Started", ItemStatus.STARTED),
        ("NotStarted", ItemStatus.NOT_STARTED),
        ("STARTED", ItemStatus.STARTED),
    ],
)
def test_status_in_either_spelling_then_it_is_read(status, expected):
    """Reading accepts both spellings."""
    row = {"index": 0, "status": status, "result": 1, "error": "boom"}
    text = json.dumps({"results": [row], "completion_reason": "AllCompleted"})
    assert expected == read(fan(1), text, loads, plain, {}).items[0].status


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("boom", "child context failed for operation 'b0': boom"),
        (None, "child context failed for operation 'b0'"),
        ({"ErrorMessage": "boom"}, "child context failed for operation 'b0': boom"),
        (
            {"ErrorType": "ValueError", "ErrorMessage": "boom"},
            "child context failed for operation 'b0': ValueError: boom",
        ),
    ],
)
def test_error_in_any_form_then_it_is_read(error, text):
    """The crate writes an error as text, we as the wire's object."""
    row = {"index": 0, "status": "Failed", "result": None, "error": error}
    stored = json.dumps({"results": [row], "completion_reason": "AllCompleted"})
    assert text == str(read(fan(1), stored, loads, plain, {}).errors[0])


def test_rows_in_any_order_then_items_are_in_the_order_of_the_input():
    """A row is found by its index."""
    rows = [{"index": n, "status": "SUCCEEDED", "result": n} for n in (2, 0)]
    rows.append({"index": 1, "status": "NOT_STARTED"})
    text = json.dumps({"results": rows, "completion_reason": "ALL_COMPLETED"})
    batch = read(fan(3), text, loads, plain, {})
    assert [0, 2] == batch.values
    assert ItemStatus.NOT_STARTED == batch[1].status


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[1,2]",
        "{}",
        '{"results":3,"completion_reason":"AllCompleted"}',
        '{"results":[{}],"completion_reason":"AllCompleted"}',
        '{"results":[],"completion_reason":"Tired"}',
        '{"results":[],"completion_reason":null}',
        '{"results":[{"index":0,"status":"Tired"}],"completion_reason":"AllCompleted"}',
        '{"results":[{"index":0,"status":3}],"completion_reason":"AllCompleted"}',
    ],
)
@pytest.mark.parametrize(
    ("op", "title"), [(fan(1), "parallel 'all'"), (Map("each", fan(1).flows, same), "map 'each'")]
)
def test_text_that_is_no_batch_then_the_error_names_the_operation(text, op, title):
    """A record that does not hold a batch is an error of ours with the operation's name."""
    with pytest.raises(DeserializationError) as caught:
        read(op, text, loads, plain, {})
    assert str(caught.value).startswith(f"the record of {title} does not hold a batch: ")


# --- errors of branches ------------------------------------------------------------------------------


def failed_batch(error, *, transparent=False, lives=None):
    op = fan(1, transparent=transparent)
    count = Tally(op, plain)
    count.startable()
    count.ended(0, None, describe(error))
    return read(op, count.payload(Reason.ALL_COMPLETED), loads, plain, lives or {})


def test_live_error_then_it_is_the_cause_of_the_items():
    """On the first run an item's error has the branch's exception as its cause."""
    live = ValueError("no")
    assert live is failed_batch(live, lives={0: live}).errors[0].__cause__


def test_marked_error_then_the_item_has_it_as_itself():
    """A class under @durable_error comes as itself out of a batch too."""
    assert Declined is type(failed_batch(Declined("no")).errors[0])


@pytest.mark.parametrize(("transparent", "cls"), [(False, ChildContextFailed), (True, StepFailed)])
def test_error_of_an_operation_then_it_passes_only_through_a_combinator(transparent, cls):
    """`ctx.all` is transparent, a branch of `ctx.parallel` is a child."""
    batch = failed_batch(StepFailed("s", "ValueError", "no"), transparent=transparent)
    assert cls is type(batch.errors[0])


def test_batch_with_failures_then_raise_if_failed_says_how_many_and_how_the_first():
    """The error has all errors, and the first as its cause."""
    batch = failed_batch(ValueError("no"))
    with pytest.raises(BatchFailed) as caught:
        batch.raise_if_failed()
    assert (
        "batch failed for operation 'all': 1 of 1 failed, the first with ChildContextFailed: child "
        "context failed for operation 'b0': ValueError: no"
    ) == str(caught.value)
    assert tuple(batch.errors) == caught.value.errors
    assert batch.errors[0] is caught.value.__cause__


def test_batch_without_failures_then_raise_if_failed_gives_the_batch():
    """It can stand in the middle of an expression."""
    batch = read(fan(1), CRATE, loads, plain, {})
    assert batch is batch.raise_if_failed()
