"""How flows are tested: by a plan, without a service; and in virtual time, where clocks matter."""

from datetime import UTC, datetime, timedelta

import pytest

import approval
import batch_checkpoint
import document_pipeline
import nightly_report
from durable_gen import CallbackTimedOut, UsageError
from durable_gen.testing import After, Raises
from durable_gen.testing.plan import (
    callback,
    callback_result,
    child,
    expect,
    race,
    step,
    wait,
    wait_for_callback,
)
from order_fulfilment import payment
from subflows import ask, attempt_each, handler, rate_from_bank, rate_from_cache, remind

EXPENSE = {"employee": "bob", "approver": "ada", "amount": 40}


def test_payment_is_charged_and_settles():
    """A plan says what a flow yields, and what it is answered."""
    receipt = type("Receipt", (), {"amount": 20.0})
    (
        expect(payment, {"id": 7})
        .yields(step("charge", {"id": 7}))
        .returns(receipt)
        .yields(wait("settle", seconds=2))
        .returns()
        .ends(20.0)
    )


def test_first_provider_fails_then_the_second_is_asked():
    """An error is sent into the flow as the service would send it."""

    def flow(ctx):
        return (yield from attempt_each(ctx, "rate", [rate_from_bank, rate_from_cache]))

    (
        expect(flow)
        .yields(step("rate 0", fn=rate_from_bank, retry=None))
        .raises(ConnectionError("down"))
        .yields(step("rate 1", fn=rate_from_cache))
        .returns(1.1)
        .ends(1.1)
    )


def test_nobody_answers_then_there_are_three_reminders():
    """Each reminder waits as long as it says, and the last one is the end."""
    plan = expect(lambda ctx: remind(ctx, "ask", ask, every=60, times=2))
    for number in range(2):
        plan.yields(wait_for_callback(f"ask {number}", submit=ask, timeout=60)).raises(
            CallbackTimedOut("ask")
        )
    plan.ends(None)


def test_handler_uses_both_subflows():
    """A plan goes into the flow of a child, or answers it as a whole."""
    begin = lambda: (  # noqa: E731
        expect(handler, {"currency": "EUR"})
        .yields(step("rate 0"))
        .returns(1.1)
        .yields(child("confirm"))
    )
    result = {"currency": "EUR", "rate": 1.1, "confirmed": True}
    begin().returns("yes").ends(result)
    begin().enters().yields(wait_for_callback("ask 0")).returns("yes").ends("yes").ends(result)


def test_decision_or_deadline_whichever_comes_first(durable):
    """The answer and the end of the week race; in virtual time neither takes any."""
    answer = {"approved": True, "by": "ada"}
    early = durable(approval.handler, EXPENSE, callbacks={"approval": After(answer, days=6)})
    late = durable(approval.handler, EXPENSE, callbacks={"approval": After(answer, days=8)})
    assert [("approved", 6), ("lapsed", 7)] == [
        (run.result["status"], run.duration.days) for run in (early, late)
    ]


def test_race_is_planned():
    """A combinator is expected with what it is of."""
    deadline = race(callback_result("approval"), wait("deadline", days=7))
    (
        expect(approval.handler, EXPENSE)
        .yields(callback("approval"))
        .returns("id-1")
        .yields(step("ask", "ada", "id-1"))
        .returns()
        .yields(deadline)
        .returns(None)
        .yields(step("tell", "bob", "lapsed"))
        .returns()
        .ends({"status": "lapsed", "by": None})
    )


@pytest.mark.parametrize("hour", [1, 3])
def test_report_is_sent_at_two_in_the_morning(durable, hour):
    """Three nights pass at once, whenever the workflow is started."""
    start = datetime(2025, 3, 1, hour, tzinfo=UTC)
    run = durable(nightly_report.handler, {"to": "board"}, start=start)
    nights = [one.ended for one in run if one.kind == "wait"]
    assert [2, 2, 2] == [at.hour for at in nights]
    assert timedelta(days=1) == nights[2] - nights[1]
    assert [3, 3, 3] == [len(one.attempts) for one in run if one.name == "exported"]


def test_bad_documents_are_tolerated(durable):
    """Steps of a fan-out are scripted by patterns of paths."""
    names = ["a.txt", "b.txt", "c.txt", "d.txt", "e.txt"]
    steps = {
        "read/c.txt/fetch": Raises(ValueError("no document")),
        "fetch": lambda document: f"text of {document}",
        "recognise": 3,
    }
    run = durable(document_pipeline.handler, {"documents": names}, steps=steps)
    assert {"words": 12, "bad": ["c.txt"], "reason": "ALL_COMPLETED"} == run.result


def test_lines_are_parsed_in_one_checkpoint(durable):
    """What was sent to the service, and in how many calls, can be read."""
    lines = {"lines": [f"lunch,{n}" for n in range(50)]}
    run = durable(batch_checkpoint.handler, lines)
    assert "booked 1225" == run.result
    assert len(run.checkpoints) < 5
    with pytest.raises(UsageError):
        durable(batch_checkpoint.handler, object())
