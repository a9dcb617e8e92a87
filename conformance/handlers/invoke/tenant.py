"""Requirement 5-8."""

import os
from typing import Any

from durable_gen import Context, Flow, durable

TENANT = f"{os.environ['TENANT_TARGET']}:$LATEST"


@durable
def handler(event: dict[str, str], ctx: Context) -> Flow[Any]:
    """Invoke another function for a tenant."""
    tenant = event["tenantId"]
    return (yield from ctx.invoke("echo", TENANT, event["payload"], tenant_id=tenant))
