"""Hypothesis strategies for workflows: events are JSON of their types, logs replay, crashes happen."""

from __future__ import annotations

import enum
import json
import sys
from dataclasses import dataclass
from datetime import date, datetime
from subprocess import run
from typing import Any, Literal, NotRequired, TypedDict
from uuid import UUID

import attrs
import orjson
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_gen import UsageError, durable
from durable_gen._serde import converter
from durable_gen.testing import Durable, strategies
from testing import bugs


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Item:
    name: str
    price: float
    at: datetime
    color: Color


@attrs.frozen
class Order:
    id: UUID
    items: list[Item]
    _note: str | None = None


class Event(TypedDict):
    order: Order
    day: NotRequired[date]


class Bill(pydantic.BaseModel):
    total: int
    tags: list[str]


KINDS = {
    "any": Any,
    "attrs": Order,
    "TypedDict": Event,
    "pydantic": Bill,
    "shape": {"id": int, "items": [str], "color": Color},
    "list": list[Order],
    "dict": dict[str, int],
    "union": int | None,
    "literal": Literal["a", "b"],
    "strategy": st.just((1, 2)),
}


@pytest.mark.parametrize("like", KINDS.values(), ids=KINDS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_events_are_json_and_arrive_as_they_are(like, data):
    """What is drawn of a type is the same after it was sent and read."""
    event = data.draw(strategies.events(like))
    assert event == json.loads(json.dumps(event))


@pytest.mark.parametrize("like", [Order, Item, Bill, Event], ids=lambda like: like.__name__)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_events_of_a_class_are_read_as_it(like, data):
    """What is drawn of a class is what the class is in JSON."""
    event = data.draw(strategies.events(like))
    made = converter().structure(event, like)
    assert event == orjson.loads(orjson.dumps(converter().unstructure(made, unstructure_as=like)))


def test_events_of_what_is_unknown_are_refused():
    """The error says what there may be."""
    with pytest.raises(
        UsageError, match=r"must be a type, a dict of names to types, a list of one"
    ):
        strategies.events([int, str])


WORLD = {"callbacks": {"approval": 7}, "invokes": {"ship:live": None}}


@settings(max_examples=20, deadline=None)
@given(log=strategies.logs(bugs.sound, **WORLD))
def test_logs_replay_the_same_twice(log):
    """A state of a log is what the function is invoked with: a sound flow does the same with it."""
    durable = Durable()
    assert durable.replay(bugs.sound, log) == durable.replay(bugs.sound, log)


@durable
def double(event, ctx):
    value = yield ctx.step("double", lambda: 2 * event["n"])
    yield ctx.wait("settle", 1)
    return (yield ctx.step("again", lambda: 2 * value))


@settings(max_examples=20, deadline=None)
@given(
    event=strategies.events({"n": st.integers(0, 9)}), crash=strategies.crashes(double, {"n": 1})
)
def test_crashes_change_no_result(event, crash):
    """Several crashes and failing calls in one run change nothing."""
    assert 4 * event["n"] == Durable()(double, event, crash=crash).result


def test_hypothesis_is_imported_only_when_it_is_used():
    """The kit without its strategies works without Hypothesis."""
    code = "import sys, durable_gen.testing; sys.exit('hypothesis' in sys.modules)"
    assert 0 == run([sys.executable, "-c", code], check=False).returncode
