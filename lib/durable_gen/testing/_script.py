"""What a test says of the world: what steps do, how callbacks are answered, what other functions give."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from attrs import define, field, frozen

from durable_gen.errors import UsageError

T = TypeVar("T")
START = datetime(2025, 1, 1, tzinfo=UTC)  # where an execution's time begins, unless the test says
NUMBER = re.compile(r"(?<=[^/])#\d+(?=/|$)")


@frozen
class Raises:
    """A step, a callback's submitter or an invoked function that raises.

    Args:
        error: an exception, or the class of one.
    """

    error: BaseException | type[BaseException]

    def __call__(self, *_: Any) -> Any:
        """Raise it."""
        raise self.error


@frozen
class Answer:
    """A callback that is answered at once.

    Args:
        value: what with; it is sent as JSON.
    """

    value: Any = None


@frozen
class Fails:
    """A callback that is answered with a failure.

    Args:
        message: what is said of it.
        type: the class of the error, in words.
        data: what else, as text.
    """

    message: str = "it failed"
    type: str = "CallbackError"
    data: str | None = None


class _Never:
    def __repr__(self) -> str:
        return "Never"


Never = _Never()  # a callback that nobody answers: it times out, or the run stops at it


@frozen(init=False)
class After:
    """A callback that is answered later, in the execution's time.

    Args:
        answer: an `Answer`, `Fails` or `Never`; anything else is the value of an `Answer`.
        seconds: how much later; added to the other units.
        minutes: how much later.
        hours: how much later.
        days: how much later.
        heartbeat: seconds between the heartbeats that are sent meanwhile; 0 for none.

    Raises:
        UsageError: it is not later.
    """

    answer: Any
    delay: timedelta
    heartbeat: float

    def __init__(
        self,
        answer: Any = None,
        *,
        seconds: float = 0,
        minutes: float = 0,
        hours: float = 0,
        days: float = 0,
        heartbeat: float = 0,
    ) -> None:
        delay = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if delay <= timedelta(0):
            msg = "After(answer, seconds=..., minutes=..., hours=..., days=...) must say how much later"
            raise UsageError(msg)
        self.__attrs_init__(answer, delay, heartbeat)


@define
class Script(Mapping[str, T]):
    """Says by patterns of paths what to do.

    A pattern is a path, as `payment/charge`, with the wildcards of file names; one without a slash
    stands for the last name of a path too. `charge#2` is the second of that name in its flow,
    `charge` is any of them. A path itself comes before a name, a name before wildcards, and of those
    the first that fits.

    Args:
        what: the argument that it is, for errors.
        entries: pattern -> what to do.
    """

    what: str
    entries: Mapping[str, T] = field(factory=dict)
    used: set[str] = field(factory=set, init=False)

    def __getitem__(self, pattern: str) -> T:
        return self.entries[pattern]

    def __iter__(self) -> Any:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def find(self, path: str) -> tuple[str, T] | None:
        """Find what is said of a path: the pattern that fits, and what it stands for."""
        exact = (one for one in _forms(path) if one in self.entries)
        loose = (one for one in self.entries if matches(path, one))
        for pattern in (*exact, *loose):
            self.used.add(pattern)
            return pattern, self.entries[pattern]
        return None

    def unused(self) -> list[str]:
        """List the patterns that nothing has fitted yet."""
        return [f"{self.what} {one!r}" for one in self.entries if one not in self.used]


def _forms(path: str) -> list[str]:
    """List what a path may be called, the closest first: whole, without numbers, by its name."""
    plain = NUMBER.sub("", path)
    return list(dict.fromkeys((path, plain, path.rpartition("/")[2], plain.rpartition("/")[2])))


def matches(path: str, pattern: str) -> bool:
    """Tell whether a path is what a pattern says."""
    forms = _forms(path)
    names = [form for form in forms if "/" not in form or "/" in pattern]
    return pattern in forms or any(fnmatchcase(form, pattern) for form in names)


def script(what: str, entries: Any) -> Script[Any]:
    """Check what a test says, and make it searchable.

    Args:
        what: the argument that it is, for errors.
        entries: pattern -> what to do; None for nothing.

    Raises:
        UsageError: it is no mapping of texts.
    """
    if entries is None:
        return Script(what)
    if not isinstance(entries, Mapping) or not all(isinstance(key, str) for key in entries):
        msg = f"{what}=... must map paths of operations to what they do, not {entries!r:.80}"
        raise UsageError(msg)
    return Script(what, entries)


def played(part: Any, attempt: int) -> Callable[..., Any]:
    """Make the function that plays a part.

    Args:
        part: a function, called as the real one is; a list, of which each attempt plays one and
            the last plays the rest; or anything else, which is returned.
        attempt: the attempt, from 1.
    """
    if isinstance(part, list):
        if not part:
            msg = "a list of what a step's attempts do must have one part at least"
            raise UsageError(msg)
        part = part[min(attempt, len(part)) - 1]
    fixed = not callable(part) or isinstance(part, type)
    fn: Callable[..., Any] = (lambda *_: part) if fixed else part
    return fn
