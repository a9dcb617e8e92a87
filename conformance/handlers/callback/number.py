"""Requirement 4-16."""

from durable_gen import Context, Flow, SerdeInfo, durable


class Numbers:
    """Keeps whole numbers as digits."""

    def dumps(self, value: int, _info: SerdeInfo) -> str:
        """Write a number."""
        return str(value)

    def loads(self, text: str, _info: SerdeInfo) -> int:
        """Read a number."""
        return int(text)


@durable
def handler(name: str, ctx: Context) -> Flow[dict[str, int]]:
    """Read an answer as a number."""
    callback = yield from ctx.callback(name, serde=Numbers())
    count: int = yield from callback.result()
    return {"count": count, "doubled": 2 * count}
