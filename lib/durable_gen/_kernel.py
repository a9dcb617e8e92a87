"""The kernel: drives the fibers of one invocation by what the log says, and asks for the rest.

Theory of operation. A *fiber* is one stack of generators being driven; a *task* is one operation that a
fiber yielded, or one branch of a fan-out. `advance` gives each ready fiber the floor in turn. What it
yields is looked up in the log and put to its kind, which answers with one of five words: **Resolve** (the
fiber is ready again, with the recorded value), **Run** (a call is wanted), **Emit** (an update goes to the
outbox), **Spawn** (a fiber for each flow), **Block** (the task waits for the service). When no fiber is
ready, the outbox is sent if anyone waits for that, else a call's end is awaited, else the invocation is
parked. Nothing is resumed inline: a fiber, and the end of a branch, always go through the queue.

Nothing here has a clock, a thread or a random number. Time and jitter come in as data, and a crash is
simply that nobody calls `advance` again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from types import AsyncGeneratorType, CodeType, FunctionType, GeneratorType, MethodType
from typing import Any

from durable_gen._check import is_awaitable
from durable_gen._effects import Call, Calls, Done, Effect, Flush, Idle, Park
from durable_gen._fibers import Fiber, Task, not_an_operation, returned_undriven, used_up
from durable_gen._ids import operation_id
from durable_gen._kinds import SHORTCUTS, TABLE, context
from durable_gen._log import Log
from durable_gen._misfits import unread
from durable_gen._model import (
    Raw,
)
from durable_gen._ops import (
    CallbackResult,
    Inline,
    Op,
    Step,
)
from durable_gen._ops import Flush as FlushOp
from durable_gen._outbox import RESUME
from durable_gen._outcome import Err, Ok, Outcome
from durable_gen._scope import Execution, Scope, foreign
from durable_gen._tasks import Tasks
from durable_gen._values import Values, register
from durable_gen.errors import CheckpointFailed, DeserializationError, UsageError

CONTEXT = "CONTEXT"
MAKERS = (FunctionType, MethodType)  # calls of which run the code that they say
LATER = object()  # instead of what a generator yielded: it goes on when it is its turn


class Kernel:
    """Drives one invocation of a workflow.

    Args:
        execution: what the scopes of this invocation share, its log above all.
        flow: the handler's flow, called with the root context.
        context: makes the context of a scope.
        values: turns values into text and back.
        batch: whether the handler's steps go on before they are acknowledged.
    """

    def __init__(
        self,
        execution: Execution,
        flow: Callable[[Any], Any],
        context: Callable[[Scope], Any],
        values: Values,
        *,
        batch: bool = False,
    ) -> None:
        self.execution = execution
        self.tasks = Tasks(execution, context, values)
        self.ready = self.tasks.ready
        self.outcome: Outcome | None = None
        self.retreating = False
        self.shortcuts = SHORTCUTS if execution.hooks is None else {}  # hooks are told by tasks
        scope = Scope(execution, batch=int(batch))
        self.root = Fiber(scope, (flow, context(scope)))
        self.ready.append((self.root, None, None))

    # --- what the driver calls ------------------------------------------------------------------

    def advance(self, now: datetime, *, late: bool = False) -> Effect:
        """Give everything that is ready its turn, then say what is needed to go on.

        Args:
            now: the time.
            late: whether the invocation's time is running out: then nothing more is begun.
        """
        if self.retreating:
            return self._flush() if self.tasks.outbox else Park()
        tasks = self.tasks
        tasks.now = now
        self._check()
        ready, outbox, execution = self.ready, tasks.outbox, self.execution
        while ready and self.outcome is None:
            if outbox.entries and outbox.full():
                return self._flush()
            who, value, error = ready.popleft()
            if isinstance(who, Task):
                tasks.branch_ended(who, value, error)
            elif not who.dead:
                self._turn(who, value, error)
            if execution.fatal is not None:
                self._check()
        if self.outcome is not None:
            return self._flush() if tasks.outbox else Done(self.outcome)
        if late and tasks.retreat():
            self.retreating = True
            return self._flush()
        if calls := tasks.calls():
            alone = tasks.in_flight == 1 and calls[0].timeout is None
            busy = tasks.outbox.answers or tasks.waiting.timed
            alone = alone and not busy
            self.execution.beside |= not alone
            return Calls(calls, alone=alone)
        if tasks.outbox.answers:
            return self._flush()
        if tasks.in_flight:
            return self._flush() if tasks.outbox else Idle(tasks.waiting.next_timer())
        return self._flush() if tasks.outbox else Park()

    def resolve(self, call: Call, outcome: Outcome, draw: float) -> None:
        """Take in how a call ended.

        Args:
            call: the call, as `Calls` had it.
            outcome: how it ended.
            draw: a number from 0 to 1 for the jitter of a retry.
        """
        self.tasks.called(call, outcome, draw)

    def absorb(self, records: Iterable[Raw]) -> None:
        """Take in the answer to a `Flush`: everything in it is acknowledged.

        Args:
            records: what the service says of operations that changed.
        """
        self.tasks.absorb(records)

    def refresh(self) -> Flush:
        """Ask the service what has changed, though there may be nothing to send."""
        return self._flush()

    def rest(self) -> Iterator[Flush]:
        """Say what is still to be sent when a fault ends the invocation: all but calls' starts."""
        outbox = self.tasks.outbox
        outbox.withdraw({call.task.id for call in outbox.starting()})
        while outbox:
            yield self._flush()

    def dropped(self) -> list[Call]:
        """Take the calls in flight that nobody wants to know of any more."""
        calls, self.tasks.dropped = self.tasks.dropped, []
        return calls

    def remains(self) -> Iterator[Fiber]:
        """Take the fibers that nobody will resume, outer ones first.

        What they and their tasks know of one another is cut: it is garbage in circles otherwise.
        """
        fibers = [self.root, *reversed(self.tasks.lost)]
        self.tasks.lost = []
        while fibers:
            fiber = fibers.pop()
            yield fiber
            task, fiber.waits, fiber.task = fiber.waits, None, None
            if task is not None and (task.body is not None or task.team is not None):
                fibers += task.cut()

    def forget(self) -> None:
        """Let go of the log: generators that are kept hold the execution, and need it no more."""
        self.execution.log = Log(())
        self.execution.listener = None

    def _check(self) -> None:
        if self.execution.fatal is not None:
            self.outcome = Err(self.execution.fatal)

    # --- turns ----------------------------------------------------------------------------------

    def _turn(self, fiber: Fiber, value: Any, error: BaseException | None) -> None:
        execution, scope, lent = self.execution, fiber.scope, fiber.lent
        fiber.waits = None
        begins = not fiber.stack
        if begins and execution.hooks is not None and fiber.task is not None:
            first = operation_id(scope.prefix, 1) in execution.log.unread
            execution.hooks.entered(fiber.task, again=first)
        execution.floor = scope
        if lent is not None:
            owner, lent._scope = lent._scope, scope  # noqa: SLF001
        try:
            try:
                if begins and not self._begin(fiber):
                    return
                op, id_, raw = self._through(fiber, fiber.stack[-1], value, error)
            finally:  # what follows is no code of the flow's
                execution.floor = None
                if lent is not None:
                    lent._scope = owner  # noqa: SLF001
        except StopIteration as stop:
            code = fiber.stack.pop().gi_code if fiber.stack else None
            self._returned(fiber, stop.value, code)
        except (Exception, GeneratorExit) as problem:
            if fiber.stack:
                fiber.stack.pop()
            self._continue(fiber, None, problem)
        else:
            if op is not LATER:
                self._yielded(fiber, op, id_, raw)

    def _begin(self, fiber: Fiber) -> bool:
        """Call a fiber's flow; tells whether there is a generator that can be driven.

        Raises:
            StopIteration: there is none, for the flow yields nothing; it holds the flow's value.
        """
        flow = fiber.start[0]
        code = getattr(flow, "__code__", None) if type(flow) in MAKERS else None
        try:
            made = fiber.begin()
        except StopIteration as error:  # it must not read as a generator's end
            msg = "the flow raised StopIteration"
            raise RuntimeError(msg) from error
        if not isinstance(made, GeneratorType):
            if not isinstance(made, Op):
                raise StopIteration(made)
            made = iter(made)  # a function that does nothing else, such as a lambda
        new = made.gi_code is code  # a call of a generator's function makes a new one
        if not new and _driven(made):
            self.execution.fail(used_up(fiber, made))
            return False
        fiber.stack = [made]
        return True

    def _through(
        self, fiber: Fiber, generator: Any, value: Any, error: BaseException | None
    ) -> tuple[Any, str | None, Raw | None]:
        """Send a generator on through what the log answers by itself, as most of a replay is.

        Nothing is begun there and nobody waits, so it takes no task. As long as no other fiber is
        ready, to go on with an answer at once is the same as to put it into the queue.

        Returns:
            The first thing that it yields which takes more than that, with its id and record if it
            was looked for; LATER if others have their turn first.
        """
        scope, execution, shortcuts = fiber.scope, self.execution, self.shortcuts
        ready, unread, loads = self.ready, execution.log.unread, self.tasks.values.loads
        virtual, prefix, parent_id = scope.virtual, scope.prefix, scope.parent_id
        parked, updated, closed = self.tasks.parked, self.tasks.updated, self.tasks.closed
        while True:
            op = generator.send(value) if error is None else generator.throw(error)
            shortcut = shortcuts.get(type(op))
            others = scope.others is not None or scope.held is not None
            if shortcut is None or scope.fresh is not op or others:
                return op, None, None
            position = scope.position + 1
            id_ = operation_id(prefix, position)
            raw = unread.pop(id_, None)
            if raw is None:
                return op, id_, None
            type_, sub_type, member = shortcut
            if sub_type is None:
                sub_type = context.CHILD.sub_type(op, execution.dialect)
            try:
                plain = (
                    raw["Status"] == "SUCCEEDED"
                    and raw["Type"] == type_
                    and raw["SubType"] == sub_type
                    and raw["Name"] == op.name
                    and raw.get("ParentId") == parent_id
                    and (type_ != CONTEXT or not (op.virtual or raw[member].get("ReplayChildren")))
                )
                ended = raw["EndTimestamp"]
                text = None if member is None else raw[member]["Result"]
            except (KeyError, TypeError, AttributeError):  # it does not say all, or says null
                plain = False
            if not plain:
                return op, id_, raw
            if type_ == CONTEXT:
                closed[id_] = None
            scope.fresh, scope.position, scope.text = None, position, text
            if virtual:
                scope.went_on(earlier=parked and id_ not in updated)
            else:
                scope.earlier = parked and id_ not in updated
            if ended is not None and not scope.batch:
                scope.latest = raw
            value = error = None
            if text is not None:
                try:
                    value = loads(op, text, id_)
                except Exception as failure:
                    error = failure
            if type(op) is Step and op.compensate is not None and error is None:
                register(scope, op, value)
            if ready or execution.fatal is not None:
                ready.append((fiber, value, error))
                return LATER, None, None

    def _continue(self, fiber: Fiber, value: Any, error: BaseException | None) -> None:
        if fiber.stack:
            self.ready.append((fiber, value, error))
        else:
            self._ended(fiber, Ok(value) if error is None else Err(error))

    def _returned(self, fiber: Fiber, value: Any, code: CodeType | None) -> None:
        if isinstance(value, (GeneratorType, AsyncGeneratorType, Op)) or is_awaitable(value):
            self.execution.fail(returned_undriven(fiber, value, code))
        else:
            self._continue(fiber, value, None)

    def _yielded(self, fiber: Fiber, op: Any, id_: str | None, raw: Raw | None) -> None:
        scope, kind = fiber.scope, TABLE.get(type(op))
        if kind is None and isinstance(
            op, GeneratorType
        ):  # a subflow, run inline without growing Python's stack
            if _driven(op):
                self.execution.fail(used_up(fiber, op))
                return
            fiber.stack.append(op)
            self.ready.append((fiber, None, None))
            return
        try:
            if kind is None and not isinstance(op, Op):
                raise self.execution.fail(not_an_operation(fiber, op))
            if op.scope is not scope:
                raise self.execution.fail(UsageError(foreign(fiber.place, op)))
            scope.taken(op)
            if type(op) is Inline:
                fiber.stack.append(op.flow(*op.args))
                self.ready.append((fiber, None, None))
            elif type(op) is FlushOp and not self.tasks.outbox:
                self.ready.append((fiber, None, None))
            elif type(op) is FlushOp:
                self.tasks.outbox.add(None, RESUME, Task(op, None, "", scope, fiber))
            elif type(op) is CallbackResult:
                scope.went_on(earlier=False)
                fiber.waits = Task(op, kind, op.callback.operation_id, scope, fiber)
                self.tasks.look(fiber.waits)
            else:
                scope.position += 1
                if id_ is None:
                    id_ = operation_id(scope.prefix, scope.position)
                    raw = self.execution.log.read(id_)
                fiber.waits = Task(op, kind, id_, scope, fiber)
                self.tasks.begin(fiber.waits, raw)
        except CheckpointFailed as fault:  # the workflow cannot mend the service
            self.execution.fail(fault)
        except Exception as error:
            self._continue(fiber, None, error)

    def _ended(self, fiber: Fiber, outcome: Outcome) -> None:
        """Take in how a flow ended."""
        scope, task = fiber.scope, fiber.task
        if self.execution.hooks is not None and task is not None:
            self.execution.hooks.left(task, outcome)
        unused = scope.finished()
        if unused is not None and isinstance(outcome, Err):  # perhaps that is why it failed
            outcome.error.add_note(str(unused))
            unused = None
        fault = unused or unread(fiber, outcome, self.tasks.closed, last=fiber is self.root)
        if fault is not None:
            cause = outcome.error if isinstance(outcome, Err) else None
            # A record that cannot be read is why the rest of the log was not come to.
            self.execution.fail(cause if isinstance(cause, DeserializationError) else fault)
            return
        scope.over = "its flow has ended"
        if task is None:
            self.outcome = outcome
        else:
            self.tasks.settle(task, outcome, 1, 0.0)

    def _flush(self) -> Flush:
        updates = self.tasks.send()
        self.execution.meter.bytes += sum(size for _, _, _, size in self.tasks.sent)
        return Flush(updates)


def _driven(generator: GeneratorType[Any, Any, Any]) -> bool:
    """Tell whether a generator runs already, or has run."""
    return generator.gi_suspended or generator.gi_running or generator.gi_frame is None
