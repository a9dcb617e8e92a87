"""Requirement 9-7."""

from typing import Any

from common.batches import summary

from durable_gen import Completion, Context, Flow, durable


def work(_ctx: Context, item: str) -> str:
    """Give the item back."""
    return item


@durable
def handler(_event: None, ctx: Context) -> Flow[dict[str, Any]]:
    """Be over when two items have succeeded."""
    completion = Completion(min_successful=2)
    items = ["a", "b", "c", "d"]
    batch = yield from ctx.map(
        "min-successful", items, work, max_concurrency=1, completion=completion
    )
    return summary(batch, "completionReason", "successCount", "totalCount")
