"""Plays one execution on an embedded service of its own, in virtual time, by a script."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any

import orjson
from attrs import define

from durable_gen._stage import Stage, staged
from durable_gen.errors import UsageError
from durable_gen.local import EventAppended, Idle, PendingCallback, Service, VirtualClock
from durable_gen.local._facts import LONGEST
from durable_gen.local._functions import Name
from durable_gen.local._reports import Step
from durable_gen.local._rules import MIB
from durable_gen.testing import _frozen
from durable_gen.testing._cues import Cues
from durable_gen.testing._execution import Execution, Sent, missed
from durable_gen.testing._script import START, Script, matches, played
from durable_gen.testing._scripted import Recorder, Scripted
from durable_gen.testing._tree import Event, named, tree, walk

LATEST = "$LATEST"
FUNCTION = "workflow"  # the name of the handler's function
ENDS = frozenset(f"Execution{end}" for end in ("Succeeded", "Failed", "TimedOut", "Stopped"))
UNKNOWN = "Function not found: "  # what the service says of one that is not there


class Play:
    """A service with one execution and those that it invokes, and all that happens to them.

    Args:
        handler: the Lambda handler.
        event: what it is started with.
        name: the execution's name.
        steps: by the paths of steps, what they do.
        callbacks: by the paths of callbacks, how they are answered.
        invokes: by their names, what other functions answer.
        start: when it is started.
        freeze: whether `datetime.now()` and the like are the execution's time.
        timeout: seconds that the execution may take; past them it is TIMED_OUT. None for no limit.
        stage: makes where a function's invocations are made, of what `Scripted` takes.
        ids: makes the ids of executions and invocations.
        page_size: bytes of a page of the log.
    """

    def __init__(
        self,
        handler: Callable[..., Any],
        event: Any,
        *,
        name: str | None = None,
        steps: Script[Any],
        callbacks: Script[Any],
        invokes: Script[Any],
        start: datetime | None = None,
        freeze: bool = True,
        timeout: int | None = LONGEST,
        stage: Callable[..., Scripted] = Scripted,
        ids: Callable[[], str] | None = None,
        page_size: int = 5 * MIB,
    ) -> None:
        self.scripts = (steps, callbacks, invokes)
        self.clock = VirtualClock(start or _frozen.instant() or START)
        self.histories: dict[str, list[Event]] = {}
        self.functions: dict[str, str] = {}  # by ARNs, what the script calls their function
        self.names: set[str] = set()  # of all operations
        self.over: set[str] = set()  # executions that have ended
        self.stages: list[Scripted] = []
        self.cues = Cues(callbacks)
        self.timeout, self.freeze, self.stage = timeout, freeze, stage
        self.missing: UsageError | None = None
        self.move: _frozen.Move | None = None
        self.service = Service(clock=self.clock, observer=self._hear, ids=ids, page_size=page_size)
        self.client = self.service.client
        self.recorder = self._recorder()
        self._register(FUNCTION, handler, "", timeout)
        for other, part in invokes.items():
            self._register_other(other, part)
        try:
            payload = orjson.dumps(event).decode()
        except TypeError as error:
            msg = f"durable(handler, event): the event of an execution is JSON: {error}"
            raise UsageError(msg) from error
        self.arn = self.service.start(FUNCTION, payload, name)

    def _recorder(self) -> Recorder:
        """Make what answers the calls of invocations."""
        return Recorder(self.client)

    def _register(
        self,
        name: str,
        handler: Callable[..., Any],
        above: str,
        timeout: int | None,
        version: str = LATEST,
    ) -> None:
        stage = self.stage(self.recorder, self.scripts[0], self.clock, above)
        self.stages.append(stage)
        play = partial(self._invoke, handler, stage)
        try:
            self.service.register(name, play, execution_timeout=timeout, version=version)
        except ValueError as error:
            msg = f"durable(...): {error}"
            raise UsageError(msg) from error

    def _register_other(self, name: str, part: Any) -> None:
        """Register a function that the workflow invokes: `name`, `name:alias` or its ARN."""
        plain = _plain(name)
        qualifier = name.rpartition(":")[2]
        version = qualifier if qualifier.isdecimal() else LATEST  # an alias means the latest
        if hasattr(part, "flow"):  # a durable handler, with executions of its own
            timeout = None if self.timeout is None else LONGEST
            self._register(plain, part, f"{plain}/", timeout, version)
            return
        calls = count(1)

        def answer(event: Any, _: Any) -> Any:
            self.scripts[2].used.add(name)
            return played(part, next(calls))(event)

        self.service.register(plain, answer, durable=False, version=version)

    def _invoke(self, handler: Callable[..., Any], stage: Stage, event: Any, context: Any) -> Any:
        token = staged.set(stage)
        if self.move is not None:
            self.move(self.service.now())
        try:
            return handler(event, context)
        finally:
            staged.reset(token)

    def _hear(self, notice: Any) -> None:
        if not isinstance(notice, EventAppended):
            return
        event, history = notice.event, self.histories.setdefault(notice.arn, [])
        history.append(event)
        if event["EventType"] in ENDS:
            self.over.add(notice.arn)
        self.names.add(event.get("Name", ""))
        details = event.get("ChainedInvokeStartedDetails")
        if details is not None and "DurableExecutionArn" in details:
            plain = _plain(details["FunctionName"])
            self.functions[details["DurableExecutionArn"]] = f"{plain}/"
            self.scripts[2].used |= {one for one in self.scripts[2] if _plain(one) == plain}
        failed = (event.get("ChainedInvokeFailedDetails") or {}).get("Error") or {}
        said = (failed.get("Payload") or {}).get("ErrorMessage") or ""
        if said.startswith(UNKNOWN) and self.missing is None:
            self.missing = _unscripted(history, event["Id"])

    @contextmanager
    def _time(self) -> Iterator[None]:
        """Let `datetime.now()` be the execution's time."""
        if not self.freeze:
            yield
            return
        with _frozen.frozen(self.service.now()) as move:
            self.move = move
            try:
                yield
            finally:
                self.move = None

    # --- going on --------------------------------------------------------------------------------

    def open(self, arn: str) -> bool:
        """Tell whether an execution can still change."""
        return arn not in self.over

    def go_on(self, arn: str, until: str | datetime | None) -> None:
        """Go on until an execution is over, or nothing but a test can bring it further."""
        with self._time():
            while self.open(arn):
                done = self._step()
                self.missing = self.missing or self._unrun()
                if self.missing is not None:
                    raise self.missing
                if not isinstance(done, Idle):
                    continue
                if isinstance(until, str) and self._waits(arn, until):
                    return
                if not self._pass(done, until):
                    break
        if isinstance(until, str):
            raise missed(self.service.status(arn), self.histories[arn], until)

    def _step(self) -> Step:
        """Let the service do one thing that is due."""
        return self.service.step()

    def _unrun(self) -> UsageError | None:
        """Say which generator was made and never run, if one was."""
        unrun = next((one for stage in self.stages for one in stage.trace.unrun), None)
        return None if unrun is None else UsageError(unrun)

    def _waits(self, arn: str, path: str) -> bool:
        """Tell whether an operation of that path has begun and not ended."""
        last = path.rpartition("/")[2]
        if not any(matches(name, last) for name in self.names if name) and "#" not in last:
            return False  # the tree is not drawn for nothing at every wait
        found = walk(tree(self.histories[arn]))
        return any(one.ended is None and matches(one.path, path) for one in found)

    def _pass(self, idle: Idle, until: str | datetime | None) -> bool:
        """Let time pass to what happens next; False when nothing does."""
        now = self.service.now()
        self._meet(idle.callbacks)
        waits_for_end = self.timeout is not None and self.timeout < LONGEST
        wanted = until if isinstance(until, datetime) else None
        given = (idle.until, self.cues.next, wanted, idle.timeout if waits_for_end else None)
        moments = [at for at in given if at is not None]
        if not moments:
            return False
        first = min(moments)
        if wanted is not None and wanted <= now:
            return False
        self.clock.advance_to(first)
        self.cues.send(self.client, first)
        return wanted is None or first < wanted

    def _meet(self, callbacks: Iterable[PendingCallback]) -> None:
        """Look up callbacks in the script."""
        now = self.service.now()
        for arn in {callback.arn for callback in callbacks}:
            above = self.functions.get(arn, "")
            for one in walk(tree(self.histories[arn])):
                if one.kind == "callback" and one.ended is None and one.callback_id:
                    self.cues.meet(one.callback_id, above + named(one), now)


