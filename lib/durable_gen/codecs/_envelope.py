"""The text that a chain stores: one JSON object, which says what the value went through.

    {"durable_gen.codecs":["zstd","aes-gcm"],"preview":{"order_id":7},"base64":"KLUv/..."}

Bytes that are JSON stand there as they are, as `data`.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from durable_gen._serde import SerdeInfo
from durable_gen.errors import DeserializationError

MARK = "durable_gen.codecs"
MEMBERS = frozenset({MARK, "preview", "data", "base64"})
JSON_BEGINS = frozenset(b'{["-0123456789tfn')


def closed(names: list[str], preview: Any, data: bytes) -> str:
    """Write what a value went through, what is shown of it, and what came of it."""
    members: dict[str, Any] = {MARK: names}
    if preview is not None:
        members["preview"] = preview
    if _is_json(data):
        members["data"] = orjson.Fragment(data)
    else:
        members["base64"] = base64.b64encode(data).decode()
    return orjson.dumps(members).decode()


def _is_json(data: bytes) -> bool:
    """Tell whether bytes come back as they are when they are read and written as JSON."""
    if not data or data[0] not in JSON_BEGINS:
        return False
    try:
        return orjson.dumps(orjson.loads(data)) == data
    except (ValueError, TypeError, RecursionError):
        return False


def envelope(text: str) -> dict[str, Any] | None:
    """Read what a chain has stored; None when no chain has."""
    if MARK not in text:
        return None
    try:
        found = orjson.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and MARK in found else None


def opened(found: dict[str, Any], info: SerdeInfo) -> tuple[list[str], Any, bytes]:
    """Take out the names of codecs, the preview and the bytes.

    Raises:
        DeserializationError: it is damaged.
    """
    names, packed = found[MARK], found.get("base64")
    whole = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if whole and found.keys() <= MEMBERS and ("data" in found) != ("base64" in found):
        if "data" in found:
            return names, found.get("preview"), orjson.dumps(found["data"])
        if isinstance(packed, str) and (data := _unpacked(packed)) is not None:
            return names, found.get("preview"), data
    msg = f"{info.what}: its stored value is damaged: it is no text of a chain of codecs"
    raise DeserializationError(msg)


def _unpacked(text: str) -> bytes | None:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    last = text[-4:]  # bits of its end that mean nothing must be 0: one text for some bytes
    return data if base64.b64encode(base64.b64decode(last)).decode() == last else None


def text_of(data: bytes, info: SerdeInfo) -> str:
    """Make text of what the first codec gave back."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        msg = f"{info.what}: its stored value is damaged: what its codecs gave is no text: {error}"
        raise DeserializationError(msg) from error
