"""A preview is the chosen part of a value that its stored text shows in the clear."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson

from durable_gen import _check
from durable_gen.errors import UsageError

if TYPE_CHECKING:
    from durable_gen._serde import Serde
    from durable_gen.codecs._chain import Chain

MAX_TEXT = 200  # characters of a text that are shown
LEAST = 64  # bytes: below this there is room for nothing
CUT = "…"
PART = re.compile(r"\[(\d+|\*)\]")


class Preview:
    """Chooses what of a value its stored text shows in the clear, in logs of executions and consoles.

    Args:
        *paths: members of the value: `"order.id"`, `"lines[*].sku"`, `"lines[0]"`, `"*"` for
            every member, `"$"` for all of it. One that is not there shows nothing.
        most: bytes of JSON that are shown at most.

    Raises:
        UsageError: a path is no path, or there is none.
    """

    def __init__(self, *paths: str, most: int = 1024) -> None:
        if not paths:
            msg = 'Preview() shows nothing: name what it may show, as in Preview("order.id")'
            raise UsageError(msg)
        for path in paths:
            parts = _parts(path) if isinstance(path, str) else []
            if path != "$" and not (parts and all(parts)):
                msg = f'a path of a Preview is text such as "order.id" or "lines[*].sku", not {path!r}'
                raise UsageError(msg)
        self.paths = paths
        self.most = _check.whole("Preview(most=...)", most, LEAST)

    def __repr__(self) -> str:
        return f"Preview({', '.join(map(repr, self.paths))})"

    def __ror__(self, serde: Serde) -> Chain:
        from durable_gen.codecs._chain import Chain

        return Chain(serde, preview=self)

    def of(self, text: str) -> dict[str, Any] | None:
        """Choose from a value.

        Args:
            text: the value as JSON.

        Returns:
            What is shown, by path; None when that is nothing.
        """
        try:
            value = orjson.loads(text)
        except ValueError:
            return None
        found: dict[str, Any] = {}
        size = 2 + len(orjson.dumps({CUT: f"cut at {self.most} bytes"}))
        for path in self.paths:
            for at, leaf in _leaves(value, _parts(path), ""):
                if at in found:
                    continue
                size += len(orjson.dumps({at: leaf}))
                if size > self.most:
                    found[CUT] = f"cut at {self.most} bytes"
                    return found
                found[at] = leaf
        return found or None


def _parts(path: str) -> list[str]:
    """Split a path into the keys and indexes that it goes through."""
    path = PART.sub(r".\1", path).removeprefix("$").removeprefix(".")
    return path.split(".") if path else []


def _leaves(value: Any, parts: list[str], at: str) -> Iterator[tuple[str, Any]]:
    """Go through the texts, numbers and so on that a path leads to; all below it, where it ends."""
    if parts or (value and isinstance(value, dict | list)):
        part, rest = (parts[0], parts[1:]) if parts else ("*", [])
        for key, member in _members(value):
            if part in ("*", str(key)):
                here = f"{at}[{key}]" if isinstance(key, int) else f"{at}.{key}" if at else key
                yield from _leaves(member, rest, here)
    elif isinstance(value, str) and len(value) > MAX_TEXT:
        yield at or "$", value[:MAX_TEXT] + CUT
    else:
        yield at or "$", value


def _members(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)
