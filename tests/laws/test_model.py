"""The wire's shapes: timestamps in every form, updates as the service's own model wants them."""

from datetime import UTC, datetime, timedelta, timezone

import botocore.session
import pytest
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from durable_gen import Poll, Retry
from durable_gen._dialect import AWS, CORE
from durable_gen._kinds import TABLE
from durable_gen._model import (
    DETAILS,
    MAX_CHECKPOINT,
    MAX_DURATION,
    MAX_TIMEOUT,
    MAX_UPDATES,
    Action,
    Change,
    ErrorObject,
    Record,
    Status,
    Type,
    Update,
    applied,
    instant,
)
from durable_gen._ops import (
    Child,
    Condition,
    CreateCallback,
    FanOut,
    Invoke,
    Map,
    Semantics,
    Step,
    Wait,
)
from durable_gen._outcome import Err, Ok

THEN = datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


# --- timestamps -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        1_700_000_000_123,
        1_700_000_000_123.0,
        1_700_000_000.123,
        THEN,
        THEN.astimezone(timezone(timedelta(hours=5, minutes=30))),
        "2023-11-14T22:13:20.123Z",
        "2023-11-14T22:13:20.123+00:00",
        "2023-11-15T03:43:20.123+05:30",
        "2023-11-14T22:13:20.123400Z",
    ],
    ids=repr,
)
def test_timestamp_in_any_form_then_it_is_one_instant(value):
    """Whichever source a record came from, replay sees the same time, to the millisecond."""
    assert THEN == instant(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1_700_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("2023-11-14T22:13:20Z", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
    ],
)
def test_timestamp_of_whole_seconds_then_it_is_that_second(value, expected):
    """An absent timestamp is None; a whole second is one in every form."""
    assert expected == instant(value)


@given(st.integers(100_000_000_001, 32_503_680_000_000))
def test_any_millisecond_then_all_forms_agree(milliseconds):
    """A Lambda event, the API's JSON, botocore's datetime and ISO text say the same instant."""
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    forms = (milliseconds, milliseconds / 1000, expected, expected.isoformat())
    assert [expected] * 4 == [instant(form) for form in forms]


# --- records ----------------------------------------------------------------------------------------


def test_bare_record_then_what_is_absent_is_none():
    """A record may be all but empty."""
    record = Record({"Id": "a"})
    found = (record.type, record.status, record.name, record.parent_id, record.sub_type)
    assert ("", "", None, None, None) == found
    assert (None, None, None, None) == (record.result, record.error, record.started, record.ended)
    assert (0, None, None, False, None) == (
        record.attempt,
        record.next_attempt,
        record.scheduled_end,
        record.replay_children,
        record.callback_id,
    )


@pytest.mark.parametrize("type_", [type_ for type_ in Type if type_ is not Type.EXECUTION])
def test_record_then_its_details_are_those_of_its_type(type_):
    """Only the member of its own type says something of a record."""
    others = {member: {"Result": "no"} for member in DETAILS.values()}
    record = Record({"Id": "a", "Type": str(type_), **others, DETAILS[type_]: {"Result": "yes"}})
    assert "yes" == record.result


def test_record_of_a_type_to_come_then_it_can_still_be_read():
    """A type that this version does not know has no details."""
    assert Record({"Id": "a", "Type": "SIGNAL"}).result is None


@pytest.mark.parametrize(
    "error",
    [
        ErrorObject(),
        ErrorObject("ValueError", "no", '{"code": 3}', ("line 1", "line 2")),
        ErrorObject(message=""),
        ErrorObject("ValueError"),
    ],
)
def test_error_then_it_is_the_same_after_the_wire(error):
    """An error is written and read back as what it is."""
    assert error == ErrorObject.from_wire(error.to_wire())


# --- updates, as botocore has them -------------------------------------------------------------------


@pytest.fixture(name="shape", scope="module")
def _shape():
    model = botocore.session.Session().get_service_model("lambda")
    return model.operation_model("CheckpointDurableExecution").input_shape


OPTIONS = (
    {"WaitOptions": {"WaitSeconds": 60}},
    {"ChainedInvokeOptions": {"FunctionName": "orders:live", "TenantId": "t"}},
)


@pytest.fixture(name="writer", scope="module")
def _writer():
    """Write a checkpoint's body as botocore does."""
    model = botocore.session.Session().get_service_model("lambda")
    operation = model.operation_model("CheckpointDurableExecution")
    serializer = create_serializer("rest-json")

    def write(*updates):
        wire = [update.to_wire() for update in updates]
        request = {"DurableExecutionArn": "arn", "CheckpointToken": "t", "Updates": wire}
        return serializer.serialize_to_request(request, operation)["body"]

    return write


