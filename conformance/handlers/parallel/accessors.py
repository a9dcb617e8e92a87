"""Requirement 8-20."""

from typing import Any, NoReturn

from durable_gen import Completion, Context, Flow, ItemStatus, durable


def succeed(_ctx: Context) -> str:
    """Give a text."""
    return "done"


def fail(_ctx: Context) -> NoReturn:
    """Fail."""
    msg = "no funds"
    raise ValueError(msg)


@durable
def handler(_event: None, ctx: Context) -> Flow[dict[str, Any]]:
    """Look at what succeeded and what failed."""
    completion = Completion(tolerated_failures=1)
    batch = yield from ctx.parallel(
        "accessors", [succeed, fail, succeed], max_concurrency=1, completion=completion
    )
    statuses = [item.status for item in batch]
    return {
        "hasFailure": bool(batch.errors),
        "successCount": statuses.count(ItemStatus.SUCCEEDED),
        "failureCount": statuses.count(ItemStatus.FAILED),
        "errorCount": len(batch.errors),
    }
