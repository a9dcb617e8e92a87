"""What stands between a workflow and the service: botocore's two methods, or anything that has them."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol


class Backend(Protocol):
    """The service, as a botocore or boto3 Lambda client has it: keyword arguments and dicts."""

    def checkpoint_durable_execution(self, **request: Any) -> Mapping[str, Any]:
        """Take in updates.

        Args:
            **request: DurableExecutionArn, CheckpointToken, Updates, ClientToken.

        Returns:
            CheckpointToken and NewExecutionState {Operations, NextMarker}.
        """

    def get_durable_execution_state(self, **request: Any) -> Mapping[str, Any]:
        """Give a further page of the log.

        Args:
            **request: DurableExecutionArn, CheckpointToken, Marker, MaxItems.

        Returns:
            Operations and NextMarker.
        """


@cache
def default() -> Backend:
    """Make a botocore client, once, when it is first needed."""
    collects = gc.isenabled()
    gc.disable()  # none of what is made is garbage, and looking for some takes a tenth of the time
    try:
        from durable_gen.backends._botocore import lambda_client

        return lambda_client()
    finally:
        if collects:
            gc.enable()


def prepare() -> None:
    """Make the default client now if this is Lambda's init, which has a whole processor for it."""
    if "AWS_LAMBDA_RUNTIME_API" in os.environ:
        default()