def faults(shape, wire):
    request = {
        "DurableExecutionArn": "arn",
        "CheckpointToken": "t",
        "ClientToken": "c",
        "Updates": [wire],
    }
    return ParamValidator().validate(request, shape).generate_report()


def fn(value):
    return value


ERR = Err(ValueError("no"))
TRYING = Step("charge", fn, (1,), Retry())
OPS = {
    "step": TRYING,
    "step once": Step("charge", fn, (1,), semantics=Semantics.AT_MOST_ONCE),
    "condition": Condition("until", fn, 1),
    "wait": Wait("pause", 60),
    "wait until": Wait("pause", 0, NOW + timedelta(days=3)),
    "callback": CreateCallback("ask", 3600, 60),
    "callback without limits": CreateCallback(None),
    "invoke": Invoke("call", "orders:live", {"n": 1}, "tenant"),
    "invoke without a tenant": Invoke("call", "orders"),
    "child": Child("inner", fn),
    "parallel": FanOut("all", [], fn),
    "map": Map("each", [], fn, sub_type="Map"),
}


def started(op):
    decision = TABLE[type(op)].decide(op, None, NOW)
    change = decision.start if hasattr(decision, "start") else decision.change
    return Change(change.action, "{}") if getattr(decision, "payload", False) else change


CHANGES = {
    **{f"{word} START": (op, started(op)) for word, op in OPS.items()},
    "step SUCCEED": (TRYING, TABLE[Step].settle(TRYING, 1, Ok(1), "1", 0.5)),
    "step RETRY": (TRYING, TABLE[Step].settle(TRYING, 1, ERR, None, 0.5)),
    "step FAIL": (TRYING, TABLE[Step].settle(TRYING, 6, ERR, None, 0.5)),
    "condition SUCCEED": (
        OPS["condition"],
        TABLE[Condition].settle(OPS["condition"], 1, Ok(1), "1", 0.5),
    ),
    "condition RETRY": (
        OPS["condition"],
        TABLE[Condition].settle(OPS["condition"], 1, Ok(0), "0", 0.5),
    ),
    "condition FAIL": (
        OPS["condition"],
        TABLE[Condition].settle(OPS["condition"], 60, Ok(0), "0", 0.5),
    ),
    "child SUCCEED": (OPS["child"], TABLE[Child].settle(OPS["child"], 1, Ok(""), "1", 0.0)),
    "child SUCCEED large": (
        OPS["child"],
        TABLE[Child].settle(OPS["child"], 1, Ok(""), "x" * 300_000, 0.0),
    ),
    "child FAIL": (OPS["child"], TABLE[Child].settle(OPS["child"], 1, ERR, None, 0.0)),
    "map SUCCEED": (OPS["map"], TABLE[Map].settle(OPS["map"], 1, Ok("{}"), "{}", 0.0)),
}


@pytest.mark.parametrize("dialect", [CORE, AWS], ids=["core", "aws"])
@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("parent", [None, "b" * 64], ids=["root", "below"])
def test_update_of_any_kind_then_botocore_takes_it(shape, what, parent, dialect):
    """Every update that a kind makes is valid by the service's own model."""
    op, change = CHANGES[what]
    kind = TABLE[type(op)]
    update = Update("a" * 64, kind.type, kind.sub_type(op, dialect), op.name, parent, change)
    assert faults(shape, update.to_wire()) == ""


@pytest.mark.parametrize(
    ("wire", "text"),
    [({"Id": "a", "Type": "STEP"}, "Missing required parameter"), ({"Id": 3}, "Invalid type")],
)
def test_update_that_is_wrong_then_botocore_refuses_it(shape, wire, text):
    """The validator that the test above leans on does refuse something."""
    assert text in faults(shape, wire)


def test_members_that_are_absent_then_they_are_not_on_the_wire():
    """What an update does not have is left out, not sent as null."""
    expected = {"Id": "a", "Type": "STEP", "Action": "START"}
    update = Update("a", Type.STEP, None, None, None, Change(Action.START))
    assert expected == update.to_wire()


def test_enums_then_the_wire_has_plain_text():
    """What is handed to a client is str, not a subclass of it."""
    wire = Update("a", Type.STEP, "Step", "x", None, Change(Action.START)).to_wire()
    assert {str} == {type(value) for value in wire.values()}


