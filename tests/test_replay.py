"""What every operation has in common: replay, a log that fits, pages, input, time and chance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import pytest

from durable_gen import durable
from replays import failure, log
from stub import STARTED, Stub, event, logged, result

ROOT_1 = "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"
STEP = {"Id": ROOT_1, "Type": "STEP", "SubType": "Step", "Name": "a"}


def id_of(*path):
    name = None
    for n in path:
        name = blake2b((str(n) if name is None else f"{name}-{n}").encode()).hexdigest()[:64]
    return name


# --- whole streams ---------------------------------------------------------------------------------


def order(event, ctx):
    total = yield ctx.step("price", lambda: 40)
    paid = yield ctx.child("payment", lambda child: (yield child.step("charge", lambda: total + 2)))
    yield ctx.wait("settle", 30)
    shipped = yield ctx.map(
        "ship", ["x", "y"], lambda c, item: (yield c.step("box", str.upper, item))
    )
    return [paid, shipped.values]


def test_order_sends_this_before_its_wait():
    """Updates go out in order, and at quiescence: before an answer is needed (law 7)."""
    stub = Stub()
    assert {"Status": "PENDING"} == durable(backend=stub)(order)(event())
    expected = [
        "STEP START price",
        "STEP SUCCEED price 40",
        "--",
        "CONTEXT START payment",
        "STEP START charge",
        "STEP SUCCEED charge 42",
        "--",
        "CONTEXT SUCCEED payment 42",
        "--",
        "WAIT START settle",
        "--",
    ]
    assert expected == stub.stream


def test_order_goes_on_after_its_wait():
    """The next invocation sends only what is new, and a third one nothing."""
    first, second, third = Stub(), Stub(), Stub()
    handler = durable(backend=first)(order)
    handler(event())
    before = log(first, "settle")
    assert [42, ["X", "Y"]] == result(handler.using(second)(event(*before)))
    assert "CONTEXT START ship" == second.stream[0]
    assert second.stream[-2].startswith("CONTEXT SUCCEED ship ")
    assert [42, ["X", "Y"]] == result(handler.using(third)(event(*before, *log(second))))
    assert [] == third.calls


def test_hundred_replays_are_one():
    """Replay is deterministic: a hundred give the same and send nothing."""
    first = Stub()
    handler = durable(backend=first)(order)
    handler(event())
    second = Stub()
    live = handler.using(second)(event(*log(first, "settle")))
    records = [*log(first, "settle"), *log(second)]
    for _ in range(100):
        assert live == handler.using(Stub())(event(*records))


# --- a log that does not fit (law 10) --------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"Type": "WAIT", "SubType": "Wait"},
        {"Name": "b"},
        {"SubType": "WaitForCondition"},
        {"ParentId": id_of(9)},
    ],
    ids=["type", "name", "sub type", "parent"],
)
def test_record_of_something_else_is_an_error_that_cannot_be_caught(changed):
    """Type, sub type, name and parent are compared; user code cannot swallow the error."""
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        try:
            yield ctx.step("a", int)
        except BaseException:
            return "swallowed"

    name, text = failure(handler(event(logged({**STEP, **changed}, "SUCCEEDED", Result="1"))))
    assert "NonDeterminismError" == name
    assert "test_replay.py" in text
    assert [] == stub.calls


def test_record_that_the_code_no_longer_comes_to_is_an_error():
    """A flow that ends with records left has changed under its execution."""

    @durable(backend=Stub())
    def handler(event, ctx):
        return "short"
        yield

    name, text = failure(handler(event(logged(STEP, "SUCCEEDED", Result="1"))))
    assert "NonDeterminismError" == name
    assert "step 'a'" in text


def test_record_without_a_name_fits_any():
    """What a record does not say cannot contradict the code."""
    record = {k: v for k, v in STEP.items() if k in ("Id", "Type")}

    @durable(backend=Stub())
    def handler(event, ctx):
        return (yield ctx.step("a", int))

    assert 7 == result(handler(event(logged(record, "SUCCEEDED", Result="7"))))


# --- the state -------------------------------------------------------------------------------------


def test_pages_of_state_are_fetched():
    """The log goes on behind its marker; pages are asked for with the token at hand."""
    records = [
        logged({"Id": id_of(n), "Type": "STEP", "Name": f"s{n}"}, "SUCCEEDED", Result=str(n))
        for n in (1, 2, 3)
    ]
    pages = {
        "m1": {"Operations": [records[1]], "NextMarker": "m2"},
        "m2": {"Operations": [records[2]], "NextMarker": ""},
    }
    stub = Stub(pages=pages)

    @durable(backend=stub)
    def handler(event, ctx):
        total = 0
        for n in (1, 2, 3):
            total += yield ctx.step(f"s{n}", int)
        return total

    assert 6 == result(handler(event(records[0], marker="m1")))
    assert [] == stub.calls


def test_input_is_read_from_a_later_page():
    """The execution's record may be on any page."""
    page = event(payload={"id": 7})["InitialExecutionState"]["Operations"]
    invocation = event(marker="m1")
    invocation["InitialExecutionState"]["Operations"] = []
    handler = durable(backend=Stub(pages={"m1": {"Operations": page}}))(lambda event, ctx: event)
    assert {"id": 7} == result(handler(invocation))


