"""How a run ended, and what its log keeps: what must be the same, whatever befell it."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

from attrs import frozen

from durable_gen.testing._history import History

LOOSE = ("StackTrace",)  # members of values that tell of an attempt


@frozen
class Entry:
    """What is kept of an operation, attempts aside.

    Attributes:
        title: what it is, and its path.
        type: the wire's word for what it is.
        said: how it stands, with its value or its error, as text.
    """

    title: str
    type: str
    said: str


@frozen
class Ending:
    """How a run ended.

    Attributes:
        status: the execution's status.
        result: what the workflow returned, as text; None for nothing.
        error: what it failed with; None when it did not.
        log: what is kept of each operation, by ids.
    """

    status: str
    result: str | None
    error: str | None
    log: Mapping[str, Entry]


def ending(run: History) -> Ending:
    """Read how a run ended."""
    failure, result = run.failure, None
    status = run.status
    if status == "SUCCEEDED":
        result = json.dumps(run.result, ensure_ascii=False)
    log = {}
    for one in run:
        words = [one.status]
        if one.failure is not None:
            words.append(f"{one.failure.type}: {one.failure.message or ''}")
        elif one.text is not None:
            words.append(_value(one.text))
        log[one.id] = Entry(f"{one.kind} {one.path!r}", one.type, " ".join(words))
    error = None if failure is None else f"{failure.type}: {failure.message or ''}"
    return Ending(status, result, error, log)


def _value(text: str) -> str:
    """Write a value without what tells of an attempt."""
    if not any(name in text for name in LOOSE):
        return text
    try:
        return json.dumps(_without(json.loads(text)), ensure_ascii=False)
    except ValueError:
        return text


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without(one) for key, one in value.items() if key not in LOOSE}
    return [_without(one) for one in value] if isinstance(value, list) else value


def varying(one: Ending, other: Ending) -> set[str]:
    """List the steps whose values differ from one run to the next by themselves."""
    return {
        id_
        for id_, entry in one.log.items()
        if entry.type == "STEP" and id_ in other.log and other.log[id_].said != entry.said
    }


def differences(
    expected: Ending, got: Ending, line: Callable[[str], str], loose: Container[str] = ()
) -> Iterator[str]:
    """Say in which ways one ending is another than expected, the most telling first.

    Args:
        expected: how it should have ended.
        got: how it did.
        line: names the user's line of an operation by its id.
        loose: ids of steps that give another value each time: then only the shape is compared.
    """
    if expected.status != got.status or expected.error != got.error:
        yield _both("the execution ended otherwise", _how(expected), _how(got))
    elif expected.result != got.result and not loose:
        yield _both("the result is another", f"{expected.result}", f"{got.result}")
    for id_, entry in expected.log.items():
        found = got.log.get(id_)
        where = line(id_)
        title = f"{where}: {entry.title}" if where else entry.title
        if found is None:
            yield f"{title} is missing in the log"
        elif found.title != entry.title:
            yield _both(f"{title} is another operation in the log", entry.title, found.title)
        elif found.said != entry.said and not (loose and _shape(entry) == _shape(found)):
            yield _both(f"{title} has other contents in the log", entry.said, found.said)
    for id_, entry in got.log.items():
        if id_ not in expected.log:
            where = line(id_)
            title = f"{where}: {entry.title}" if where else entry.title
            yield f"{title} is in the log, and should not be: {entry.said}"


def _shape(entry: Entry) -> str:
    return entry.said.partition(" ")[0]


def _how(end: Ending) -> str:
    return f"{end.status} {end.result if end.error is None else end.error}"


def _both(what: str, expected: str, got: str) -> str:
    return f"{what}\n  expected: {_indented(expected)}\n  got:      {_indented(got)}"


def _indented(text: str) -> str:
    return text.replace("\n", "\n            ")
