"""Requirement 8-15."""

import json
from typing import Any

from durable_gen import Context, Flow, SerdeInfo, durable


class Wrapped:
    """Keeps values in an envelope of JSON."""

    def dumps(self, value: Any, _info: SerdeInfo) -> str:
        """Put a value into its envelope."""
        return json.dumps({"wrapped": value})

    def loads(self, text: str, _info: SerdeInfo) -> Any:
        """Take a value out of its envelope."""
        return json.loads(text)["wrapped"]


@durable
def handler(_event: None, ctx: Context) -> Flow[list[Any]]:
    """Keep the branches' values in a format of one's own."""
    branches = [lambda _: "x", lambda _: "y"]
    batch = yield from ctx.parallel("serde", branches, max_concurrency=1, serde=Wrapped())
    return batch.values
