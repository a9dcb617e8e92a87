"""Replays a log without doing anything: no step's function runs, and nothing is sent."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, Never

from attrs import define, field, frozen

from durable_gen import _places
from durable_gen._effects import Call
from durable_gen._failure import LIBRARY
from durable_gen._fibers import Fiber
from durable_gen._outcome import Err, Outcome
from durable_gen._stage import Stage, staged
from durable_gen._workers import Workers
from durable_gen.local import VirtualClock
from durable_gen.local._functions import Function, LambdaContext
from durable_gen.testing._trace import Sight, Trace, Watched

Log = Mapping[str, Any]  # what a function is invoked with

OPEN = "RUNNING"  # it goes on beyond its log
FUNCTION = Function("workflow", "$LATEST", None, durable=True, timeout=1)


class Seen(BaseException):
    """The log is at its end: what comes next would be done."""


@frozen
class Replay:
    """What a flow does with a log.

    Attributes:
        status: SUCCEEDED or FAILED; RUNNING where it goes on beyond its log.
        text: what it returned, as JSON, or what it failed with; "" while it goes on.
        line: the user's line where it ended.
        sights: the operations that it yielded, by their ids.
    """

    status: str
    text: str
    line: str
    sights: Mapping[str, Sight]

    @property
    def operations(self) -> Sequence[str]:
        """The operations that it yielded: what they are, and their names."""
        return [one.title for one in self.sights.values()]


@define(eq=False)
class Looked(Trace):
    """What a flow does, and where it ends.

    Attributes:
        last: the line at which a function was left last, by its code.
        end: how the whole flow ended; None when it did not.
    """

    last: dict[CodeType, int] = field(factory=dict)
    end: Outcome | None = None

    def hear(self, frame: FrameType, event: str, _: Any) -> None:
        """Note where a function of the user's is left: by `return`, or by `yield` for now."""
        if event == "return" and theirs(frame.f_code):
            self.last[frame.f_code] = frame.f_lineno

    def line_of_end(self, flow: Any) -> str:
        """Name the line where the flow ended."""
        if isinstance(self.end, Err):
            return _places.of_error(self.end.error) or _places.of_function(flow)
        code = self.returned or getattr(flow, "__code__", None)
        if code is None:
            return _places.of_function(flow)
        return _places.place(code, self.last.get(code, code.co_firstlineno))


@lru_cache
def theirs(code: CodeType) -> bool:
    """Tell whether code is the user's."""
    return not code.co_filename.startswith((LIBRARY, "<frozen "))


class Still(Workers):
    """Runs nothing."""

    def inline(self, call: Call) -> Never:
        """Come to the end of what can be seen."""
        raise Seen(call)

    def start(self, call: Call) -> Never:
        """Come to the end of what can be seen."""
        raise Seen(call)


class Looking(Watched):
    """A kernel that tells how its flow ended."""

    trace: Looked

    def _ended(self, fiber: Fiber, outcome: Outcome) -> None:
        if fiber is self.root:
            self.trace.end = outcome
        super()._ended(fiber, outcome)


class Glass(Stage):
    """Where a flow is only looked at.

    Args:
        trace: what it does.
        at: the time.
    """

    def __init__(self, trace: Looked, at: datetime) -> None:
        super().__init__(self)
        self.trace, self.at = trace, at

    def kernel(self, *args: Any, **options: Any) -> Looking:
        """Make a kernel that is looked at."""
        return Looking(self.trace, *args, **options)

    def workers(self, most: int) -> Workers:
        """Make what runs nothing."""
        return Still(most)

    def now(self) -> datetime:
        """Tell the time."""
        return self.at

    def checkpoint_durable_execution(self, **_: Any) -> Never:
        """Come to the end of what can be seen."""
        raise Seen

    def get_durable_execution_state(self, **_: Any) -> Never:
        """Come to the end of what can be seen."""
        raise Seen


def replay(handler: Callable[..., Any], log: Log, at: datetime) -> Replay:
    """Replay a log.

    Args:
        handler: the Lambda handler.
        log: what the service would invoke it with.
        at: the time.

    Raises:
        Exception: what the handler raised around its workflow.
    """
    trace = Looked(close=True)
    token = staged.set(Glass(trace, at))
    others = sys.getprofile()
    context = LambdaContext(FUNCTION, "replay", None, VirtualClock(at))
    envelope: Any = {"Status": OPEN}
    sys.setprofile(trace.hear)
    try:
        envelope = handler(json.loads(json.dumps(log)), context)
    except Seen:
        pass
    finally:
        sys.setprofile(others)
        staged.reset(token)
    status = envelope.get("Status") if isinstance(envelope, dict) else None
    if status not in ("SUCCEEDED", "FAILED"):
        return Replay(OPEN, "", "", trace.sights)
    error = envelope.get("Error") or {}
    text = envelope.get("Result") or ""
    if status == "FAILED":
        text = f"{error.get('ErrorType')}: {error.get('ErrorMessage')}"
    line = trace.line_of_end(getattr(handler, "flow", handler))
    return Replay(status, text, line, trace.sights)


@define
class Logs:
    """Keeps the states of an execution's log: each is what an invocation would be given.

    Attributes:
        states: the records of each, as the service hands them over.
    """

    states: list[Sequence[Mapping[str, Any]]] = field(factory=list)

    def hear(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Take in a state, if it is another than the one before."""
        plain = json.loads(json.dumps(records, default=_milliseconds))
        if not self.states or self.states[-1] != plain:
            self.states.append(plain)

    def events(self, arn: str) -> list[Log]:
        """Write what the function would be invoked with.

        Args:
            arn: the execution's ARN.
        """
        return [
            {
                "DurableExecutionArn": arn,
                "CheckpointToken": "replay",
                "InitialExecutionState": {"Operations": records, "NextMarker": ""},
                "UpdatedOperationIds": [],
            }
            for records in self.states
        ]


def _milliseconds(value: Any) -> int:
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    msg = f"{value!r:.80} is in no log"
    raise TypeError(msg)
