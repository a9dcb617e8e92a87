"""Requirement 9-14."""

from durable_gen import Context, Flow, SerdeInfo, durable


class Wrapped:
    """Keeps text behind a mark."""

    def dumps(self, value: str, _info: SerdeInfo) -> str:
        """Put the mark before a text."""
        return f"wrapped:{value}"

    def loads(self, text: str, _info: SerdeInfo) -> str:
        """Take the mark from a text."""
        return text.removeprefix("wrapped:")


def shout(_ctx: Context, item: str) -> str:
    """Give the item in capitals."""
    return item.upper()


@durable
def handler(_event: None, ctx: Context) -> Flow[list[str]]:
    """Keep the items' values in a format of one's own."""
    batch = yield from ctx.map("serdes", ["x", "y"], shout, max_concurrency=1, serde=Wrapped())
    return batch.values
