"""What some requirements want to know of a batch."""

from typing import Any

from durable_gen import Batch, ItemStatus


def summary(batch: Batch[Any], *keys: str) -> dict[str, Any]:
    """Say why a batch was over, and how many of its branches or items ended how."""
    whole = {
        "completionReason": batch.reason,
        "status": "FAILED" if batch.errors else "SUCCEEDED",
        "successCount": len(batch.values),
        "failureCount": len(batch.errors),
        "totalCount": sum(item.status is not ItemStatus.NOT_STARTED for item in batch),
    }
    return {key: whole[key] for key in keys or whole}
