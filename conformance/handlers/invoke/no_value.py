"""Requirement 5-4."""

import os
from typing import Any

from durable_gen import Context, Flow, durable

ECHO = f"{os.environ['ECHO_TARGET']}:$LATEST"


@durable
def handler(_event: None, ctx: Context) -> Flow[Any]:
    """Invoke another function with nothing, and get nothing."""
    return (yield from ctx.invoke("echo", ECHO))
