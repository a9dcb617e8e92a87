"""What stands between a workflow and the service: botocore's two methods, or anything that has them."""

from __future__ import annotations

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
    import botocore.session
    from botocore.config import Config

    from durable_gen._version import VERSION

    config = Config(connect_timeout=5, read_timeout=50, user_agent_extra=f"durable-gen/{VERSION}")
    client: Backend = botocore.session.get_session().create_client("lambda", config=config)
    return client
