"""Requirement 4-18."""

from durable_gen import Context, Flow, durable


@durable
def handler(names: list[str], ctx: Context) -> Flow[list[str]]:
    """Wait for two answers that may come in any order."""
    a = yield from ctx.callback(names[0])
    b = yield from ctx.callback(names[1])
    first = yield from a.result()
    second = yield from b.result()
    return [first, second]
