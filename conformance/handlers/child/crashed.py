"""Requirement 3-12."""

import os
import tempfile
import time
from pathlib import Path

from durable_gen import Context, Flow, current_step, durable


def crash_once(text: str) -> str:
    """Take the process down, but only once."""
    mark = Path(tempfile.gettempdir(), current_step().idempotency_key)
    if not mark.exists():
        mark.touch()
        time.sleep(0.5)  # long enough for the start of it all to be recorded
        os._exit(1)
    mark.unlink()
    return text


def work(ctx: Context, text: str) -> Flow[str]:
    """Run a step that is cut off; one with a timeout has its start recorded while it runs."""
    return (yield from ctx.step(crash_once, text, timeout=60))


@durable
def handler(text: str, ctx: Context) -> Flow[str]:
    """Run a step of a child again that was cut off."""
    return (yield from ctx.child("work", work, text))
