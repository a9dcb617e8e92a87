"""Where a test's invocations are made: in virtual time, with steps that do what a script says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import define, field

from durable_gen._effects import Call
from durable_gen._kinds.step import interrupted
from durable_gen._stage import Stage
from durable_gen.local import Clock
from durable_gen.local._clock import to_datetime
from durable_gen.testing import _frozen
from durable_gen.testing._script import Script, played
from durable_gen.testing._trace import Trace, Watched


@define
class Recorder:
    """The service's client, which keeps what it is sent.

    Attributes:
        client: the client.
        sent: by ARNs, the updates of each checkpoint, in order.
    """

    client: Any
    sent: dict[str, list[Sequence[Mapping[str, Any]]]] = field(factory=dict)

    def checkpoint_durable_execution(self, **request: Any) -> Mapping[str, Any]:
        """Take in updates."""
        self.sent.setdefault(request["DurableExecutionArn"], []).append(request["Updates"])
        answer: Mapping[str, Any] = self.client.checkpoint_durable_execution(**request)
        return answer

    def get_durable_execution_state(self, **request: Any) -> Mapping[str, Any]:
        """Give a further page of the log."""
        answer: Mapping[str, Any] = self.client.get_durable_execution_state(**request)
        return answer


class Scripted(Stage):
    """Where invocations are made in virtual time, and their steps do what a script says.

    Args:
        backend: answers their calls to the service.
        steps: by the paths of steps, what they do.
        clock: their time.
        above: what the script calls the function, before the paths; "" for the test's own.
    """

    def __init__(self, backend: Any, steps: Script[Any], clock: Clock, above: str = "") -> None:
        super().__init__(backend)
        self.steps, self.clock, self.above = steps, clock, above
        self.met: dict[str, list[str]] = {}  # by paths, the ids of the steps that have it
        self.trace = Trace()

    def kernel(self, *args: Any, **options: Any) -> Watched:
        """Make a kernel that is looked at."""
        return Watched(self.trace, *args, **options)

    def sleep(self, seconds: float) -> None:
        """Call the service again at once."""

    def around(self, call: Call) -> None:
        """Replace the function of a step that the script names."""
        if call.fn is interrupted:  # it stands in for a step that may not run again
            self.trace.standing_in.add(call)
            return
        found = self.steps.find(self.above + self._path(call))
        if found is not None:
            call.fn = played(found[1], call.info.attempt)
        call.fn = _frozen.seen(call.fn)

    def _path(self, call: Call) -> str:
        """Name a step as a run does: the second of a path has a number."""
        ids = self.met.setdefault(call.info.path, [])
        if call.info.operation_id not in ids:
            ids.append(call.info.operation_id)
        number = ids.index(call.info.operation_id) + 1
        return call.info.path if number == 1 else f"{call.info.path}#{number}"

    def now(self) -> datetime:
        """Tell the execution's time."""
        return to_datetime(self.clock.now())

    def draw(self) -> float:
        """Leave delays as long as their policy lets them be, so that every run is the same."""
        return 1.0
