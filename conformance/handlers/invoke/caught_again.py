"""Requirement 5-10."""

import os
from typing import Any

from durable_gen import Context, Flow, InvokeFailed, durable

FAILING = f"{os.environ['FAILING_TARGET']}:$LATEST"


@durable
def handler(_event: None, ctx: Context) -> Flow[Any]:
    """Catch a failure again when the flow is replayed."""
    try:
        result = yield from ctx.invoke("fail", FAILING)
    except InvokeFailed:
        result = "fallback"
    yield from ctx.wait("pause", seconds=1)
    return result
