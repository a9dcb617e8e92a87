"""Requirement 9-1."""

from durable_gen import Context, Flow, durable


def greet(ctx: Context, name: str) -> Flow[str]:
    """Greet somebody in a step."""
    return (yield from ctx.step("greet", lambda: f"Hello, {name}!"))


@durable
def handler(names: list[str], ctx: Context) -> Flow[list[str]]:
    """Run one step for each item, one item after the other."""
    batch = yield from ctx.map("map", names, greet, max_concurrency=1)
    return batch.values
