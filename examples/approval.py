"""Human approval with a deadline: whichever comes first, the answer or the end of the week.

    durable-gen run examples/approval.py:handler --event examples/expense.json

Answer it with {"approved": true, "by": "ada"}. Nothing runs while it waits.
"""

from __future__ import annotations

from typing import TypedDict

from durable_gen import Context, Flow, durable


class Expense(TypedDict):
    """What somebody wants to be paid back."""

    employee: str
    approver: str
    amount: int


class Decision(TypedDict):
    """What the approver answers."""

    approved: bool
    by: str


class Outcome(TypedDict):
    """What became of it."""

    status: str
    by: str | None


def ask(approver: str, callback_id: str) -> str:
    """Send the approver a link; the page behind it answers the callback."""
    return f"to {approver}: https://expenses.example.com/decide/{callback_id}"


def tell(employee: str, status: str) -> str:
    """Send the employee a message."""
    return f"to {employee}: your expense is {status}"


@durable
def handler(expense: Expense, ctx: Context) -> Flow[Outcome]:
    """Have an expense approved; it lapses when nobody decides within a week."""
    approval = yield from ctx.callback("approval", returns=Decision)
    yield from ctx.step("ask", ask, expense["approver"], approval.id)
    decision = yield from ctx.race(approval.result(), ctx.wait("deadline", days=7))
    if decision is None:
        outcome = Outcome(status="lapsed", by=None)
    else:
        status = "approved" if decision["approved"] else "refused"
        outcome = Outcome(status=status, by=decision["by"])
    yield from ctx.step("tell", tell, expense["employee"], outcome["status"])
    return outcome
