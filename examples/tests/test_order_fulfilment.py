"""How an order is tested: runs by script, stops and answers, snapshots and a golden history."""

import json
from datetime import timedelta
from pathlib import Path

from durable_gen.testing import After, Never, Raises, history
from order_fulfilment import PaymentDeclined, charge, handler

ORDER = json.loads((Path(__file__).parent.parent / "order.json").read_text("utf-8"))


def test_approved_order_is_shipped(durable):
    """An order that is approved in time is packed, item by item."""
    run = durable(handler, ORDER, callbacks={"approval": After(True, seconds=5)})
    assert "shipped" == run.result["status"]
    assert ["lamp", "desk", "chair"] == [one.name for one in run["ship"]]
    assert timedelta(seconds=7) == run.duration  # 2 to settle, 5 for the answer


def test_refused_order_is_paid_back(durable):
    """A refusal refunds the card, and puts the items back."""
    run = durable(handler, ORDER, until="approval")
    assert "SUCCEEDED" == run["payment/charge"].status
    run.answer("approval", value=False).go_on()
    assert {"order": "A-1001", "status": "rejected", "refunded": 678.5} == run.result
    assert ["refund", "reserve#2"] == [one.path for one in run.operations[-2:]]


def test_nobody_answers_then_a_small_order_goes_ahead(durable):
    """Ten seconds pass at once; an order under 1,000 ships without a yes."""
    run = durable(handler, ORDER, callbacks={"approval": Never})
    assert ("TIMED_OUT", "shipped") == (run["approval/approval"].status, run.result["status"])


def test_provider_is_down_then_the_card_is_tried_again(durable):
    """Connection errors are tried again, with growing pauses; the third time it works."""
    down = Raises(ConnectionError("no route"))
    run = durable(handler, ORDER, steps={"charge": [down, down, charge]}, until="approval")
    assert [2, 4, None] == [one.delay for one in run["payment/charge"].attempts]


def test_declined_card_ends_the_order(durable):
    """A declined card is not tried again, and nobody is asked."""
    run = durable(handler, ORDER, steps={"charge": Raises(PaymentDeclined("no funds"))})
    assert {"order": "A-1001", "status": "declined", "why": "no funds"} == run.result
    assert 1 == len(run["payment/charge"].attempts)


def test_order_then_its_story_stays_the_same(durable, durable_snapshot):
    """What happens in which order is kept beside the test; `--durable-update` writes it."""
    run = durable(handler, ORDER, callbacks={"approval": True})
    durable_snapshot(run)


def test_order_then_its_history_stays_the_same(durable, durable_snapshot):
    """The service's own history is kept too, as AWS's command line prints it, and is read back."""
    run = durable(handler, ORDER, callbacks={"approval": False})
    durable_snapshot.golden(run)
    kept = history(Path(__file__).parent / "__durable__/test_order_fulfilment" / KEPT)
    assert [one.path for one in run] == [one.path for one in kept]


KEPT = "test_order_then_its_history_stays_the_same.json"
