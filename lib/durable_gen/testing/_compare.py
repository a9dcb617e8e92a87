"""Says what differs between two snapshots, or two golden histories, by their operations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher, ndiff
from typing import Any

from durable_gen.testing._golden import history
from durable_gen.testing._tree import walk

Blocks = Mapping[str, Sequence[str]]  # what is said of each operation, by its kind and path


def difference(expected: str, found: str) -> str | None:
    """Say what differs, an operation at a time; None when nothing does.

    Args:
        expected: a snapshot, or a golden history in JSON.
        found: what is to be the same.
    """
    if expected == found:
        return None
    old, new = _blocks(expected), _blocks(found)
    lines = list(_told(old, new))
    return "\n".join(lines) if lines or not _golden(expected) else None


def _told(old: Blocks, new: Blocks) -> Iterator[str]:
    moved = _moved(list(old), list(new))
    for name in old:
        if name not in new:
            yield f"removed: {name}"
    for name, lines in new.items():
        if name not in old:
            yield f"added: {name}"
            yield from (f"  + {line}" for line in lines)
            continue
        if name in moved:
            yield f"moved: {name}, now {_after(list(new), name)}"
        if lines != old[name]:
            yield f"changed: {name}"
            yield from (f"  {line}".rstrip() for line in ndiff(old[name], lines) if line[0] in "+-")


def _moved(old: Sequence[str], new: Sequence[str]) -> set[str]:
    """Find what stands elsewhere among those that both have."""
    left, right = [one for one in old if one in new], [one for one in new if one in old]
    same = SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
    kept = {left[i] for block in same for i in range(block.a, block.a + block.size)}
    return set(left) - kept


def _after(names: Sequence[str], name: str) -> str:
    place = names.index(name)
    return f"after {names[place - 1]}" if place else "first"


def _golden(text: str) -> bool:
    return text.lstrip().startswith("{")


def _blocks(text: str) -> Blocks:
    return _of_history(text) if _golden(text) else _of_snapshot(text)


def _of_snapshot(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line and not line.startswith(" "):
            lines = found.setdefault(line, [])
        elif line:
            lines.append(line.removeprefix("  "))
    return found


def _of_history(text: str) -> dict[str, list[str]]:
    """Group the events of a history: in which order threads have ended is nobody's fault."""
    titles = {one.id: f"{one.kind} {one.path}" for one in walk(history(text).operations)}
    found: dict[str, list[str]] = {title: [] for title in ("execution", *titles.values())}
    for event in json.loads(text)["Events"]:
        lines = found[titles.get(event.get("Id"), "execution")]
        lines += _flat(event["EventType"], {k: v for k, v in event.items() if k not in UNTOLD})
    return found


UNTOLD = ("EventType", "EventId", "Id", "ParentId", "Name", "SubType")


def _flat(path: str, value: Any) -> list[str]:
    """Write a value as lines, each with the path to it."""
    if isinstance(value, Mapping) and value:
        return [line for key, one in value.items() for line in _flat(f"{path}.{key}", one)]
    return [f"{path} = {json.dumps(value, ensure_ascii=False)}"]
