"""The wire's words: two vocabularies are written, either is read."""

from itertools import product

import pytest

from durable_gen import durable
from durable_gen._dialect import AWS, CORE, named, recorded, same
from durable_gen._ids import operation_id
from durable_gen.errors import UsageError
from stub import Stub, event, logged, result


def log(*raws):
    return {raw["Id"]: raw for raw in raws}


def context(id_, sub_type, parent=None):
    raw = {"Id": id_, "Type": "CONTEXT", "Status": "STARTED", "SubType": sub_type}
    return raw if parent is None else {**raw, "ParentId": parent}


@pytest.mark.parametrize(
    ("dialect", "words"),
    [
        (CORE, ("core", "Context", "MapItem", "Compensation", 1)),
        (AWS, ("aws", "RunInChildContext", "MapIteration", "RunInChildContext", 0)),
    ],
)
def test_dialect_then_its_words_are_those_of_the_table(dialect, words):
    """The table of the architecture, section 5."""
    found = (dialect.name, dialect.child, dialect.item, dialect.compensation, dialect.first)
    assert words == found


@pytest.mark.parametrize(("name", "dialect"), [("core", CORE), ("aws", AWS)])
def test_name_then_it_is_found(name, dialect):
    """Users choose a dialect by its name."""
    assert dialect is named(name)


def test_unknown_name_then_the_error_says_which_there_are():
    """A name that is no dialect is a mistake with a way out."""
    with pytest.raises(UsageError) as caught:
        named("azure")
    assert "dialect 'azure' is unknown: write dialect='core' or dialect='aws'" == str(caught.value)


CHILDREN = ("Context", "RunInChildContext", "Compensation")
ITEMS = ("MapItem", "MapIteration")
OTHERS = ("Step", "Parallel", "Map", "ParallelBranch", "WaitForCallback", "Mine", None)


@pytest.mark.parametrize(
    ("one", "other"),
    [*product(CHILDREN, CHILDREN), *product(ITEMS, ITEMS), *((word, word) for word in OTHERS)],
)
def test_words_of_one_meaning_then_they_are_the_same(one, other):
    """Reading accepts both vocabularies."""
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *product(CHILDREN, (*ITEMS, *OTHERS)),
        *product(ITEMS, OTHERS),
        ("Parallel", "Map"),
        (None, "Step"),
        ("Step", None),
    ],
)
def test_words_of_two_meanings_then_they_are_not_the_same(one, other):
    """What means something else does not match, in either direction."""
    assert not same(one, other)
    assert not same(other, one)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], None),
        ([{"Id": "s", "Type": "STEP", "SubType": "Step"}], None),
        ([context("a", "WaitForCallback")], None),
        ([context("a", "Mine")], None),
        ([{"Id": "a", "Type": "CONTEXT"}], None),
        ([context("a", "Context")], CORE),
        ([context("a", "Compensation")], CORE),
        ([context("a", "MapItem")], CORE),
        ([context("a", "RunInChildContext")], AWS),
        ([context("a", "MapIteration")], AWS),
        ([context("a", "Mine"), context("b", "RunInChildContext")], AWS),
    ],
)
def test_log_then_its_words_tell_the_dialect_that_it_began_with(records, expected):
    """An execution keeps the dialect that it began with."""
    assert expected == recorded(log(*records))


@pytest.mark.parametrize("word", ["Parallel", "Map"])
def test_log_with_a_branch_numbered_0_then_it_is_aws(word):
    """Where no word tells, the number of the first branch does."""
    branch = context(operation_id("a", 0), "ParallelBranch", "a")
    assert recorded(log(context("a", word), branch)) is AWS


@pytest.mark.parametrize("word", ["Parallel", "Map"])
def test_log_with_a_flat_branch_numbered_0_then_it_is_aws(word):
    """A branch that is off the wire tells by the ids of its operations."""
    inside = {"Id": operation_id(operation_id("a", 0), 1), "Type": "STEP", "SubType": "Step"}
    assert recorded(log(context("a", word), inside)) is AWS


@pytest.mark.parametrize("word", ["Parallel", "Map"])
def test_log_with_a_branch_numbered_1_first_then_it_is_core(word):
    """A fan-out of core's begins at 1, and so its log stays core's whatever is asked for."""
    branch = context(operation_id("a", 1), "ParallelBranch", "a")
    assert recorded(log(context("a", word), branch)) is CORE


# --- which one a handler takes ----------------------------------------------------------------------


def one_child(event, ctx):
    yield ctx.child("inner", lambda child: 1)


def pausing(ctx):
    yield ctx.wait("pause", 60)
    return 1


def child_that_waits(event, ctx):
    return (yield ctx.child("inner", pausing))


def branches_that_wait(event, ctx):
    return (yield ctx.parallel("both", [pausing, pausing])).values


def flat_branches_that_wait(event, ctx):
    return (yield ctx.parallel("both", [pausing, pausing], nesting="flat")).values


def words(flow, monkeypatch, option, environment):
    monkeypatch.delenv("DURABLE_GEN_DIALECT", raising=False)
    if environment is not None:
        monkeypatch.setenv("DURABLE_GEN_DIALECT", environment)
    stub = Stub()
    durable(dialect=option, backend=stub)(flow)(event())
    return {update["SubType"] for update in stub.updates}


@pytest.mark.parametrize(
    ("option", "environment", "expected"),
    [
        (None, None, "Context"),
        (None, "", "Context"),
        (None, "core", "Context"),
        (None, "aws", "RunInChildContext"),
        ("core", "aws", "Context"),
        ("aws", "core", "RunInChildContext"),
        ("aws", None, "RunInChildContext"),
    ],
)
def test_new_execution_then_the_option_wins_over_the_environment(
    monkeypatch, option, environment, expected
):
    """`dialect=` says it, else DURABLE_GEN_DIALECT, else it is core."""
    assert {expected} == words(one_child, monkeypatch, option, environment)


@pytest.mark.parametrize(("began", "goes_on"), [("core", "aws"), ("aws", "core")])
@pytest.mark.parametrize(
    ("flow", "expected"),
    [(child_that_waits, 1), (branches_that_wait, [1, 1]), (flat_branches_that_wait, [1, 1])],
)
def test_execution_under_way_then_it_keeps_the_dialect_that_it_began_with(
    flow, expected, began, goes_on
):
    """A handler that is deployed with another dialect goes on with what it finds in the log."""
    first, second = Stub(), Stub()
    durable(dialect=began, backend=first)(flow)(event())
    records = [
        logged(update, "SUCCEEDED" if update["Type"] == "WAIT" else "STARTED")
        for update in first.updates
    ]
    assert expected == result(durable(dialect=goes_on, backend=second)(flow)(event(*records)))
