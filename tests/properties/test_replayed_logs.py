"""Whatever a workflow is, and however often it is replayed, its messages come once."""

from __future__ import annotations

import logging
from collections import Counter
from itertools import chain

import pytest
from hypothesis import assume, given, settings
from programs import WAYS, All, Child, Fan, Step, Try, Wait, programs
from running import Peace, execute
from test_crashes import MANY

from durable_gen.logging import ReplayFilter

pytestmark = pytest.mark.filterwarnings("ignore:.*a workflow that was suspended:RuntimeWarning")


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("durable_gen").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("durable_gen").setLevel(logging.NOTSET)


class Talking(Peace):
    """A run that logs each place that its flows come to, and what was said and what was logged."""

    def __init__(self):
        self.came, self.logged = set(), []
        self.filter = ReplayFilter()

    def say(self, place):
        self.came.add(place)
        if self.filter.filter(logging.makeLogRecord({"msg": place})):
            self.logged.append(place)


def seen(part):
    """Tell whether the log shows that an invocation came to a part, and to all parts of it.

    A context without a record of its own is seen by its first operation, if it has one.
    """
    match part:
        case Child(body, virtual):
            return all(map(seen, body)) and not (virtual and hidden(body))
        case Fan(bodies, _, flat):
            return not (flat and any(map(hidden, bodies))) and all(map(seen, chain(*bodies)))
        case All(bodies):
            return all(map(seen, chain(*bodies)))
        case Try(body, last):
            return all(map(seen, (*body, *last)))
    return True


def hidden(body):
    return not isinstance(next(iter(body), None), (Step, Wait))


@pytest.mark.parametrize("way", WAYS)
@settings(MANY, max_examples=40)
@given(program=programs)
def test_every_place_is_logged_once(way, program):
    """Nothing that a flow logs is lost, and nothing comes twice."""
    assume(all(map(seen, program)))
    talking = Talking()
    execute(program, way, talking)
    assert dict.fromkeys(talking.came, 1) == Counter(talking.logged)
