"""Exports what was measured before Lambda freezes the process, for a while at most."""

from __future__ import annotations

import logging
import threading
from typing import Any

LOGGER = logging.getLogger("durable_gen.otel")
FLUSH = (
    2.0  # seconds: an exporter on this machine takes milliseconds, and one elsewhere has its chance
)


def flush(provider: Any, seconds: float, left: float) -> None:
    """Export what a provider still holds.

    Some exporters heed no time limit, so a thread of its own waits for them.

    Args:
        provider: a tracer or meter provider; one that cannot flush has nothing to.
        seconds: how long this may take.
        left: seconds until Lambda ends the function: a quarter of them may be used, so that another
            plugin has its share, and the invocation comes to its end.
    """
    force = getattr(provider, "force_flush", None)
    if force is None:
        return
    seconds = min(seconds, left / 4)

    late = [True]

    def run() -> None:
        try:
            late[0] = force(int(seconds * 1000)) is False
        except Exception:
            late[0] = False
            LOGGER.exception("%s could not be flushed", type(provider).__name__)

    thread = threading.Thread(target=run, name="durable-gen-otel", daemon=True)
    thread.start()
    thread.join(seconds)
    if late[0]:
        LOGGER.warning("%s was not flushed within %g s", type(provider).__name__, seconds)
