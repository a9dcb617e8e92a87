"""Human approval with a deadline: whichever comes first, the answer or the end of the week."""

from __future__ import annotations

from typing import Any

from durable_gen import Context, Flow, durable


def notify(who: str, callback_id: str) -> str:
    """Send a message with a link that answers the callback."""
    return f"asked {who}"


@durable
def handler(event: dict[str, Any], ctx: Context) -> Flow[dict[str, Any]]:
    """Ask for approval of an expense, and let it lapse after a week."""
    asked = ctx.now()
    answer = yield from ctx.callback("approval")
    yield from ctx.step("notify", notify, event["approver"], answer.id)
    decision = yield from ctx.race(answer.result(), ctx.wait("deadline", days=7))
    if decision is None:
        yield from ctx.step("lapse", notify, event["employee"], "your request lapsed")
        return {"status": "lapsed", "days": (ctx.now() - asked).days}
    return {"status": "approved" if decision["approved"] else "refused", "by": decision["by"]}
