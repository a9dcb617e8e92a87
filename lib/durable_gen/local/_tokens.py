"""Opaque words that the service hands out: checkpoint tokens, callback ids, page markers."""

from __future__ import annotations

import base64
import binascii


def seal(*parts: str | int) -> str:
    """Make an opaque word of parts that hold no blank."""
    return base64.b64encode(" ".join(map(str, parts)).encode()).decode()


def unseal(word: str, count: int) -> list[str] | None:
    """Take an opaque word apart.

    Args:
        word: what a client sent.
        count: how many parts it must have.

    Returns:
        The parts, or None if it is no such word.
    """
    try:
        parts = base64.b64decode(word, validate=True).decode("ascii").split(" ")
    except (binascii.Error, ValueError):
        return None
    return parts if len(parts) == count and all(parts) else None
