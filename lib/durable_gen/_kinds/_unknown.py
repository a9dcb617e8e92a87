"""What every kind says of a status that the service's model does not have."""

from __future__ import annotations

from durable_gen._model import Record
from durable_gen.errors import CheckpointFailed


def unknown_status(record: Record, noun: str) -> CheckpointFailed:
    """Make the error that names the kind, the operation and the word."""
    label = record.name or record.id
    msg = (
        f"the record of {noun} {label!r} has the status {record.status!r}, which this version of "
        "durable_gen does not know: update durable_gen"
    )
    return CheckpointFailed(msg)
