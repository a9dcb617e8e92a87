"""Requirement 5-6."""

import os
from typing import Any

from durable_gen import Context, Flow, InvokeFailed, durable

FAILING = f"{os.environ['FAILING_TARGET']}:$LATEST"


@durable
def handler(_event: None, ctx: Context) -> Flow[Any]:
    """Catch the failure of another function."""
    try:
        result = yield from ctx.invoke("fail", FAILING)
    except InvokeFailed:
        result = "fallback"
    return result
