"""The log: an id finds its record, and a record that says something else is a contradiction."""

import pytest

from durable_gen._ids import operation_id
from durable_gen._log import Log, around, differs, noun, title, titled
from durable_gen._model import Action, Change, Record, Status, Update

EXECUTION = {"Id": "run-1", "Type": "EXECUTION", "Status": "STARTED"}
CHARGE = {
    "Id": "a",
    "Type": "STEP",
    "SubType": "Step",
    "Name": "charge",
    "ParentId": "p",
    "Status": "SUCCEEDED",
}
IDENTITY = ("STEP", "Step", "charge", "p")


def raw(id_, parent=None, **more):
    found = {"Id": id_, "Type": "STEP", "Status": "SUCCEEDED", **more}
    return found if parent is None else {**found, "ParentId": parent}


def without(member):
    return {key: value for key, value in CHARGE.items() if key != member}


@pytest.mark.parametrize(
    ("found", "identity", "expected"),
    [
        (CHARGE, IDENTITY, False),
        (CHARGE, ("WAIT", "Step", "charge", "p"), True),
        (CHARGE, ("STEP", "WaitForCondition", "charge", "p"), True),
        (CHARGE, ("STEP", "Step", "refund", "p"), True),
        (CHARGE, ("STEP", "Step", None, "p"), True),
        (CHARGE, ("STEP", "Step", "charge", "q"), True),
        (CHARGE, ("STEP", "Step", "charge", None), True),
        (without("Name"), IDENTITY, True),
        (without("Name"), ("STEP", "Step", None, "p"), False),
        (without("SubType"), IDENTITY, False),
        (without("ParentId"), IDENTITY, False),
        (without("Type"), IDENTITY, True),
        ({**CHARGE, "Name": ""}, IDENTITY, True),
        ({**CHARGE, "Name": None, "SubType": None, "ParentId": None}, IDENTITY, False),
    ],
)
def test_record_then_it_differs_when_it_contradicts_the_code(found, identity, expected):
    """Type, sub type, name and parent are compared; what a record does not say cannot differ."""
    assert expected == differs(Record(found), *identity)


@pytest.mark.parametrize(
    ("found", "now", "expected"),
    [
        ("Context", "RunInChildContext", False),
        ("RunInChildContext", "Context", False),
        ("Compensation", "RunInChildContext", False),
        ("MapItem", "MapIteration", False),
        ("MapIteration", "MapItem", False),
        ("MapItem", "Context", True),
        ("Parallel", "Map", True),
    ],
)
def test_word_of_the_other_dialect_then_it_does_not_differ(found, now, expected):
    """Reading accepts both dialects."""
    record = Record({"Id": "a", "Type": "CONTEXT", "SubType": found})
    assert expected == differs(record, "CONTEXT", now, None, None)


def test_execution_then_it_is_no_operation_of_the_log():
    """The record of the execution itself is not one that the code comes to."""
    log = Log([EXECUTION, raw("a")])
    assert ["a"] == list(log.records)
    assert ["a"] == list(log.unread)


def test_record_that_is_read_then_it_is_read_once():
    """A position is come to once."""
    log = Log([raw("a")])
    assert raw("a") == log.read("a")
    assert log.read("a") is None


def test_record_that_is_looked_at_then_it_stays_unread():
    """Knowing an operation is not coming to it."""
    log = Log([raw("a")])
    assert Record(raw("a")) == log.current("a")
    assert ["a"] == list(log.unread)
    assert log.current("b") is None


def test_update_then_its_operation_is_known_and_not_unread():
    """What the code itself did is not left over."""
    log = Log([])
    log.write(Update("a", "STEP", "Step", "charge", None, Change(Action.START)))
    assert Status.STARTED == log.current("a").status
    assert not log.unread


def test_news_of_an_operation_that_was_read_then_it_stays_read():
    """The service's word on a known operation takes the place of what was known."""
    log = Log([raw("a", Status="STARTED")])
    log.read("a")
    log.learn(raw("a"))
    assert "SUCCEEDED" == log.current("a").status
    assert not log.unread


def test_news_of_an_operation_that_was_not_read_then_the_news_is_read():
    """A record that changed before the code came to it is read as it is now."""
    log = Log([raw("a", Status="STARTED")])
    log.learn(raw("a"))
    assert "SUCCEEDED" == log.read("a")["Status"]


def test_news_of_an_unknown_operation_then_it_waits_to_be_read():
    """An operation that nobody here has seen is one that the code has yet to come to."""
    log = Log([])
    log.learn(raw("a"))
    assert ["a"] == list(log.unread)


