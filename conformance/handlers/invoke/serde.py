"""Requirement 5-16."""

import os

from durable_gen import Context, Flow, SerdeInfo, Text, durable

ECHO = f"{os.environ['ECHO_TARGET']}:$LATEST"


class Loud(Text):
    """Reads text aloud."""

    def loads(self, text: str, info: SerdeInfo) -> str:
        """Read text in capitals."""
        return super().loads(text, info).upper()


@durable
def handler(text: str, ctx: Context) -> Flow[str]:
    """Read an answer in a format of one's own."""
    return (yield from ctx.invoke("echo", ECHO, text, serde=Loud()))
