"""Requirement 4-15."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from durable_gen import Context, Flow, SerdeInfo, durable


@dataclass
class Message:
    """What somebody says, and when."""

    id: str
    message: str
    timestamp: datetime


class Messages:
    """Keeps messages as JSON."""

    def dumps(self, value: Message, _info: SerdeInfo) -> str:
        """Write a message."""
        return json.dumps({**vars(value), "timestamp": value.timestamp.isoformat()})

    def loads(self, text: str, _info: SerdeInfo) -> Message:
        """Read a message."""
        fields = json.loads(text)
        return Message(**{**fields, "timestamp": datetime.fromisoformat(fields["timestamp"])})


@durable
def handler(name: str, ctx: Context) -> Flow[dict[str, Any]]:
    """Read an answer in a format of one's own."""
    callback = yield from ctx.callback(name, serde=Messages())
    received: Message = yield from callback.result()
    seconds = int(received.timestamp.timestamp())
    return {"received": {**vars(received), "timestamp": seconds}}
