"""Typed values: what an annotation names is what comes, on the first run as on every replay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from uuid import UUID

import attrs
import pytest

from durable_gen import Flow, Poll, durable
from replays import failure, log
from stub import Stub, event, logged, result


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


@attrs.frozen
class Verdict:
    ok: bool
    points: float = 0


@pytest.mark.parametrize(
    ("type_", "answer", "why"),
    [
        (bool, '"no"', "it is 'no' (str)"),
        (bool, "1", "it is 1 (int)"),
        (int, "true", "it is True (bool)"),
        (str, "5", "it is 5 (int)"),
        (Verdict, '{"ok": "no"}', "'no' (str) would be read as True (bool) @ $.ok"),
        (
            list[Verdict],
            '[{"ok": true}, {"ok": 0}]',
            "0 (int) would be read as False (bool) @ $[1].ok",
        ),
    ],
)
def test_answer_of_another_kind_is_refused(type_, answer, why):
    """A "no" never reads as True: an answer is what it says, or DeserializationError."""

    def flow(event, ctx):
        callback = yield ctx.callback("c", returns=type_)
        return repr((yield callback.result()))

    first = Stub()
    durable(backend=first)(flow)(event())
    record = logged(first.updates[0], "SUCCEEDED", CallbackId="c-1", Result=answer)
    error = durable(backend=Stub())(flow)(event(record))["Error"]
    assert "DeserializationError" == error["ErrorType"]
    assert error["ErrorMessage"].endswith(why)


def test_answer_with_members_of_another_version_is_read():
    """Classes grow: what only one side knows does not matter, and a whole number is a number."""

    def flow(event, ctx):
        callback = yield ctx.callback("c", returns=Verdict)
        return repr((yield callback.result()))

    first = Stub()
    durable(backend=first)(flow)(event())
    answer = '{"ok": true, "points": 3, "more": 1}'
    record = logged(first.updates[0], "SUCCEEDED", CallbackId="c-1", Result=answer)
    envelope = durable(backend=Stub())(flow)(event(record))
    assert "Verdict(ok=True, points=3.0)" == result(envelope)


def test_flow_that_fails_with_an_operation_that_was_not_yielded_says_so():
    """A forgotten yield often shows as another error first: that one has a note."""

    def flow(event, ctx):
        rate = ctx.step("rate", lambda: 2)
        yield ctx.step("other", int)
        return rate * 2

    error = durable(backend=Stub())(flow)(event())["Error"]
    assert "TypeError" == error["ErrorType"]
    assert "ctx.step('rate') was created and never yielded" in error["StackTrace"][-1]


def test_step_whose_function_cannot_be_hashed_runs_like_any_other():
    """An object with an equality of its own may have no hash."""

    @attrs.define
    class Twice:
        n: int

        def __call__(self):
            return self.n * 2

    def flow(event, ctx):
        one = yield ctx.step("twice", Twice(1))
        two = yield ctx.step("twice", Twice(2))
        return [one, two]

    stub = Stub()
    assert [2, 4] == result(durable(backend=stub)(flow)(event()))
    assert [2, 4] == result(durable(backend=Stub())(flow)(event(*log(stub))))
