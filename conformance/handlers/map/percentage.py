"""Requirement 9-10."""

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
    """Be over when more than a quarter of the items has failed."""
    completion = Completion(tolerated_percentage=25)
    items = ["fail", "fail", "ok", "ok"]
    batch = yield from ctx.map(
        "tolerated-pct", items, work, max_concurrency=1, completion=completion
    )
    return summary(batch, "completionReason", "successCount", "failureCount", "totalCount")