@pytest.mark.parametrize(
    ("shape_name", "bound", "expected"),
    [
        ("WaitOptionsWaitSecondsInteger", "max", MAX_DURATION),
        ("StepOptionsNextAttemptDelaySecondsInteger", "max", MAX_DURATION),
        ("CallbackOptionsTimeoutSecondsInteger", "max", MAX_TIMEOUT),
        ("CallbackOptionsHeartbeatTimeoutSecondsInteger", "max", MAX_TIMEOUT),
    ],
)
def test_limit_then_it_is_the_service_models(shape_name, bound, expected):
    """A number that bounds what users may write is the service's own."""
    shapes = botocore.session.Session().get_service_data("lambda")["shapes"]
    if shape_name not in shapes:
        pytest.skip(f"this botocore has no shape {shape_name}")
    assert expected == shapes[shape_name][bound]


def test_limits_of_a_checkpoint_then_they_are_those_of_the_design():
    """A checkpoint holds at most 250 updates and 750 KiB."""
    assert (250, 768_000) == (MAX_UPDATES, MAX_CHECKPOINT)


texts = st.text(max_size=300)
maybe = st.none() | texts


@given(
    maybe,
    st.none() | st.text(min_size=1),
    maybe,
    st.lists(texts, max_size=3),
    st.sampled_from([None, *OPTIONS]),
)
def test_any_update_then_its_size_is_what_botocore_makes_of_it(
    writer, payload, name, message, stack, options
):
    """The size of an update is what a checkpoint's body grows by."""
    error = None if message is None else ErrorObject("E", message, None, tuple(stack))
    change = Change(Action.FAIL, payload, error, options)
    update = Update("a" * 64, "STEP", "Step", name, "b" * 64, change)
    assert len(writer(update, update)) - len(writer(update)) == update.size


# --- what an update makes of a record ----------------------------------------------------------------


def update(action, payload=None, error=None, options=None, type_="STEP"):
    return Update("a", type_, "Step", "x", "p", Change(action, payload, error, options))


IDENTITY = {"Id": "a", "Type": "STEP", "SubType": "Step", "Name": "x", "ParentId": "p"}


@pytest.mark.parametrize(
    ("before", "sent", "status", "details"),
    [
        (None, update(Action.START), "STARTED", {}),
        ({"Attempt": 1}, update(Action.START), "STARTED", {"Attempt": 1}),
        (None, update(Action.SUCCEED, "1"), "SUCCEEDED", {"Result": "1", "Attempt": 1}),
        ({"Attempt": 2}, update(Action.SUCCEED, "1"), "SUCCEEDED", {"Result": "1", "Attempt": 3}),
        (
            {"NextAttemptTimestamp": 3, "Attempt": 1},
            update(Action.RETRY, "8"),
            "PENDING",
            {"Result": "8", "Attempt": 2},
        ),
        ({"Result": "7"}, update(Action.RETRY), "PENDING", {"Result": "7", "Attempt": 1}),
        (
            None,
            update(Action.FAIL, error=ErrorObject("E", "no")),
            "FAILED",
            {"Error": {"ErrorType": "E", "ErrorMessage": "no"}, "Attempt": 1},
        ),
    ],
)
def test_update_then_the_record_reads_as_the_service_would_have_it(before, sent, status, details):
    """What is sent is known at once, before the service's answer."""
    raw = None if before is None else {**IDENTITY, "Status": "READY", "StepDetails": before}
    expected = {**IDENTITY, "Status": status, "StepDetails": details}
    assert expected == applied(raw, sent)


def test_end_of_a_large_context_then_its_record_says_that_its_children_are_kept():
    """`ReplayChildren` is sent as an option and read as a detail."""
    options = {"ContextOptions": {"ReplayChildren": True}}
    raw = applied(None, update(Action.SUCCEED, "", options=options, type_="CONTEXT"))
    record = Record(raw)
    assert (Status.SUCCEEDED, "", True) == (record.status, record.result, record.replay_children)


def test_update_then_the_record_before_is_not_changed():
    """The log's records are values."""
    before = {**IDENTITY, "Status": "READY", "StepDetails": {"Attempt": 1}}
    applied(before, update(Action.SUCCEED, "1"))
    assert {**IDENTITY, "Status": "READY", "StepDetails": {"Attempt": 1}} == before


def test_default_poll_then_its_delays_fit_the_service():
    """The bounds of a policy are within the service's."""
    assert max(Poll().maximum, Retry().maximum) <= MAX_DURATION
