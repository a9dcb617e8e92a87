"""Requirement 9-8."""

from typing import Any

from common.batches import summary

from durable_gen import Completion, Context, Flow, durable


def work(_ctx: Context, item: str) -> str:
    """Give the item back, or fail."""
    if item == "fail":
        msg = "no funds"
        raise ValueError(msg)
    return item


@durable
def handler(_event: None, ctx: Context) -> Flow[dict[str, Any]]:
    """Tolerate one failure."""
    completion = Completion(tolerated_failures=1)
    items = ["ok", "fail", "ok"]
    batch = yield from ctx.map("tolerated", items, work, max_concurrency=1, completion=completion)
    return summary(batch)
