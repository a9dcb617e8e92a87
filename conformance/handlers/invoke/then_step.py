"""Requirement 5-12."""

import os

from durable_gen import Context, Flow, durable

ECHO = f"{os.environ['ECHO_TARGET']}:$LATEST"


def label(item: str) -> str:
    """Label what the other function gave."""
    return f"labelled {item}"


@durable
def handler(_event: None, ctx: Context) -> Flow[str]:
    """Run a step on what another function answered."""
    answer = yield from ctx.invoke("echo", ECHO, "parcel")
    return (yield from ctx.step(label, answer))
