"""What is due for a function, taken from the engine and handed back with its answer."""

from __future__ import annotations

from attrs import frozen

from durable_gen.local import _ending, _invocations, _queue
from durable_gen.local._engine import Engine
from durable_gen.local._functions import Answer
from durable_gen.local._host import Call, Unreachable
from durable_gen.local._reports import Called, Invoked
from durable_gen.local._transactions import LOGGER


@frozen
class Job:
    """A call that is due.

    Attributes:
        arn: the execution that it is for; "" for an asynchronous invocation of a plain function.
        id: the chained invoke that calls a plain function; "" for the execution's own invocation;
            of an asynchronous invocation its request id.
        call: what a host is to run.
    """

    arn: str
    id: str
    call: Call


class Work:
    """The calls that are due in an engine. Whoever takes one must finish it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._parked: list[tuple[str, str]] = []  # due, but their function is not registered yet
        for arn in engine.interrupted():
            _invocations.exited(engine, arn)

    def unpark(self) -> None:
        """Look again at what had no function."""
        with self._engine.lock:
            self._engine.ready.extend(self._parked)
            self._parked = []
        self._engine.rouse()

    def reap(self) -> None:
        """Write the ends of the invocations that were lost. Only who drives the engine may."""
        lost = self._engine.lost
        while lost:
            _invocations.exited(self._engine, lost[0])
            lost.pop(0)  # now that it is written

    def next(self) -> tuple[str, str] | None:
        """Take what is due next, to be begun; None if nothing is."""
        with self._engine.lock:
            return self._engine.ready.popleft() if self._engine.ready else None

    def put_back(self, due: tuple[str, str]) -> None:
        """Let what could not be begun be due again."""
        with self._engine.lock:
            if due not in self._engine.ready:
                self._engine.ready.append(due)

    def take(self) -> Job | Invoked | None:
        """Begin the next call that is due; None if there is none."""
        while (due := self.next()) is not None:
            found = self.begin(*due)
            if found is not None:
                return found
        return None

    def begin(self, arn: str, id_: str) -> Job | Invoked | None:
        """Begin a call.

        Args:
            arn: the execution; "" for an asynchronous invocation of a plain function.
            id_: the chained invoke that calls a plain function; "" for its own invocation.

        Returns:
            A job, or the end of an execution whose function is gone; None if nothing is due.
        """
        engine = self._engine
        if not arn:
            return Job(arn, id_, engine.queued[id_].call)
        with engine.lock:
            journal = engine.find(arn)
            if journal is None or not journal.row.open:
                return None
            row = journal.row
            if id_ and id_ not in journal.operations:
                return None  # what had called it could not be kept
            target = journal.operations[id_].function if id_ else None
            function = engine.function(target) if target else engine.pinned(row)
            gone = not target and row.function in engine.gone
            if function is None and not gone:
                self._parked.append((arn, id_))
                return None
        if function is None:
            _invocations.vanish(engine, arn)
            return Invoked(arn, self.status(arn))
        call = (
            _invocations.reach(engine, arn, id_, function)
            if id_
            else _invocations.begin(engine, arn, function)
        )
        return None if call is None else Job(arn, id_, call)

    def finish(self, job: Job, answer: Answer | Unreachable) -> Called | Invoked:
        """End a call; if that cannot be kept, it counts as lost.

        Args:
            job: what was taken.
            answer: how it went.
        """
        try:
            return self._finish(job, answer)
        except BaseException:
            self.lose(job)
            raise

    def _finish(self, job: Job, answer: Answer | Unreachable) -> Called | Invoked:
        engine = self._engine
        if not job.arn:
            _queue.answered(engine, job.id, answer)
            return Called(job.arn, job.id)
        if job.id:
            _invocations.reached(engine, job.arn, job.id, answer)
            return Called(job.arn, job.id)
        if isinstance(answer, Unreachable) and not (answer.gone or answer.passing):
            answer = Answer(error=answer.error)
        if isinstance(answer, Unreachable):
            LOGGER.warning("No host has run %s: %s: %s", job.arn, answer.code, answer.message)
            _invocations.unreached(engine, job.arn, job.call.event, gone=answer.gone)
        elif (row := engine.row(job.arn)) is not None:
            _invocations.end(engine, job.arn, _ending.read(answer, row.limit))
        return Invoked(job.arn, self.status(job.arn))

    def lose(self, job: Job) -> None:
        """Give a call back whose end is not known."""
        with self._engine.lock:
            if job.id:
                self._engine.ready.append((job.arn, job.id))
            else:
                self._engine.lost.append(job.arn)
        self._engine.woken.set()

    def status(self, arn: str) -> str:
        """Tell an execution's status; DELETING when it is gone."""
        row = self._engine.row(arn)
        return "DELETING" if row is None else row.status