@pytest.mark.parametrize(
    ("records", "read", "closed", "expected"),
    [
        ([], [], [], []),
        ([raw("a")], ["a"], [], []),
        ([raw("a")], [], [], ["a"]),
        ([raw("a"), raw("b")], ["a"], [], ["b"]),
        ([raw("c"), raw("i", "c")], ["c"], [], ["i"]),
        ([raw("c"), raw("i", "c")], ["c"], ["c"], []),
        ([raw("c"), raw("i", "c"), raw("j", "i")], ["c"], ["c"], []),
        ([raw("j", "i"), raw("i", "c"), raw("c")], ["c"], ["c"], []),
        ([raw("c"), raw("i", "c"), raw("j", "i")], ["c", "i"], ["c"], ["j"]),
        ([raw("c"), raw("i", "c")], [], [], ["c", "i"]),
        ([raw("i", "gone")], [], [], ["i"]),
    ],
)
def test_records_that_no_code_came_to_then_they_are_left_over(records, read, closed, expected):
    """A record is left over unless it is inside a context whose insides need not be visited."""
    log = Log(records)
    for id_ in read:
        log.read(id_)
    assert expected == [left.id for left in log.leftovers(dict.fromkeys(closed))]


@pytest.mark.parametrize(
    ("type_", "sub_type", "expected"),
    [
        ("STEP", "Step", "step"),
        ("STEP", "WaitForCondition", "wait_for_condition"),
        ("STEP", None, "step"),
        ("WAIT", "Wait", "wait"),
        ("CALLBACK", "Callback", "callback"),
        ("CHAINED_INVOKE", "ChainedInvoke", "invoke"),
        ("CONTEXT", "Context", "child context"),
        ("CONTEXT", "RunInChildContext", "child context"),
        ("CONTEXT", "Mine", "child context"),
        ("CONTEXT", "Parallel", "parallel"),
        ("CONTEXT", "Map", "map"),
        ("CONTEXT", "MapItem", "item"),
        ("CONTEXT", "MapIteration", "item"),
        ("CONTEXT", "ParallelBranch", "branch"),
        ("CONTEXT", "WaitForCallback", "wait_for_callback"),
        ("CONTEXT", "Compensation", "compensation"),
        ("SIGNAL", "Signal", "signal"),
    ],
)
def test_kind_then_it_is_named_as_users_know_it(type_, sub_type, expected):
    """Errors speak of what the user wrote, not of the wire."""
    assert expected == noun(type_, sub_type)


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (("STEP", "Step", "charge"), "step 'charge'"),
        (("STEP", "Step", None), "step without a name"),
        (("STEP", "Step", "charge", "payment/charge"), "step 'payment/charge'"),
        (("CONTEXT", "Context", "pay"), "child context 'pay'"),
        (("CONTEXT", "Mine", "pay"), "child context 'pay' (Mine)"),
        (("CONTEXT", "Mine", None), "child context without a name (Mine)"),
        (("CONTEXT", "Map", "each"), "map 'each'"),
    ],
)
def test_operation_then_its_title_has_kind_and_name(identity, expected):
    """An operation is named in a few words, with a sub type of the user's own."""
    assert expected == title(*identity)


def test_record_then_its_title_is_its_operations():
    """The log and the code are named alike, so that one can be held against the other."""
    assert title("STEP", "Step", "charge") == titled(Record(CHARGE))


def test_place_in_the_log_then_its_neighbours_are_drawn():
    """Who looks at a mismatch sees what the log has around it, and what the code did."""
    log = Log(
        [
            {"Id": operation_id(None, n), "Type": "STEP", "Name": name, "Status": "SUCCEEDED"}
            for n, name in enumerate(("a", "b", "c", "d", "e", "f"), 1)
        ]
    )
    expected = (
        "      2  step 'b', SUCCEEDED\n"
        "      3  step 'c', SUCCEEDED\n"
        "  >   4  step 'd', SUCCEEDED\n"
        "         the code: wait 'x'\n"
        "      5  step 'e', SUCCEEDED\n"
        "      6  step 'f', SUCCEEDED"
    )
    assert expected == around(log, None, 4, "wait 'x'")


def test_place_beyond_the_log_then_it_is_drawn_empty():
    """Where the log has nothing the drawing says so."""
    expected = "  >   1  (nothing)\n         the code: ends here"
    assert expected == around(Log([]), None, 1, "ends here")
