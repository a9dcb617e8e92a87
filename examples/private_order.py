"""A private order: card data is encrypted in the log, a large statement lies in a file.

    durable-gen run examples/private_order.py:handler --event examples/checkout.json

It needs the extras: pip install 'durable_gen[cli,crypto,zstd]'. With --store orders.sqlite, look into
that file: the card is nowhere in it, and of the statement there is only where it lies.
"""

from __future__ import annotations

import base64
import os
import tempfile
from pathlib import Path
from typing import Any, TypedDict

from attrs import frozen

from durable_gen import Context, Flow, Json, durable
from durable_gen.codecs import Encrypt, Files, Preview, Zstd


class Checkout(TypedDict):
    """What the shop sends: where the card is, and not the card. An event is stored as it comes."""

    id: str
    amount: float


@frozen
class Card:
    """What the vault has of a checkout."""

    holder: str
    number: str
    last4: str


def key() -> bytes:
    """Give the key. In production: Kms("alias/orders"), or a function that asks Secrets Manager."""
    return base64.b64decode(
        os.environ.get("ORDERS_KEY", base64.b64encode(b"a key for examples only!"))
    )


def path() -> Path:
    """Give the place for large values. In production: where the function's file system is mounted."""
    where = Path(os.environ.get("ORDERS_PATH", Path(tempfile.gettempdir()) / "private_order"))
    where.mkdir(exist_ok=True)
    return where


SECRET = Json() | Preview("last4", "id") | Zstd() | Encrypt(key) | Files(path(), above=10_000)


def fetch_card(checkout: Checkout) -> Card:
    """Ask the vault for the card of a checkout."""
    return {"checkout-7": Card("Ada Lovelace", "4000 0012 3456 7899", "7899")}[checkout["id"]]


def charge(card: Card, amount: float) -> str:
    """Charge the card; give the receipt's number."""
    return f"receipt-{card.last4}-{amount:.0f}"


def write_statement(card: Card, receipt: str) -> dict[str, Any]:
    """Write what the customer gets: some 2 MB, more than the service takes of a step."""
    lines = [f"{n:06} {card.holder} {os.urandom(16).hex()} {receipt}" for n in range(30_000)]
    return {"id": receipt, "lines": lines}


def send(statement: dict[str, Any]) -> int:
    """Mail the statement; give the number of its lines."""
    return len(statement["lines"])


def payment(ctx: Context, checkout: Checkout) -> Flow[str]:
    """Charge the card. It is in the result of a step, so it is encrypted wherever that is kept."""
    card = yield from ctx.step("card", fetch_card, checkout)
    receipt = yield from ctx.step("charge", charge, card, checkout["amount"])
    statement = yield from ctx.step("statement", write_statement, card, receipt)
    yield from ctx.wait("settle", seconds=2)  # after this, both are read again
    sent = yield from ctx.step("send", send, statement)
    return f"{receipt}, {sent} lines sent"


@durable(serde=SECRET)
def handler(checkout: Checkout, ctx: Context) -> Flow[dict[str, Any]]:
    """Charge an order and send its statement. The result goes outside: it is plain JSON."""
    paid = yield from ctx.child("payment", payment, checkout)
    return {"checkout": checkout["id"], "paid": paid}
