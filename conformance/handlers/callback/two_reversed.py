"""Requirement 4-19."""

from durable_gen import Context, Flow, durable


@durable
def handler(names: list[str], ctx: Context) -> Flow[list[str]]:
    """Wait for the second answer before the first."""
    a = yield from ctx.callback(names[0])
    b = yield from ctx.callback(names[1])
    second = yield from b.result()
    first = yield from a.result()
    return [first, second]
