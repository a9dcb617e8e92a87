"""Requirement 1-1."""

from durable_gen import Context, Flow, durable


def greet(name: str) -> str:
    """Greet somebody."""
    return f"Hello, {name}!"


@durable
def handler(name: str, ctx: Context) -> Flow[str]:
    """Run one step."""
    return (yield from ctx.step(greet, name))
