"""Requirement 8-7."""

from typing import NoReturn

from durable_gen import Completion, Context, Flow, durable


def succeed(_ctx: Context) -> str:
    """Give a text."""
    return "done"


def fail(_ctx: Context) -> NoReturn:
    """Fail."""
    msg = "no funds"
    raise ValueError(msg)


@durable
def handler(_event: None, ctx: Context) -> Flow[list[str]]:
    """Fail as the first branch does."""
    completion = Completion(tolerated_failures=0)
    batch = yield from ctx.parallel(
        "throwing", [fail, succeed], max_concurrency=1, completion=completion
    )
    return batch.raise_if_failed().values
