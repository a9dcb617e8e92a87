"""What a running step knows of itself."""

from __future__ import annotations

from durable_gen._effects import StepInfo, running
from durable_gen.errors import UsageError


def current_step() -> StepInfo:
    """Return what the step that runs here may know of itself.

    Returns:
        Its name, path, attempt, operation id and `idempotency_key`, which is the same for every
        attempt: hand it to a service that takes one, and it is done once however often it is tried.

    Raises:
        UsageError: no step runs here.
    """
    info = running.get()
    if info is None:
        msg = "current_step() was called outside a step: call it in the function that a step runs"
        raise UsageError(msg)
    return info
