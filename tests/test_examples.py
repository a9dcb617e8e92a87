"""The examples: each does what its file of output says, and their other endings."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
ORDER = json.loads((EXAMPLES / "order.json").read_text("utf-8"))


def commands():
    """Find each example's command in the list of examples."""
    text = (EXAMPLES / "README.md").read_text("utf-8")
    found = re.findall(r"`durable-gen (run examples/(\w+)\.py.*?)`", text)
    return {name: shlex.split(command) for command, name in found}


def start(arguments, **environment):
    command = [sys.executable, "-m", "durable_gen.cli", *arguments]
    streams = {"stdin": subprocess.DEVNULL, "capture_output": True}
    with tempfile.TemporaryDirectory() as temporary:  # for what an example leaves
        env = {**os.environ, "TMPDIR": temporary, **environment}
        return subprocess.run(
            command, cwd=ROOT, text=True, timeout=60, check=False, env=env, **streams
        )


def outcome(name, *options, event=None):
    """Run an example as its list says, but with further options; give its result."""
    more = [] if event is None else ["--event", json.dumps(event)]
    ran = start([*commands()[name], *more, *options])
    assert 0 == ran.returncode, ran.stderr
    return json.loads(ran.stdout), ran.stderr


def test_examples_then_the_list_has_all_of_them():
    """Every example is listed with its command, and has its output beside it."""
    assert NAMES == sorted(commands())
    assert NAMES == sorted(path.stem for path in EXAMPLES.glob("*.out"))


@pytest.mark.parametrize("name", NAMES)
def test_example_then_it_prints_what_its_file_of_output_says(name):
    """An example's command prints its .out file; so does a second run."""
    expected = (EXAMPLES / f"{name}.out").read_text("utf-8")
    for _ in range(2):
        ran = start(commands()[name])
        assert 0 == ran.returncode, ran.stderr
        progress = expected.removesuffix(ran.stdout)
        assert expected == progress + ran.stdout
        match name:
            case "nightly_report" | "document_pipeline":
                pass  # the time of day, and who is first, are never the same
            case "order_fulfilment":  # its last two parcels are packed side by side
                assert sorted(progress.splitlines()) == sorted(ran.stderr.splitlines())
            case _:
                assert progress == ran.stderr


@pytest.mark.parametrize("approved", [True, False])
def test_expense_is_decided_then_the_decision_wins_over_the_deadline(approved):
    """An answer before the deadline decides, and no week passes."""
    answer = json.dumps({"approved": approved, "by": "ada"})
    result, progress = outcome("approval", "--callback", f"approval={answer}")
    assert {"status": "approved" if approved else "refused", "by": "ada"} == result
    assert "SUCCEEDED after 0.0s" in progress


def test_order_is_approved_then_it_ships():
    """An approved order ships all of its items."""
    result, _ = outcome("order_fulfilment", "--callback", "approval=true")
    parcels = ["parcel-lamp/1", "parcel-desk/1", "parcel-chair/2"]
    assert {"order": "A-1001", "status": "shipped", "paid": 678.5, "parcels": parcels} == result


def test_order_is_refused_then_the_payment_goes_back_and_the_items_too():
    """A refused order is refunded, and its reservation undone."""
    result, progress = outcome("order_fulfilment", "--callback", "approval=false")
    assert {"order": "A-1001", "status": "rejected", "refunded": 678.5} == result
    assert "step refund succeeded" in progress
    assert "compensation reserve succeeded" in progress


def test_large_order_has_no_approval_in_time_then_it_is_refused():
    """An order of 1,000 or more needs a yes; time passing is none."""
    dear = {**ORDER, "items": [{"sku": "sofa", "quantity": 1, "price": 1200.0}]}
    result, progress = outcome("order_fulfilment", event=dear)
    assert {"order": "A-1001", "status": "rejected", "refunded": 1200.0} == result
    assert "callback approval timed out" in progress


def test_card_is_declined_then_the_reservation_is_undone():
    """A declined card ends the order: nothing was paid, what was reserved is released."""
    result, progress = outcome("order_fulfilment", event={**ORDER, "card": "4000 0000"})
    why = "card ending in 0000 was declined"
    assert {"order": "A-1001", "status": "declined", "why": why} == result
    assert "compensation reserve succeeded" in progress
    assert "approval" not in progress


def test_too_many_bad_documents_then_the_pipeline_gives_up():
    """More than a quarter of bad documents end the fan-out early."""
    event = {"documents": ["a.bad", "b.bad", "c.txt", "d.txt"]}
    result, _ = outcome("document_pipeline", event=event)
    assert "FAILURE_TOLERANCE_EXCEEDED" == result["reason"]


def test_second_reminder_is_answered_then_there_is_no_third():
    """A subflow that reminds stops with the first answer."""
    result, progress = outcome("subflows", "--callback", "ask 1=true")
    assert {"currency": "EUR", "rate": 1.0836, "confirmed": True} == result
    assert "ask 2" not in progress


def test_private_order_then_the_log_has_no_card_and_the_statement_lies_in_a_file(tmp_path):
    """What is written to the disk: names and previews in the clear, no card, and 2 MB elsewhere."""
    (tmp_path / "values").mkdir()
    store = tmp_path / "orders.sqlite"
    ran = start(
        [*commands()["private_order"], "--store", str(store)], ORDERS_PATH=str(tmp_path / "values")
    )
    assert 0 == ran.returncode, ran.stderr
    log = b"".join(path.read_bytes() for path in tmp_path.glob("orders.sqlite*"))
    shown = [b"checkout-7", b"last4", b"receipt-7899-129"]
    assert [True] * 3 + [False] * 2 == [
        word in log for word in (*shown, b"4000 0012", b"Ada Lovelace")
    ]
    (statement,) = (tmp_path / "values").glob("*/*")
    assert 500_000 < statement.stat().st_size < 2_000_000
    assert b"Ada Lovelace" not in statement.read_bytes()
