"""Requirement 8-8."""

from typing import Any

from common.batches import summary

from durable_gen import Completion, Context, Flow, durable


def succeed(_ctx: Context) -> str:
    """Give a text."""
    return "done"


@durable
def handler(_event: None, ctx: Context) -> Flow[dict[str, Any]]:
    """Be over when two branches have succeeded."""
    completion = Completion(min_successful=2)
    batch = yield from ctx.parallel(
        "min-successful", [succeed] * 4, max_concurrency=1, completion=completion
    )
    return summary(batch, "completionReason", "successCount", "totalCount")
