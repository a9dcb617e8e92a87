"""Plays an execution through what befalls it: crashes, calls that fail, deliveries that come twice, slow steps."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from datetime import datetime
from itertools import count
from typing import Any

from attrs import define, field

from durable_gen._effects import Call
from durable_gen._outcome import Outcome
from durable_gen._stage import Stage
from durable_gen._workers import Workers
from durable_gen.local import EventAppended, Fired
from durable_gen.local._reports import Step
from durable_gen.local._rules import MIB
from durable_gen.testing._effects import Tally
from durable_gen.testing._fate import Died, Fate, spoken
from durable_gen.testing._play import Play
from durable_gen.testing._scripted import Recorder, Scripted
from durable_gen.testing._trace import Trace
from durable_gen.testing._turns import Turns, perform

ENDS = ("Succeeded", "Failed", "TimedOut", "Stopped", "Cancelled")


def ids(seed: str) -> Callable[[], str]:
    """Make what makes ids: UUIDs like random ones, but the same for the same seed."""
    numbers = count(1)

    def one() -> str:
        made = uuid.uuid5(uuid.NAMESPACE_OID, f"{seed}/{next(numbers)}")
        return str(uuid.UUID(bytes=made.bytes, version=4))

    return one


@define
class Circumstances:
    """What a run meets besides its script.

    Attributes:
        fate: what befalls it.
        trace: what it did.
        tally: counts the test's own side effects; None for none.
        seed: what its ids are made of.
        page_size: bytes of a page of the log.
        heard: told of each state of the log that an invocation has; None for nobody.
    """

    fate: Fate = field(factory=Fate)
    trace: Trace = field(factory=Trace)
    tally: Tally | None = None
    seed: str = ""
    page_size: int = 5 * MIB
    heard: Callable[[Sequence[Mapping[str, Any]]], None] | None = None


class Line(Recorder):
    """The service's client, by which the workflow's calls are answered, or fail.

    Args:
        ordeal: whose workflow it is.
    """

    def __init__(self, ordeal: Ordeal) -> None:
        super().__init__(ordeal.client)
        self.ordeal = ordeal

    def checkpoint_durable_execution(self, **request: Any) -> Mapping[str, Any]:
        """Take in updates."""
        arn, updates = request["DurableExecutionArn"], request["Updates"]
        ordeal = self.ordeal
        if arn != ordeal.arn:
            return super().checkpoint_durable_execution(**request)
        sent = self.sent.setdefault(arn, [])

        def send() -> Mapping[str, Any]:
            ordeal.sending = True
            answer: Mapping[str, Any] = self.client.checkpoint_durable_execution(**request)
            ordeal.sending = False
            if not sent or sent[-1] is not updates:  # it may be delivered twice
                sent.append(updates)
            return self.client.checkpoint_durable_execution(**request) if again else answer

        fate = ordeal.met.fate
        again = fate.again()
        line = ordeal.met.trace.line(updates[0]["Id"]) if updates else ""
        answer = fate.through("checkpoint", spoken(updates), line, send)
        ordeal.look(answer.get("CheckpointToken"))
        return answer

    def get_durable_execution_state(self, **request: Any) -> Mapping[str, Any]:
        """Give a further page of the log."""
        fetch = super().get_durable_execution_state
        if request["DurableExecutionArn"] != self.ordeal.arn:
            return fetch(**request)
        return self.ordeal.met.fate.through("page", "", "", lambda: fetch(**request))


class Stormy(Scripted):
    """Where the invocations of a workflow are made that something befalls."""

    def __init__(self, ordeal: Ordeal, *given: Any) -> None:
        super().__init__(*given)
        self.ordeal = ordeal
        self.trace = ordeal.met.trace

    def workers(self, most: int) -> Workers:
        """Make what runs its calls, one after another."""
        return Turns(most, self.ordeal)

    def draw(self) -> float:
        """Draw what the jitter of a retry is made of."""
        return self.ordeal.met.fate.draw()


class Ordeal(Play):
    """A play whose workflow goes through what befalls it.

    Args:
        handler: the Lambda handler.
        event: what it is started with.
        met: what it meets.
        script: what a play takes.
    """

    def __init__(
        self, handler: Callable[..., Any], event: Any, met: Circumstances, **script: Any
    ) -> None:
        self.met = met
        self.arn = ""
        self.answered = self.sending = False
        executions, invocations = ids(f"{met.seed}/execution"), ids(f"{met.seed}/invocation")

        def one() -> str:  # a crash makes more invocations, and must not shift what is invoked
            return executions() if self.sending or not self.arn else invocations()

        super().__init__(
            handler, event, stage=self._stage, ids=one, page_size=met.page_size, **script
        )

    @property
    def fate(self) -> Fate:
        """What befalls its calls."""
        return self.met.fate

    @property
    def trace(self) -> Trace:
        """What its workflow did."""
        return self.met.trace

    def _recorder(self) -> Recorder:
        return Line(self)

    def _stage(self, *given: Any) -> Scripted:
        return Scripted(*given) if given[-1] else Stormy(self, *given)

    def _hear(self, notice: Any) -> None:
        super()._hear(notice)
        if not isinstance(notice, EventAppended) or notice.arn != self.arn:
            return
        word = notice.event["EventType"]
        details = notice.event.get(f"{word}Details") or {}
        again = (details.get("RetryDetails") or {}).get("NextAttemptDelaySeconds")
        if word.endswith(ENDS) and not again and "Id" in notice.event:
            self.trace.ended.add(notice.event["Id"])

    def _step(self) -> Step:
        try:
            done = super()._step()
            if self.answered:
                self.answered = False
                self.fate.leave("answer")
        except Died:
            return Fired(())
        return done

    def _invoke(self, handler: Callable[..., Any], stage: Stage, event: Any, context: Any) -> Any:
        if not isinstance(stage, Stormy):
            return super()._invoke(handler, stage, event, context)
        self.look(event["CheckpointToken"])
        given = deepcopy(event)
        answer = super()._invoke(handler, stage, event, context)
        if self.fate.again():
            self.trace.spent = True
            with suppress(Exception):  # nobody hears what becomes of it
                super()._invoke(handler, stage, given, context)
            self.trace.spent = False
        self.fate.enter("answer", str(answer.get("Status")) if isinstance(answer, dict) else "", "")
        self.answered = True
        return answer

    def look(self, token: str | None) -> None:
        """Tell whoever listens of the log as the service has it now.

        Args:
            token: the checkpoint token that is good now; None when none is.
        """
        if self.met.heard is None or token is None:
            return
        records: list[Mapping[str, Any]] = []
        request = {"DurableExecutionArn": self.arn, "CheckpointToken": token, "MaxItems": 1000}
        while True:
            page = self.client.get_durable_execution_state(**request)
            records += page["Operations"]
            if not page.get("NextMarker"):
                break
            request["Marker"] = page["NextMarker"]
        self.met.heard(records)

    # --- where steps run -------------------------------------------------------------------------

    def now(self) -> datetime:
        """Tell the time."""
        return self.service.now()

    def pass_to(self, instant: datetime) -> None:
        """Let time pass while steps run; callbacks that are due in it are answered."""
        if instant <= self.now():
            return
        self._meet(self.service.pending_callbacks(self.arn))
        while (at := self.cues.next) is not None and at <= instant:
            self.clock.advance_to(at)
            self.cues.send(self.client, self.now())
        self.clock.advance_to(instant)
        if self.move is not None:
            self.move(self.now())

    def run(self, call: Call, workers: Workers) -> Outcome:
        """Run a call to its end."""

        def run() -> Outcome:
            return perform(call, workers)

        tally = self.met.tally
        counted = run if tally is None else lambda: tally.during(run)
        outcome: Outcome = self.trace.watched(call, counted)
        return outcome
