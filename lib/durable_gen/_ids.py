"""Ids come from positions: never from timing, names or object identity."""

from __future__ import annotations

from hashlib import blake2b


def operation_id(prefix: str | None, position: int) -> str:
    """Name the operation at a position of an id space.

    Args:
        prefix: the id of the context that the space belongs to; None at the root.
        position: counted from 1; branches and items as their dialect counts them.

    Returns:
        64 hexadecimal digits: the first half of the BLAKE2b digest.
    """
    text = b"%d" % position if prefix is None else f"{prefix}-{position}".encode()
    return blake2b(text).digest()[:32].hex()


def deadline_id(number: int) -> str:
    """Name the wait by which an invocation that runs out of time comes back, counted from 1."""
    return operation_id("deadline", number)
