"""Requirement 8-16."""

from typing import Any, NoReturn

from common.batches import summary

from durable_gen import Completion, Context, Flow, durable


def fail(_ctx: Context) -> NoReturn:
    """Fail."""
    msg = "no funds"
    raise ValueError(msg)


@durable
def handler(_event: None, ctx: Context) -> Flow[dict[str, Any]]:
    """Run all branches though all of them fail."""
    completion = Completion(tolerated_failures=3)
    batch = yield from ctx.parallel(
        "all-fail", [fail] * 3, max_concurrency=1, completion=completion
    )
    return summary(batch)
