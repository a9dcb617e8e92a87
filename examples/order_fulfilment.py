"""Order fulfilment: reserve, charge, ask for approval, ship; and undo it all when that fails.

    durable-gen run examples/order_fulfilment.py:handler --event examples/order.json

Kill it at any point and run it again with the same --name and --store: no card is charged twice.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypedDict

from attrs import frozen

from durable_gen import (
    CallbackTimedOut,
    Context,
    Flow,
    Retry,
    current_step,
    durable,
    durable_error,
)


class Item(TypedDict):
    """One line of an order."""

    sku: str
    quantity: int
    price: float


class Order(TypedDict):
    """What a customer ordered."""

    id: str
    customer: str
    card: str
    items: list[Item]


@frozen
class Receipt:
    """What the payment provider answers."""

    key: str
    amount: float
    at: datetime


@durable_error
class PaymentDeclined(Exception):  # noqa: N818 - it says what happened
    """The card was refused; trying again will not help."""


def reserve(order: Order) -> str:
    """Set the items aside in the warehouse."""
    return f"reservation-{order['id']}"


def release(order: Order, reservation: str) -> None:
    """Put reserved items back."""


def charge(order: Order) -> Receipt:
    """Charge the card. The key makes it safe to try again: the provider charges once per key."""
    if order["card"].endswith("0000"):
        msg = f"card ending in {order['card'][-4:]} was declined"
        raise PaymentDeclined(msg)
    amount = sum((item["price"] * item["quantity"] for item in order["items"]), 0.0)
    return Receipt(current_step().idempotency_key[-8:], round(amount, 2), datetime.now(UTC))


def ask_for_approval(callback_id: str) -> None:
    """Send the callback's id to whoever approves: a mail with a link, a message, a ticket."""


def payment(ctx: Context, order: Order) -> Flow[float]:
    """Charge the card, and give the bank a moment to settle."""
    retry = Retry(max_attempts=3, initial=2, retry_on=ConnectionError)
    receipt = yield from ctx.step("charge", charge, order, retry=retry)
    yield from ctx.wait("settle", seconds=2)
    return receipt.amount


def ship(ctx: Context, item: Item) -> Flow[str]:
    """Pack an item and hand it to the carrier."""
    parcel = yield from ctx.step("pack", lambda: f"parcel-{item['sku']}")
    return (yield from ctx.step("label", lambda: f"{parcel}/{item['quantity']}"))


@durable
def handler(order: Order, ctx: Context) -> Flow[dict[str, Any]]:
    """Fulfil an order."""
    yield from ctx.step("reserve", reserve, order, compensate=release)
    try:
        paid = yield from ctx.child("payment", payment, order)
    except PaymentDeclined as declined:
        yield from ctx.compensate()
        return {"order": order["id"], "status": "declined", "why": str(declined)}

    try:
        approved = yield from ctx.wait_for_callback("approval", ask_for_approval, timeout=10)
    except CallbackTimedOut:
        approved = paid < 1000  # small orders go ahead when nobody objects in time
    if not approved:
        yield from ctx.step("refund", lambda: f"refunded {paid}")
        yield from ctx.compensate()
        return {"order": order["id"], "status": "rejected", "refunded": paid}

    shipped = yield from ctx.map(
        "ship", order["items"], ship, max_concurrency=2, item_name=lambda item, _: item["sku"]
    )
    return {
        "order": order["id"],
        "status": "shipped",
        "paid": paid,
        "parcels": shipped.raise_if_failed().values,
    }
