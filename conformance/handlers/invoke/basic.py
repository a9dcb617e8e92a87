"""Requirement 5-1."""

import os
from typing import Any

from durable_gen import Context, Flow, durable

ECHO = f"{os.environ['ECHO_TARGET']}:$LATEST"


@durable
def handler(text: str, ctx: Context) -> Flow[Any]:
    """Invoke another function."""
    return (yield from ctx.invoke("echo", ECHO, text))
