"""Requirement 8-22."""

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
    """Tolerate that a quarter of the branches fails."""
    completion = Completion(tolerated_percentage=25)
    batch = yield from ctx.parallel(
        "pct-boundary", [fail, succeed, succeed, succeed], max_concurrency=1, completion=completion
    )
    return summary(batch)
