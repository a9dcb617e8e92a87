"""Requirement 8-17."""

from typing import Any, NoReturn

from common.batches import summary

from durable_gen import Completion, Context, Flow, durable


def succeed(_ctx: Context) -> str:
    """Give a text."""
    return "done"


def fail(_ctx: Context) -> NoReturn:
    """Fail."""
    msg = "no funds"
    raise ValueError(msg)


@durable
def handler(_event: None, ctx: Context) -> Flow[dict[str, Any]]:
    """Run all branches though too few of them succeed."""
    completion = Completion(min_successful=3)
    batch = yield from ctx.parallel(
        "min-not-reached", [succeed, fail, succeed], max_concurrency=1, completion=completion
    )
    return summary(batch)
