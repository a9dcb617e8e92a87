"""The moments at which a run can be hit, in words that a test can repeat: `after checkpoint 3`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, cast

from attrs import evolve, field, frozen

from durable_gen.errors import UsageError

Place = Literal["checkpoint", "page", "call", "answer"]
When = Literal["before", "after", "at"]
Hit = Literal["crash", "throttled", "500", "lost"]

FORM = re.compile(
    r"(?:(?P<hit>crash|throttled|500|lost) )?(?P<when>before|after|at) "
    r"(?P<place>checkpoint|page|call|answer) (?P<number>[1-9]\d*)(?: \(.*\))?"
)
# What can happen at a place, in the order of time.
CRASHES: tuple[tuple[Hit, When], ...] = (("crash", "before"), ("crash", "after"))
FAULTS: tuple[tuple[Hit, When], ...] = (
    ("throttled", "at"),
    ("500", "at"),
    ("lost", "before"),
    ("lost", "after"),
)
API = ("checkpoint", "page")


@frozen
class Moment:
    """A moment of a run at which something goes wrong, once.

    Attributes:
        hit: "crash", or how a call to the service fails in passing: "throttled", "500" or "lost".
        when: "before" or "after" it; "at" for a call that the service answers with a failure.
        place: "checkpoint" or "page", calls to the service; "call", one of a step's function;
            "answer", what an invocation gives.
        number: which of its kind, from 1, counted over all invocations.
        what: what happens there, in words.
        line: the user's line of the operation.
    """

    hit: Hit
    when: When
    place: Place
    number: int
    what: str = field(default="", eq=False)
    line: str = field(default="", eq=False)

    def __str__(self) -> str:
        crash = self.hit == "crash"
        return f"{'' if crash else f'{self.hit} '}{self.when} {self.place} {self.number}"

    @property
    def words(self) -> str:
        """The moment with what happens there: `crash after checkpoint 3 (step charge SUCCEED)`."""
        what = f" ({self.what})" if self.what else ""
        where = f" at {self.line}" if self.line else ""
        return f"{'crash ' if self.hit == 'crash' else ''}{self}{what}{where}"


def moment(given: Moment | str) -> Moment:
    """Read a moment from its words.

    Raises:
        UsageError: it is none; the text says how one is written.
    """
    if isinstance(given, Moment):
        return given
    found = FORM.fullmatch(given) if isinstance(given, str) else None
    if found is not None:
        hit, when, place = found["hit"] or "crash", found["when"], found["place"]
        kinds = (*CRASHES, *FAULTS) if place in API else CRASHES
        if (hit, when) in kinds:
            return Moment(
                cast("Hit", hit), cast("When", when), cast("Place", place), int(found["number"])
            )
    msg = (
        f"a crash is a moment such as 'before checkpoint 3', 'after call 2', 'before answer 1', "
        f"'throttled at checkpoint 3' or 'lost after checkpoint 3', not {given!r:.80}"
    )
    raise UsageError(msg)


def planned(given: Moment | str | Iterable[Moment | str] | None) -> tuple[Moment, ...]:
    """Read what a test asks for: a moment, several, or none."""
    if given is None:
        return ()
    one = isinstance(given, Moment | str)
    return (moment(given),) if one else tuple(moment(each) for each in given)  # type: ignore[arg-type, union-attr]


def moments(points: Sequence[Moment], *, faults: bool = True) -> Iterator[Moment]:
    """List every single thing that can go wrong in a run, in the order of time.

    Args:
        points: the points that it passed, each as the crash before it.
        faults: whether calls to the service may fail in passing, too.
    """
    before, after = CRASHES
    for point in points:
        between = FAULTS if faults and point.place in API else ()
        for hit, when in (before, *between, after):
            yield evolve(point, hit=hit, when=when)
