"""What befalls a run: it counts the points that the run passes, and strikes where it is told to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from attrs import define, field

from durable_gen._effects import Call
from durable_gen._log import noun
from durable_gen.testing._moments import Moment, Place, When

T = TypeVar("T")

ENDPOINT = "https://lambda.us-east-1.amazonaws.com"


class Died(BaseException):
    """The process dies here: none of its code runs any more."""


@define(eq=False)
class Fate:
    """What befalls one run.

    Args:
        todo: the moments at which something goes wrong, each once.

    Attributes:
        points: the points that the run has passed.
        happened: the moments that came.
        counts: how many points of each kind it has passed.
    """

    todo: list[Moment] = field(factory=list)
    points: list[Moment] = field(factory=list, init=False)
    happened: list[Moment] = field(factory=list, init=False)
    counts: Counter[str] = field(factory=Counter, init=False)

    def through(self, place: Place, what: str, line: str, do: Callable[[], T]) -> T:
        """Pass a point.

        Args:
            place: the kind of point.
            what: what happens there, in words.
            line: the user's line of it.
            do: does it.

        Raises:
            Died: the process ends before or after it.
            Exception: a call to the service fails in passing.
        """
        self.enter(place, what, line)
        done = do()
        self.leave(place)
        return done

    def enter(self, place: Place, what: str, line: str) -> None:
        """Come to a point."""
        self.counts[place] += 1
        number = self.counts[place]
        self.points.append(Moment("crash", "before", place, number, what, line))
        self._meet(place, number, "before")
        self._meet(place, number, "at")

    def leave(self, place: Place) -> None:
        """Go on from a point."""
        self._meet(place, self.counts[place], "after")

    def _meet(self, place: Place, number: int, when: When) -> None:
        for one in self.todo:
            if (one.place, one.number, one.when) == (place, number, when):
                self.todo.remove(one)
                self.happened.append(one)
                raise fault(one)

    def came(self) -> None:
        """See that every moment has come.

        Raises:
            LookupError: one has not; the text says which there were.
        """
        if self.todo:
            were = ", ".join(f"{number} of {place}" for place, number in self.counts.items())
            msg = f"the moment {str(self.todo[0])!r} never came; there were: {were or 'none'}"
            raise LookupError(msg)

    # --- what chance decides ---------------------------------------------------------------------

    def again(self) -> bool:
        """Say whether something that is delivered is delivered twice."""
        return False

    def pick(self, calls: Sequence[Call]) -> int:
        """Choose which of several calls ends first."""
        del calls
        return 0

    def seconds(self, call: Call) -> float:
        """Say how long a call takes, in the execution's time."""
        del call
        return 0.0

    def draw(self) -> float:
        """Draw a number from 0 to 1 for the jitter of a retry."""
        return 0.5


def fault(moment: Moment) -> BaseException:
    """Make what a run meets at a moment."""
    if moment.hit == "crash":
        return Died()
    from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

    if moment.hit == "lost":
        lost = ConnectionClosedError if moment.when == "before" else ReadTimeoutError
        gone: BaseException = lost(endpoint_url=ENDPOINT)
        return gone
    code, status = ("ServiceException", 500)
    if moment.hit == "throttled":
        code, status = ("TooManyRequestsException", 429)
    answer: dict[str, Any] = {
        "Error": {"Code": code, "Message": f"{moment}, by the test kit"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    failed: BaseException = ClientError(answer, "CheckpointDurableExecution")
    return failed


def spoken(updates: Sequence[Mapping[str, Any]]) -> str:
    """Say what a checkpoint says: `step charge SUCCEED, wait settle START`."""
    words = [
        " ".join(
            part
            for part in (
                noun(update["Type"], update.get("SubType")),
                update.get("Name"),
                update["Action"],
            )
            if part
        )
        for update in updates[:3]
    ]
    more = len(updates) - 3
    return ", ".join(words) + (f" and {more} more" if more > 0 else "") or "no updates"
