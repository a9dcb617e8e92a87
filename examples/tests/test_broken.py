"""How the examples are broken: by every single crash, in any order, on replays in another world."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import approval
import batch_checkpoint
import document_pipeline
import nightly_report
import order_fulfilment
import subflows
from durable_gen.testing import After, Durable, crash_everywhere, strategies

EXAMPLES = Path(__file__).parent.parent


def event(name):
    """Read the event of an example."""
    return json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))


ORDER = event("order")
FEW = {"documents": ["letter.txt", "archive/1987.txt", "notes.bad"]}  # none that hangs
CASES = {
    "order": (order_fulfilment, ORDER, {"approval": After(True, seconds=3)}),
    "approval": (approval, event("expense"), {}),
    "documents": (document_pipeline, FEW, {}),
    "report": (nightly_report, event("report"), {}),
    "currency": (subflows, event("currency"), {"*": True}),
    "lines": (batch_checkpoint, event("lines"), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_example_survives_every_crash(durable, name):
    """Whatever goes wrong once, each example ends as it does without."""
    module, started, callbacks = CASES[name]
    report = durable.crashes(module.handler, started, faults=False, callbacks=callbacks)
    assert report.whole.status == "SUCCEEDED"


@pytest.mark.parametrize("name", CASES)
def test_example_does_the_same_on_replays(durable, name):
    """Its flow does not ask for the clock, chance or the environment."""
    module, started, callbacks = CASES[name]
    parts = ("clock", "random", "environment")
    durable.deterministic(module.handler, started, vary=parts, callbacks=callbacks)


@crash_everywhere(faults=False)
def test_card_is_charged_once_for_each_key(durable):
    """The key that the provider gets is the same whenever a crash has the card charged again."""
    keys = set()

    def charge(order):
        receipt = order_fulfilment.charge(order)
        keys.add(receipt.key)
        return receipt

    run = durable(
        order_fulfilment.handler, ORDER, steps={"charge": charge}, callbacks={"approval": False}
    )
    assert run.result["status"] == "rejected"
    assert len(keys) == 1


def test_order_is_shaken(durable):
    """Parcels are packed in any order, while the approval comes."""
    report = durable.shake(
        order_fulfilment.handler, ORDER, rounds=5, callbacks={"approval": After(True, seconds=3)}
    )
    assert len(report.whole.result["parcels"]) == 3


ITEM = {
    "sku": st.from_regex(r"[a-z]{1,9}", fullmatch=True),
    "quantity": st.integers(1, 9),
    "price": st.floats(0, 1000),
}


@settings(max_examples=10, deadline=None)
@given(order=strategies.events({"id": str, "customer": str, "card": str, "items": [ITEM]}))
def test_any_order_ends(order):
    """An order of anything, or nothing, is shipped, declined or rejected."""
    run = Durable()(order_fulfilment.handler, order)
    assert run.result["status"] in ("shipped", "declined", "rejected")
