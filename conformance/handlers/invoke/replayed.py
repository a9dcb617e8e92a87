"""Requirement 5-9."""

import os
from typing import Any

from durable_gen import Context, Flow, durable

ECHO = f"{os.environ['ECHO_TARGET']}:$LATEST"


@durable
def handler(_event: None, ctx: Context) -> Flow[Any]:
    """Do not invoke again when the flow is replayed."""
    answer = yield from ctx.invoke("echo", ECHO, "once")
    yield from ctx.wait("pause", seconds=1)
    return answer
