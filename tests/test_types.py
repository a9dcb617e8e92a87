"""Typed values: what an annotation names is what comes, on the first run as on every replay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest

from durable_gen import Flow, Poll, durable
from replays import failure, log
from stub import Stub, event, result


class Colour(Enum):
    RED = "red"


@dataclass
class Receipt:
    id: UUID
    amount: Decimal
    at: datetime
    colour: Colour


RECEIPT = Receipt(UUID(int=7), Decimal("1.10"), datetime(2024, 2, 29, tzinfo=UTC), Colour.RED)


def charge() -> Receipt:
    return RECEIPT


def check(state) -> Receipt:
    return RECEIPT


def payment(ctx) -> Flow[Receipt]:
    return (yield ctx.step("charge", charge))


def pay(ctx, item) -> Receipt:
    return RECEIPT


def untyped():
    return RECEIPT


MAKES = {
    "step": lambda ctx: ctx.step("x", charge),
    "returns": lambda ctx: ctx.step("x", untyped, returns=Receipt),
    "condition": lambda ctx: ctx.wait_for_condition("x", check, poll=Poll(until=bool)),
    "child": lambda ctx: ctx.child("x", payment),
    "virtual": lambda ctx: ctx.child("x", payment, virtual=True),
    "race": lambda ctx: ctx.race(ctx.step("x", charge)),
    "race of a flow": lambda ctx: ctx.race(payment),
}


@pytest.mark.parametrize("kind", MAKES)
def test_value_has_its_type_on_the_first_run_and_on_replay(kind):
    """Values are structured by the annotation, or by returns=, both times (law 3)."""
    first, seen = Stub(), []

    @durable(backend=first)
    def handler(event, ctx):
        seen.append((yield MAKES[kind](ctx)))

    result(handler(event()))
    result(handler.using(Stub())(event(*log(first))))
    assert [RECEIPT, RECEIPT] == seen


@pytest.mark.parametrize("nesting", ["nested", "flat"])
def test_values_of_a_batch_have_their_types(nesting):
    """What the flow of an item is annotated to return is what the batch holds."""
    first, seen = Stub(), []

    @durable(backend=first)
    def handler(event, ctx):
        seen.append((yield ctx.map("m", [1], pay, nesting=nesting)).values)

    result(handler(event()))
    result(handler.using(Stub())(event(*log(first))))
    assert [[RECEIPT], [RECEIPT]] == seen


def test_value_without_an_annotation_is_refused_before_it_is_lost():
    """A value that cannot make the round trip is an error that says what to write."""
    name, text = failure(
        durable(backend=Stub())(lambda event, ctx: (yield ctx.step("x", untyped)))(event())
    )
    assert "SerializationError" == name
    assert text.startswith("step 'x': its value cannot be stored as JSON")
    assert "returns=" in text
