"""JSON as quickly as it goes: by orjson, and by the standard library what only that takes."""

from __future__ import annotations

import json
from typing import Any

import orjson


def read(text: str | bytes) -> Any:
    """Read JSON.

    Args:
        text: it. Lone surrogates are taken, as escapes.

    Raises:
        ValueError: it is none.
        RecursionError: it is too deep.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text, parse_constant=_no_json)


def _no_json(word: str) -> None:
    msg = f"{word} is no JSON"
    raise ValueError(msg)


def written(value: Any) -> bytes:
    """Write JSON as UTF-8, without blanks; text with a lone surrogate by escapes."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return _plain(value).encode()


def ascii_text(value: Any) -> str:
    """Write JSON as ASCII, without blanks: as many bytes as characters."""
    data = written(value)
    return data.decode() if data.isascii() else _plain(value)


_plain = json.JSONEncoder(separators=(",", ":")).encode
