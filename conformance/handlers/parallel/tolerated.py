"""Requirement 8-9."""

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
    """Tolerate one failure."""
    completion = Completion(tolerated_failures=1)
    batch = yield from ctx.parallel(
        "tolerated", [succeed, fail, succeed], max_concurrency=1, completion=completion
    )
    return summary(batch)
