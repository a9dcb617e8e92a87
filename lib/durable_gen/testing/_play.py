"""Plays one execution on an embedded service of its own, in virtual time, by a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from importlib.util import find_spec
from typing import Any

import orjson
from attrs import define, field

from durable_gen._effects import Call
from durable_gen._stage import Stage, staged
from durable_gen.errors import UsageError
from durable_gen.local import EventAppended, Idle, PendingCallback, Service, VirtualClock
from durable_gen.local._facts import LONGEST
from durable_gen.testing._script import After, Answer, Fails, Never, Script, played
from durable_gen.testing._tree import tree, walk

START = datetime(2025, 1, 1, tzinfo=UTC)  # where an execution's time begins, unless the test says
FUNCTION = "workflow"  # the name of the handler's function
UNFROZEN = [  # modules that are to see the machine's time
    "durable_gen._workers",
    "durable_gen._channel",
    "durable_gen.local",
    "durable_gen.testing",
    "hypothesis",
]


@define
class Recorder:
    """The service's client, which keeps what it is sent.

    Attributes:
        client: the client.
        sent: the updates of each checkpoint, in order.
    """

    client: Any
    sent: list[list[Mapping[str, Any]]] = field(factory=list)

    def checkpoint_durable_execution(self, **request: Any) -> Mapping[str, Any]:
        """Take in updates."""
        self.sent.append(request["Updates"])
        answer: Mapping[str, Any] = self.client.checkpoint_durable_execution(**request)
        return answer

    def get_durable_execution_state(self, **request: Any) -> Mapping[str, Any]:
        """Give a further page of the log."""
        answer: Mapping[str, Any] = self.client.get_durable_execution_state(**request)
        return answer


class Scripted(Stage):
    """An invocation whose steps do what a script says.

    Args:
        backend: answers its calls to the service.
        steps: by the paths of steps, what they do.
    """

    def __init__(self, backend: Any, steps: Script[Any]) -> None:
        super().__init__(backend)
        self.steps = steps

    def around(self, call: Call) -> None:
        """Replace the function of a step that the script names."""
        found = self.steps.find(call.info.path)
        if found is not None:
            call.fn = played(found[1], call.info.attempt)


class Play:
    """One execution, and all that happens to it.

    Args:
        handler: the Lambda handler.
        event: what it is started with.
        name: the execution's name.
        steps: by the paths of steps, what they do.
        callbacks: by the paths of callbacks, how they are answered.
        invokes: by their names, what other functions answer.
        start: when it is started.
        freeze: whether `datetime.now()` and the like are the execution's time.
        timeout: seconds that the execution may take; past them it is TIMED_OUT.
        stage: makes the stage of an invocation, of a backend and the steps.
    """

    def __init__(
        self,
        handler: Callable[..., Any],
        event: Any,
        *,
        name: str | None,
        steps: Script[Any],
        callbacks: Script[Any],
        invokes: Mapping[str, Any],
        start: datetime | None,
        freeze: bool,
        timeout: int | None,
        stage: Callable[[Any, Script[Any]], Stage] = Scripted,
    ) -> None:
        self.handler, self.steps, self.callbacks = handler, steps, callbacks
        self.clock = VirtualClock(start or START)
        self.events: list[Mapping[str, Any]] = []
        self.due: list[tuple[datetime, PendingCallback, Any]] = []
        self.seen: set[str] = set()  # callbacks that were looked up in the script
        self.times_out = timeout is not None
        self.frozen: Any = None
        self.freeze = freeze
        self.service = Service(clock=self.clock, observer=self._hear)
        self.recorder = Recorder(self.service.client)
        self.stage = stage(self.recorder, steps)
        longest = LONGEST if timeout is None else timeout
        self.service.register(FUNCTION, self._invoke, execution_timeout=longest)
        for other, part in invokes.items():
            self._register(other, part)
        try:
            payload = orjson.dumps(event).decode()
        except TypeError as error:
            msg = f"the event of an execution is JSON: {error}"
            raise UsageError(msg) from error
        self.arn = ""
        self.arn = self.service.start(FUNCTION, payload, name)

    def _register(self, name: str, part: Any) -> None:
        plain = name.partition(":")[0]
        if hasattr(part, "flow"):  # a durable handler, with an execution of its own
            self.service.register(plain, part)
        else:
            fn = played(part, 1)
            self.service.register(plain, lambda event, _: fn(event), durable=False)

    def _hear(self, notice: Any) -> None:
        if isinstance(notice, EventAppended) and notice.arn == (self.arn or notice.arn):
            self.events.append(notice.event)

    def _invoke(self, event: Any, context: Any) -> Any:
        token = staged.set(self.stage)
        if self.frozen is not None:
            self.frozen.move_to(self.service.now().replace(tzinfo=None))
        try:
            return self.handler(event, context)
        finally:
            staged.reset(token)

    @contextmanager
    def _time(self) -> Iterator[None]:
        """Let `datetime.now()` be the execution's time."""
        if not self.freeze or find_spec("freezegun") is None:
            yield
            return
        from freezegun import freeze_time

        with freeze_time(self.service.now(), ignore=UNFROZEN) as frozen:
            self.frozen = frozen
            try:
                yield
            finally:
                self.frozen = None

    # --- going on --------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """Whether the execution can still change."""
        return self.service.status(self.arn) in {"RUNNING", "PAUSING", "PAUSED"}

    def go_on(self, until: str | datetime | None = None) -> None:
        """Go on until the execution is over, or nothing but a test can bring it further.

        Args:
            until: the path of an operation, to stop when it is waited for; or an instant.

        Raises:
            LookupError: the execution ended, and the operation was never waited for.
        """
        with self._time():
            while self.open:
                done = self.service.step()
                if not isinstance(done, Idle):
                    continue
                if isinstance(until, str) and self._waits(until):
                    return
                if not self._pass(done, until):
                    break
        if isinstance(until, str):
            raise self._missed(until)

    def _missed(self, path: str) -> LookupError:
        known = ", ".join(one.path for one in walk(tree(self.events))) or "none"
        status = self.service.status(self.arn)
        msg = f"the execution is {status} and {path!r} was never waited for; there are: {known}"
        return LookupError(msg)

    def _waits(self, path: str) -> bool:
        """Tell whether an operation of that path has begun and not ended."""
        return any(one.ended is None and matches(one.path, path) for one in walk(tree(self.events)))

    def _pass(self, idle: Idle, until: str | datetime | None) -> bool:
        """Let time pass to what happens next; False when nothing does."""
        for callback in idle.callbacks:
            if callback.arn == self.arn and callback.callback_id not in self.seen:
                self._look_up(callback)
        moments = [at for at, _, _ in self.due]
        moments += [at for at in (idle.until, self.times_out and idle.timeout) if at]
        if isinstance(until, datetime):
            moments.append(until)
        if not moments:
            return False
        first = min(moments)
        self.clock.advance_to(first)
        due, self.due = self.due, []
        for at, callback, answer in due:
            if at > first:
                self.due.append((at, callback, answer))
            else:
                self.send(callback.callback_id, answer)
        return not isinstance(until, datetime) or first < until

    def _look_up(self, callback: PendingCallback) -> None:
        self.seen.add(callback.callback_id)
        found = self.callbacks.find(collapsed(callback.path))
        if found is None:
            return
        answer, at = found[1], self.service.now()
        while isinstance(answer, After):
            answer, at = answer.answer, at + answer.delay
        if answer is not Never:
            self.due.append((at, callback, answer))

    def send(self, callback_id: str, answer: Any) -> None:
        """Answer a callback.

        Args:
            callback_id: which.
            answer: an `Answer` or `Fails`; anything else is the value of an `Answer`.
        """
        client = self.service.client
        if isinstance(answer, Fails):
            error = {"ErrorType": answer.type, "ErrorMessage": answer.message}
            if answer.data is not None:
                error["ErrorData"] = answer.data
            client.send_durable_execution_callback_failure(CallbackId=callback_id, Error=error)
            return
        value = answer.value if isinstance(answer, Answer) else answer
        client.send_durable_execution_callback_success(
            CallbackId=callback_id, Result=orjson.dumps(value)
        )

    def pending(self, path: str) -> PendingCallback:
        """Find an open callback by its path.

        Raises:
            LookupError: there is none; the text names those that are open.
        """
        callbacks = self.service.pending_callbacks(self.arn)
        for one in callbacks:
            if matches(collapsed(one.path), path):
                return one
        known = ", ".join(collapsed(one.path) for one in callbacks) or "none"
        msg = f"no callback {path!r} is open; there are: {known}"
        raise LookupError(msg)


def collapsed(path: str) -> str:
    """Name a callback as the code does: `wait_for_callback` has one of its own name inside."""
    above, _, name = path.rpartition("/")
    return above if above.rpartition("/")[2] == name else path


def matches(path: str, pattern: str) -> bool:
    """Tell whether a path is what a pattern says."""
    name = path.rpartition("/")[2]
    return fnmatchcase(path, pattern) or ("/" not in pattern and fnmatchcase(name, pattern))