@define
class Local:
    """One execution of a play.

    Args:
        play: the play.
        arn: which of its executions.
    """

    play: Play
    arn: str

    @property
    def client(self) -> Any:
        """The client of the play's service."""
        return self.play.client

    def events(self) -> Sequence[Event]:
        """Give its history."""
        return self.play.histories[self.arn]

    def sent(self) -> Sent | None:
        """Give the updates of each of its checkpoints."""
        return self.play.recorder.sent.get(self.arn, [])

    def now(self) -> datetime:
        """Tell its time."""
        return self.play.service.now()

    def go_on(self, until: str | datetime | None) -> None:
        """Go on until it is over, or nothing but a test can bring it further."""
        self.play.go_on(self.arn, until)

    def other(self, arn: str) -> Execution:
        """Give an execution that it has invoked."""
        return Local(self.play, arn)

    def notes(self) -> Sequence[str]:
        """Say what the script has that was not used."""
        unused = [one for script in self.play.scripts for one in script.unused()]
        return [f"unused in the script: {', '.join(unused)}"] if unused else []


def _plain(name: str) -> str:
    """Name a function by its name alone: without ARN, version and alias."""
    found = Name.parse(name)
    return name if found is None else found.name


def _unscripted(history: Sequence[Event], id_: str) -> UsageError:
    """Make the error for an invoke of a function that the script says nothing of."""
    found = next(one for one in walk(tree(history)) if one.id == id_)
    msg = (
        f"invoke {found.path!r} calls {found.function!r}, and the script does not say what that "
        "answers. Add it, as a durable handler, a function of the payload, a value or "
        f"Raises(error):\n    durable(handler, event, invokes={{{found.function!r}: ...}})"
    )
    return UsageError(msg)
