"""What a test says of the world: what steps do, how callbacks are answered, what other functions give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from attrs import define, field, frozen

from durable_gen.errors import UsageError

T = TypeVar("T")


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

    Raises:
        UsageError: it is not later.
    """

    answer: Any
    delay: timedelta

    def __init__(
        self,
        answer: Any = None,
        *,
        seconds: float = 0,
        minutes: float = 0,
        hours: float = 0,
        days: float = 0,
    ) -> None:
        delay = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if delay <= timedelta(0):
            msg = "After(answer, seconds=..., minutes=..., hours=..., days=...) must say how much later"
            raise UsageError(msg)
        self.__attrs_init__(answer, delay)


@define
class Script(Mapping[str, T]):
    """Says by patterns of paths what to do.

    A pattern is a path, as `payment/charge`, with the wildcards of file names; one without a slash
    stands for the last name of a path too. A path itself comes before a name, a name before
    wildcards, and of those the first that fits.

    Args:
        what: the argument that it is, for errors.
        entries: pattern -> what to do.
    """

    what: str
    entries: Mapping[str, T] = field(factory=dict)

    def __getitem__(self, pattern: str) -> T:
        return self.entries[pattern]

    def __iter__(self) -> Any:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def find(self, path: str) -> tuple[str, T] | None:
        """Find what is said of a path: the pattern that fits, and what it stands for."""
        name = path.rpartition("/")[2]
        for exact in (path, name):
            if exact in self.entries:
                return exact, self.entries[exact]
        for pattern, found in self.entries.items():
            if fnmatchcase(path, pattern) or ("/" not in pattern and fnmatchcase(name, pattern)):
                return pattern, found
        return None


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
