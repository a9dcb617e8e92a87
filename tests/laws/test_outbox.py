"""The outbox: what was emitted first is sent first, and a checkpoint is never over its limits."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_gen._model import Action, Change, Update
from durable_gen._outbox import BARRIER, NOTE, RESUME, Outbox

MOST = 250
BYTES = 750 * 1024


def update(id_, payload=""):
    return Update(str(id_), "STEP", "Step", "x", None, Change(Action.SUCCEED, payload))


def ids(entries):
    return [entry[0].id for entry in entries if entry[0] is not None]


def drain(outbox):
    checkpoints = []
    while outbox:
        checkpoints.append(outbox.take())
    return checkpoints


def test_updates_then_they_are_taken_in_the_order_of_their_emission():
    """Updates go out in the order in which they were emitted."""
    outbox = Outbox()
    for n in range(5):
        outbox.add(update(n), NOTE, None)
    assert ["0", "1", "2", "3", "4"] == ids(outbox.take())


def test_empty_outbox_then_it_is_falsy_and_a_checkpoint_of_it_is_empty():
    """Nothing to send is nothing."""
    outbox = Outbox()
    assert not outbox
    assert outbox.take() == []


@pytest.mark.parametrize(
    ("delivery", "expected"), [(NOTE, 0), (RESUME, 1), (BARRIER, 1)], ids=["note", "resume", "wall"]
)
def test_delivery_then_it_tells_whether_someone_waits(delivery, expected):
    """NOTE: no one waits; RESUME and BARRIER: someone does, until it is taken."""
    outbox = Outbox()
    outbox.add(update(1), delivery, None)
    assert expected == outbox.answers
    outbox.take()
    assert outbox.answers == 0


def test_someone_who_waits_without_an_update_then_they_are_after_those_before():
    """A flush sends nothing of its own and is answered when all before it is."""
    outbox = Outbox()
    outbox.add(update(1), NOTE, None)
    outbox.add(None, RESUME, "who")
    assert ["1"] == ids(outbox.take())
    assert 0 == outbox.answers + len(outbox)


@pytest.mark.parametrize(("count", "full"), [(249, False), (250, True), (251, True)])
def test_number_of_updates_then_250_fill_a_checkpoint(count, full):
    """The outbox is full when one checkpoint is."""
    outbox = Outbox()
    for n in range(count):
        outbox.add(update(n), NOTE, None)
    assert full == outbox.full()


def test_more_than_250_updates_then_the_rest_goes_with_the_next_checkpoint():
    """A checkpoint takes at most 250 updates."""
    outbox = Outbox()
    for n in range(600):
        outbox.add(update(n), NOTE, None)
    assert [250, 250, 100] == [len(taken) for taken in drain(outbox)]


def test_bytes_over_750_kib_then_the_rest_goes_with_the_next_checkpoint():
    """A checkpoint takes at most 750 KiB."""
    outbox = Outbox()
    for n in range(3):
        outbox.add(update(n, "x" * 300_000), NOTE, None)
    assert outbox.full()
    assert [["0", "1"], ["2"]] == [ids(taken) for taken in drain(outbox)]


def test_one_update_over_750_kib_then_it_goes_alone():
    """An update is at most 1 MiB, and what is over 750 KiB must still be sent."""
    outbox = Outbox()
    outbox.add(update("small"), NOTE, None)
    outbox.add(update("large", "x" * 1_000_000), NOTE, None)
    outbox.add(update("after"), NOTE, None)
    assert [["small"], ["large"], ["after"]] == [ids(taken) for taken in drain(outbox)]


def test_updates_that_are_not_sent_then_they_can_be_listed():
    """What was taken is no longer unsent; a flush has no update."""
    outbox = Outbox()
    for n in range(251):
        outbox.add(update(n), NOTE, None)
    outbox.add(None, RESUME, None)
    outbox.take()
    assert ["250"] == [one.id for one in outbox.updates()]


entries = st.tuples(
    st.sampled_from([NOTE, RESUME, BARRIER]),
    st.sampled_from([0, 10, 3_000, 100_000, 500_000, 1_000_000]) | st.none(),
)
adds = st.lists(entries, max_size=40)


def filled(given_):
    outbox = Outbox()
    for n, (delivery, size) in enumerate(given_):
        outbox.add(None if size is None else update(n, "x" * size), delivery, n)
    return outbox


@given(adds)
def test_any_updates_then_all_are_sent_once_and_in_order(given_):
    """No update is lost, doubled or overtaken."""
    sent = [entry[2] for taken in drain(filled(given_)) for entry in taken]
    assert list(range(len(given_))) == sent


@given(adds)
def test_any_updates_then_no_checkpoint_is_over_the_limits_unless_it_is_one_update(given_):
    """At most 250 updates and 750 KiB; at least one entry."""
    for taken in drain(filled(given_)):
        size = sum(entry[3] for entry in taken)
        assert 1 <= len(taken) <= MOST
        assert size <= BYTES or len(ids(taken)) == 1


@given(adds)
def test_any_updates_then_checkpoints_are_as_few_as_order_allows(given_):
    """A checkpoint ends only where the next update would not fit."""
    for taken, following in pairwise(drain(filled(given_))):
        size = sum(entry[3] for entry in taken) + following[0][3]
        assert size > BYTES or len(taken) == MOST


@given(adds, st.integers(0, 5))
def test_any_updates_then_size_and_answers_are_those_of_what_is_left(given_, checkpoints):
    """The counters are what a count would give."""
    outbox = filled(given_)
    for _ in range(checkpoints):
        outbox.take()
    left = outbox.entries
    assert sum(entry[3] for entry in left) == outbox.size
    assert sum(entry[1] != NOTE for entry in left) == outbox.answers
