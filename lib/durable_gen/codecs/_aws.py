"""Clients of AWS's services by botocore, made when they are first needed."""

from __future__ import annotations

from typing import Any

from durable_gen._version import VERSION

ATTEMPTS = 5  # with backoff: a few seconds; then Lambda is to invoke again


def client(service: str) -> Any:
    """Make a client of a service, from the environment."""
    import botocore.session
    from botocore.config import Config

    config = Config(
        connect_timeout=5,
        read_timeout=50,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        user_agent_extra=f"durable-gen/{VERSION}",
    )
    return botocore.session.get_session().create_client(service, config=config)


def code(error: Exception) -> str:
    """Give the code of what a service answered; nothing for what did not come from one."""
    response = getattr(error, "response", None)
    return str((response.get("Error") or {}).get("Code", "")) if response else ""
