"""Requirement 9-18."""

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
    """Wait after a batch in which an item failed."""
    completion = Completion(tolerated_failures=1)
    items = ["ok", "fail"]
    batch = yield from ctx.map(
        "fail-then-wait", items, work, max_concurrency=1, completion=completion
    )
    yield from ctx.wait("pause", seconds=1)
    return summary(batch)