def test_pages_of_an_answer_are_fetched():
    """An answer's state goes on behind its marker too."""
    done = logged({"Id": ROOT_1, "Type": "WAIT", "Name": "nap"}, "SUCCEEDED")
    stub = Stub(pages={"m1": {"Operations": [done]}})
    plain = stub.checkpoint_durable_execution

    class Paged:
        get_durable_execution_state = stub.get_durable_execution_state

        def checkpoint_durable_execution(self, **request):
            answer = plain(**request)
            answer["NewExecutionState"]["NextMarker"] = "m1"
            return answer

    @durable(backend=Paged())
    def handler(event, ctx):
        yield ctx.wait("nap", 30)
        return "rested"

    assert "rested" == result(handler(event()))


def test_last_of_two_records_with_one_id_counts():
    """An id that comes twice is what it was last said to be."""
    once, twice = logged(STEP, "STARTED"), logged(STEP, "SUCCEEDED", Result="2")

    @durable(backend=Stub())
    def handler(event, ctx):
        return (yield ctx.step("a", int))

    assert 2 == result(handler(event(once, twice)))


def test_members_that_nobody_knows_are_passed_over():
    """A record of a newer service, with more members and another sub type's words, is read."""
    record = {**logged(STEP, "SUCCEEDED", Result="1", Colour="red"), "Mood": {"good": True}}

    @durable(backend=Stub())
    def handler(event, ctx):
        return (yield ctx.step("a", int))

    assert 1 == result(handler(event(record)))


def in_a_step(ctx):
    return ctx.step("a", nothing)


def in_a_child(ctx):
    return ctx.child("a", nothing)


def in_a_wait(ctx):
    return ctx.wait("a", 5)


def in_an_invoke(ctx):
    return ctx.invoke("a", "other")


def nothing(*_):
    return None


@pytest.mark.parametrize("make", [in_a_step, in_a_child, in_a_wait, in_an_invoke])
def test_members_that_are_null_are_read_like_those_that_are_absent(make):
    """A record with null where nothing is to say, as JSON of other languages has, is answered by."""
    first, second = Stub(), Stub()

    def flow(event, ctx):
        yield make(ctx)
        return "done"

    durable(backend=first)(flow)(event())
    (record,) = log(first)
    record["Status"] = "SUCCEEDED"
    null = {key: None for key in record if key.endswith(("Details", "Timestamp"))}
    assert "done" == result(durable(backend=second)(flow)(event({**record, **null})))
    assert [] == second.updates


