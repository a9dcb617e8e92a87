"""Requirement 5-13."""

import os
from typing import Any

from durable_gen import Context, Flow, durable

ECHO = f"{os.environ['ECHO_TARGET']}:$LATEST"


def ask(ctx: Context) -> Flow[Any]:
    """Invoke another function."""
    return (yield from ctx.invoke("echo", ECHO, "parcel"))


@durable
def handler(_event: None, ctx: Context) -> Flow[Any]:
    """Invoke another function in a child."""
    return (yield from ctx.child("ask", ask))
