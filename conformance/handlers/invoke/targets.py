"""What the other modules invoke: durable functions themselves."""

from typing import Any, NoReturn

from durable_gen import Context, durable


@durable
def echo(event: Any, _ctx: Context) -> Any:
    """Give back what it is given."""
    return event


@durable
def fail(_event: Any, _ctx: Context) -> NoReturn:
    """Fail, whatever it is given."""
    msg = "no funds"
    raise ValueError(msg)