def test_record_of_an_unknown_type_is_kept():
    """A record of a type that nobody knows is not skipped: the code does not come to it."""
    record = {"Id": ROOT_1, "Type": "TELEPORT", "Status": "SUCCEEDED", "Name": "a"}

    @durable(backend=Stub())
    def handler(event, ctx):
        return (yield ctx.step("a", int))

    name, text = failure(handler(event(record)))
    assert "NonDeterminismError" == name
    assert "teleport" in text


@pytest.mark.parametrize(
    "stamp",
    [STARTED, STARTED / 1000, datetime.fromtimestamp(STARTED / 1000, UTC)],
    ids=["milliseconds", "seconds", "datetime"],
)
def test_timestamps_are_read_in_every_form(stamp):
    """The event has milliseconds, the API seconds, botocore a datetime: one instant (row 56)."""
    seen = []

    @durable(backend=Stub())
    def handler(event, ctx):
        seen.append(ctx.now())

    invocation = event()
    invocation["InitialExecutionState"]["Operations"][0]["StartTimestamp"] = stamp
    handler(invocation)
    assert [datetime.fromtimestamp(STARTED / 1000, UTC)] == seen


# --- input -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [None, "", "  "])
def test_input_that_is_absent_or_blank_is_an_empty_event(text):
    """No input is `{}`."""
    invocation = event()
    invocation["InitialExecutionState"]["Operations"][0]["ExecutionDetails"] = (
        {} if text is None else {"InputPayload": text}
    )
    assert {} == result(durable(backend=Stub())(lambda event, ctx: event)(invocation))


def test_input_that_is_no_json_is_an_error():
    """Bad JSON is told, not taken for an empty event (row 58)."""
    invocation = event()
    details = {"InputPayload": "{oops"}
    invocation["InitialExecutionState"]["Operations"][0]["ExecutionDetails"] = details
    name, text = failure(durable(backend=Stub())(lambda event, ctx: event)(invocation))
    assert "DeserializationError" == name
    assert text.startswith("the execution's input is not JSON")


# --- time and chance -------------------------------------------------------------------------------


class Clocked(Stub):
    """Answers each step's end with its record, an hour later each time."""

    def checkpoint_durable_execution(self, **request):
        self.answers = [
            [
                {
                    **logged(update, "SUCCEEDED", Result=update["Payload"], Attempt=1),
                    "EndTimestamp": STARTED + 3_600_000 * (len(self.calls) + 1),
                }
                for update in request["Updates"]
                if update["Action"] == "SUCCEED"
            ]
        ]
        self.records = [*getattr(self, "records", []), *self.answers[0]]
        return super().checkpoint_durable_execution(**request)


def test_now_stands_still_between_operations_and_is_the_same_on_replay():
    """ctx.now() is when the last operation ended that the flow waited for."""
    first, seen = Clocked(), []

    @durable(backend=first)
    def handler(event, ctx):
        seen.append(ctx.now())
        yield ctx.step("a", int)
        seen.append(ctx.now())
        yield ctx.step("b", int)
        seen.append(ctx.now())

    handler(event())
    start = datetime.fromtimestamp(STARTED / 1000, UTC)
    expected = [start + timedelta(hours=n) for n in range(3)]
    assert expected == seen
    seen.clear()
    handler.using(Stub())(event(*first.records))
    assert expected == seen


def test_uuid_and_random_are_the_same_on_replay_and_differ_from_one_another():
    """What is drawn depends on where it is drawn, and spends no operation."""
    first, seen = Stub(), []

    def child(ctx):
        return [str(ctx.uuid4()), ctx.random()]

    @durable(backend=first)
    def handler(event, ctx):
        seen.append(
            [
                str(ctx.uuid4()),
                str(ctx.uuid4()),
                ctx.random(),
                ctx.random(),
                *(yield ctx.child("x", child, virtual=True)),
                *(yield ctx.child("y", child, virtual=True)),
                str(ctx.uuid4()),
            ]
        )

    handler(event())
    handler.using(Stub())(event())
    live, replayed = seen
    assert live == replayed
    assert len(live) == len(set(live))
    assert "4" == live[0][14]
    assert [] == first.calls
