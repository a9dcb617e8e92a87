"""Requirement 7-11."""

from dataclasses import dataclass

from durable_gen import Context, Flow, durable


@dataclass
class Decision:
    """What somebody decides."""

    status: str


def ask(callback_id: str) -> str:
    """Tell somebody where to answer."""
    return f"answer with {callback_id}"


@durable
def handler(name: str, ctx: Context) -> Flow[str]:
    """Read an answer that is an object."""
    decision = yield from ctx.wait_for_callback(name, ask, returns=Decision)
    return decision.status
