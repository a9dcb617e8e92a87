"""Operations under way: what the log and their kinds say of each, and what comes of it.

A task ends through the queue, never inline: what waits for it is put there with the value that its record
holds, a fiber to be resumed, a branch to be counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any

from attrs import evolve

from durable_gen import _places
from durable_gen._decisions import Block, Decision, Emit, Resolve, Run, Spawn
from durable_gen._effects import Call, StepInfo
from durable_gen._failure import describe, raised, rebuild
from durable_gen._fanout import Tally
from durable_gen._fibers import Fiber, Task, Team
from durable_gen._ids import deadline_id, operation_id
from durable_gen._kinds import TABLE
from durable_gen._log import differs
from durable_gen._misfits import fewer, mismatch
from durable_gen._model import (
    DEADLINE,
    MAX_PAYLOAD,
    TERMINAL,
    Action,
    Change,
    ErrorObject,
    Raw,
    Record,
    Status,
    Type,
    Update,
    length,
)
from durable_gen._ops import (
    Child,
    CreateCallback,
    FanOut,
    Op,
    Semantics,
    Step,
    Wait,
)
from durable_gen._outbox import BARRIER, NOTE, RESUME, Delivery, Entry, Outbox
from durable_gen._outcome import Err, Ok, Outcome
from durable_gen._policy import Reason
from durable_gen._scope import Execution, Scope
from durable_gen._sleepers import Sleepers
from durable_gen._values import Values, check_size, load, passes, plain, register
from durable_gen._waiting import Waiting
from durable_gen.errors import (
    CheckpointFailed,
    ChildContextFailed,
    NonDeterminismError,
    OperationFailed,
    SerializationError,
)


class Tasks:
    """The operations of one invocation.

    Args:
        execution: what the scopes of this invocation share, its log above all.
        context: makes the context of a scope.
        values: turns values into text and back.

    Attributes:
        now: the time.
        ready: fibers with what they are resumed with; branches with how they ended.
        wanted: calls that are to be made.
        in_flight: calls that are being made.
        outbox: updates that are to be sent.
        sent: updates that were sent, and are not acknowledged yet.
        closed: contexts whose insides need not be visited.
        lost: fibers that were given up.
        dropped: calls in flight that nobody wants to know of any more.
        worked: whether a call has ended in this invocation.
        may_sleep: whether branches that stand at a timer are left out; nobody may be told of them then.
        updated: operations that ended from outside since the last invocation, or in this one before the
            code came to them: no invocation went on from them yet.
        parked: whether the invocation before went on from all that was over, until it was parked: so
            it is where an operation called this one, not the deadline of an invocation that ran out of
            time, and not the death of one.
    """

    def __init__(
        self, execution: Execution, context: Callable[[Scope], Any], values: Values
    ) -> None:
        self.execution = execution
        self.log = execution.log
        self.context = context
        self.values = values
        self.now = execution.started
        self.ready: deque[tuple[Fiber | Task, Any, Any]] = deque()
        self.wanted: list[Call] = []
        self.in_flight = 0
        self.outbox = Outbox()
        self.sent: list[Entry] = []
        self.waiting = Waiting()
        self.sleepers = Sleepers(self.log)
        self.may_sleep = execution.hooks is None
        self.closed: dict[str, None] = {}
        self.lost: list[Fiber] = []
        self.dropped: list[Call] = []
        self.worked = False
        self.updated = set(execution.updated)
        self.parked = bool(execution.updated) and execution.updated <= self.log.records.keys()

    def send(self) -> tuple[Update, ...]:
        """Take the updates that are to be sent now."""
        self.sent = self.outbox.take()
        updates = tuple(update for update, _, _, _ in self.sent if update is not None)
        if self.execution.hooks is not None:
            unsent = {update.id for update in self.outbox.updates()}
            self.execution.hooks.sending(one.id for one in updates if one.id not in unsent)
        return updates

    def absorb(self, records: Iterable[Raw]) -> None:
        """Take in what the service says of operations; everything that was sent is acknowledged."""
        changed: dict[str, None] = {}
        for raw in records:
            if raw.get("Type") != Type.EXECUTION and raw.get("SubType") != DEADLINE:
                before = self.log.unread.get(raw["Id"])
                if before is not None and before.get("Status") not in TERMINAL:
                    self.updated.add(raw["Id"])
                self.log.learn(raw)
                changed[raw["Id"]] = None
        for update in self.outbox.updates() if changed else ():
            if update.id in changed:  # what is not sent yet is newer than the answer
                self.log.write(update)
        sent, self.sent = self.sent, []
        if self.execution.hooks is not None:
            unsent = {update.id for update in self.outbox.updates()}
            known = {update.id: None for update, _, _, _ in sent if update is not None}
            self.execution.hooks.changed(id_ for id_ in {**known, **changed} if id_ not in unsent)
        for _, delivery, who, _ in sent:
            if delivery is RESUME and not who.over:
                self.look(who)
            elif delivery is BARRIER and not who.task.over:
                self.wanted.append(who)
        for id_ in changed:
            for task in self.waiting.of(id_):
                self.look(task)
            if (sleeper := self.sleepers.wake(id_)) is not None and not sleeper[0].over:
                self.waiting.remove(sleeper[0])
                self._enter(*sleeper)

    def calls(self) -> list[Call]:
        """Take the calls that are to be made."""
        calls, self.wanted = [call for call in self.wanted if not call.task.over], []
        for call in calls:
            call.task.calling = call
        self.in_flight += len(calls)
        return calls

    def called(self, call: Call, outcome: Outcome, draw: float) -> None:
        """Take in how a call ended; nobody wants to know of a task that is over."""
        task: Task = call.task
        self.worked = True
        if not task.over:
            task.calling = None
            self.in_flight -= 1
            self.settle(task, outcome, call.info.attempt, draw)

    def retreat(self) -> bool:
        """Take back what has not begun and have the service call again, for time is running out.

        Returns:
            False where there is nothing to give up, or nothing was done yet: an invocation does not
            end before it has done something. A step that is to run at most once is not given up
            once its start is acknowledged.
        """
        starting = self.outbox.starting()
        if not self.worked or not (self.wanted or self.in_flight or starting):
            return False
        if any(_at_most_once(call.task.op) for call in self.wanted):
            return False
        self.outbox.withdraw({call.info.operation_id for call in (*self.wanted, *starting)})
        change = Change(Action.START, options={"WaitOptions": {"WaitSeconds": 1}})
        id_ = deadline_id(self.log.deadlines + 1)
        self.outbox.add(Update(id_, Type.WAIT, DEADLINE, "deadline", None, change), NOTE, None)
        return True

    # --- what the log and the kinds say --------------------------------------------------------

    def begin(self, task: Task, raw: Raw | None) -> None:
        """Put an operation that was just come to against the log.

        Args:
            task: the operation.
            raw: the record that the log has of it.
        """
        op, kind, scope, execution = task.op, task.kind, task.scope, self.execution
        assert kind is not None
        if type(op) is Child and op.virtual:
            if raw is not None:  # it was recorded once
                raise execution.fail(mismatch(task))
            task.recorded = False
            self._spawn(task, Spawn(), None)
            return
        record, now = None, self.now
        if raw is not None:
            record = Record(raw)
            task.id = raw["Id"]  # the same text: one is kept instead of two
            over = raw.get("Status") in TERMINAL
            scope.earlier = type(op) is CreateCallback or (over and self._delivered(record))
            sub_type = kind.sub_type(op, execution.dialect)
            if differs(record, kind.type, sub_type, op.name, scope.parent_id):
                raise execution.fail(mismatch(task))
            if over:
                self.closed[task.id] = None
            if execution.hooks is not None:
                execution.hooks.found(record)
        elif scope.again:
            raise execution.fail(mismatch(task))
        else:
            scope.earlier = False
            self._first(task)
            if (
                type(op) is Wait
            ):  # the service's clock may be ahead: its timestamps have the last word
                now = max(now, scope.now())
        if scope.virtual:
            scope.went_on(earlier=scope.earlier)
        self._follow(task, kind.decide(op, record, now), record)

    def _delivered(self, record: Record) -> bool:
        """Tell of an operation that is over whether an earlier invocation is known to have gone on."""
        return self.parked and record.id not in self.updated

    def _first(self, task: Task) -> None:
        """Tell whoever listens of an operation that is come to for the first time."""
        execution, op, kind = self.execution, task.op, task.kind
        if execution.listener is not None:
            execution.listener.operation(task.scope, op, task.id, task.parent_id)
        if execution.hooks is not None and kind is not None:
            execution.hooks.began(task, kind.sub_type(op, execution.dialect))

    def look(self, task: Task) -> None:
        """Put an operation against what is known of it now."""
        if task.kind is None:  # a flush
            self._conclude(task, None, None)
            return
        record = self.log.current(task.id)
        try:
            if task.text is not None and record is not None and record.status == Status.SUCCEEDED:
                kept = None if record.replay_children else record.result
                decision: Decision = Resolve(task.text if kept is None else kept)
            else:
                decision = task.kind.decide(task.op, record, self.now)
            if type(decision) is not Block:
                self.waiting.remove(task)
            self._follow(task, decision, record)
        except CheckpointFailed as fault:  # the workflow cannot mend the service
            self.execution.fail(fault)
        except Exception as error:
            self.fail(task, error)

    def _follow(self, task: Task, decision: Decision, record: Record | None) -> None:
        match decision:
            case Block():
                self.waiting.add(task, decision.until)
            case Resolve():
                self._resolve(task, decision, record)
            case Spawn():
                self._spawn(task, decision, record)
            case Run():
                self._call(task, decision, record)
            case Emit():
                self._emit(task, decision)

    def _call(self, task: Task, decision: Run, record: Record | None) -> None:
        op, args = task.op, decision.args
        if decision.state is not None:
            args = (self.values.loads(op, decision.state, task.id),)
        attempt = (record.attempt if record is not None else 0) + 1
        path = task.scope.path_of(op.name)
        info = StepInfo(op.name, path, task.id, attempt, self.execution.arn, task.parent_id)
        call = Call(task, decision.fn, args, op.timeout if type(op) is Step else None, info)
        if decision.start is not None and decision.barrier:
            self._send(task, decision.start, BARRIER, call)
            return
        if decision.start is not None:
            self._send(task, decision.start, NOTE, task)
        self.wanted.append(call)

    def _emit(self, task: Task, decision: Emit) -> None:
        change = decision.change
        if decision.payload:
            text = self.values.dump_payload(task.op, task.id)
            check_size(task.op, text)
            change = Change(change.action, text, change.error, self._traced(task, change.options))
        self._send(task, change, RESUME, task)

    def _traced(self, task: Task, options: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Add the trace header that a plugin has for an invoke."""
        execution, kind = self.execution, task.kind
        if execution.hooks is None or options is None or kind is None:
            return options
        header = execution.hooks.invoking(task, kind.sub_type(task.op, execution.dialect))
        if header is None:
            return options
        target = {**options["ChainedInvokeOptions"], "XAmznTraceId": header}
        return {**options, "ChainedInvokeOptions": target}

    def _spawn(self, task: Task, decision: Spawn, record: Record | None) -> None:
        op, outer = task.op, task.scope
        task.again = decision.again
        if decision.start is not None:
            self._send(task, decision.start, NOTE, task)
        if isinstance(op, FanOut):
            summary = record.result if decision.again and record is not None else None
            tally = Tally(op, lambda child: plain(self.values, child), summary)
            space = Scope(self.execution, outer, task.id, task.id, op.name, batch=outer.batch)
            space.again = outer.again or task.again
            at_once = op.max_concurrency is None and op.batch_size is None
            task.team = Team(tally, space, record is not None and at_once)
            self._more(task)
            return
        parent_id = task.id if task.recorded else task.parent_id
        name = "" if passes(op) else op.name  # the path has the operation's own name already
        scope = Scope(self.execution, outer, task.id, parent_id, name, task.index)
        scope.again, scope.batch = outer.again or task.again, outer.batch
        if not task.recorded:
            scope.virtual = task.owner is None
            scope.earlier = _begun_before(task.owner)
        task.body = inside(op, scope, self.context, task)
        self.ready.append((task.body, None, None))

    # --- fan-outs -------------------------------------------------------------------------------

    def _more(self, task: Task) -> None:
        """Begin the branches that may begin, or end the fan-out when it is over."""
        assert task.team is not None
        tally = task.team.tally
        try:
            reason = tally.reason()
            indexes = [] if reason is not None else tally.startable()
            for index in indexes:
                self._begin_branch(task, index)
            if reason is None and not indexes:
                reason = tally.reason()  # nothing was to be begun: that may be the end of it
        except Exception as error:  # a predicate of the user's raised
            self._close(task)
            self.settle(task, Err(error), 1, 0.0)
            return
        if reason is not None:
            self._end(task, tally, reason)

    def _begin_branch(self, task: Task, index: int) -> None:
        team = task.team
        assert team is not None
        child = task.op.flows[index]
        id_ = operation_id(task.id, self.execution.dialect.first + index)
        branch = Task(child, TABLE[Child], id_, team.scope, owner=task, index=index)
        team.branches.append(branch)
        raw = self.log.read(id_)
        if raw is None or not self.may_sleep or not self._sleeps(branch, raw):
            self._enter(branch, raw)

    def _sleeps(self, branch: Task, raw: Raw) -> bool:
        """Let a branch sleep that stands at a timer; tells whether it does."""
        assert branch.kind is not None
        if raw.get("Status") != Status.STARTED:
            return False
        timer, record = self.sleepers.timer(raw["Id"]), Record(raw)
        sub_type = branch.kind.sub_type(branch.op, self.execution.dialect)
        if timer is None or differs(
            record, branch.kind.type, sub_type, branch.op.name, branch.parent_id
        ):
            return False
        branch.id = raw["Id"]
        due = Record(timer)
        self.waiting.time(branch, due.scheduled_end or due.next_attempt)
        self.sleepers.add(timer, branch, raw)
        return True

    def _enter(self, branch: Task, raw: Raw | None) -> None:
        try:
            self.begin(branch, raw)
        except CheckpointFailed as fault:
            self.execution.fail(fault)
        except Exception as error:
            self.fail(branch, error)

    def _end(self, task: Task, tally: Tally, reason: Reason) -> None:
        """Record what became of a fan-out that is over."""
        following = self.execution.dialect.first + len(tally.statuses)
        branch_id = operation_id(task.id, following)
        if branch_id in self.log.unread or operation_id(branch_id, 1) in self.log.unread:
            self.execution.fail(fewer(task, following, len(tally.statuses)))
            return
        self._close(task)
        text = tally.payload(reason)
        if task.again:
            self._resolve(task, Resolve(text), self.log.current(task.id))
            return
        assert task.kind is not None
        task.text = text
        summary = Ok(tally.summary(reason))
        self._deliver(task, task.kind.settle(task.op, 1, summary, text, 0.0))

    def _close(self, task: Task) -> None:
        """Let nothing more come of a fan-out's branches."""
        assert task.team is not None
        task.team.settled = True
        self.closed[task.id] = None
        if task.team.tally.in_flight:
            for branch in task.team.branches:
                self._abandon(branch)

    def branch_ended(self, branch: Task, text: str | None, error: ErrorObject | None) -> None:
        """Count a branch that ended, and go on with its fan-out."""
        owner, index = branch.owner, branch.index
        assert owner is not None
        assert owner.team is not None
        assert index is not None
        if owner.over or owner.team.settled:
            return
        if branch.live is not None:
            owner.team.tally.lives[index] = branch.live
        owner.team.tally.ended(index, text, error)
        self._more(owner)

    def _abandon(self, task: Task) -> None:
        """Give up an operation and all that goes on inside it."""
        tasks = [task]
        while tasks:
            one = tasks.pop()
            if one.over:
                continue
            body = one.body
            if one.team is not None:
                tasks += one.team.branches
            self._forget(one)
            self.closed[one.id] = None
            if one.calling is not None:
                self.dropped.append(one.calling)
                one.calling = None
                self.in_flight -= 1
            if body is not None:
                self.lost.append(body)
                body.dead = True
                if body.waits is not None:
                    tasks.append(body.waits)

    # --- ends -----------------------------------------------------------------------------------

    def settle(self, task: Task, outcome: Outcome, attempt: int, draw: float) -> None:
        """Record how a call or a flow ended."""
        op, text = task.op, None
        if isinstance(outcome, Ok):
            try:
                if passes(op):
                    assert task.body is not None
                    text = task.body.scope.text
                else:
                    kept = _kept(task)
                    text = self.values.dumps(op, outcome.value, task.id, attempt, kept=kept)
                if isinstance(op, Child):
                    outcome = Ok("")  # what stands for a result that is too large
                else:
                    check_size(op, text or "")
            except SerializationError as error:
                outcome, text = Err(error), None
        if isinstance(outcome, Err):
            task.live = outcome.error
        if not task.recorded or task.again:
            self._found(task, outcome, text)
            return
        assert task.kind is not None
        try:
            change = task.kind.settle(op, attempt, outcome, text, draw)
        except Exception as error:  # a predicate of the user's raised
            task.live = error
            change = Change(Action.FAIL, error=describe(error))
        if change.action is Action.SUCCEED:
            task.text = text
        self._deliver(task, change)

    def _found(self, task: Task, outcome: Outcome, text: str | None) -> None:
        """End a context that has no record, or whose record has no result."""
        if isinstance(outcome, Ok):
            if task.body is not None and not task.recorded and task.owner is None:
                task.scope.base = task.body.scope.now()  # nothing else tells what time it is
            record = self.log.current(task.id) if task.again else None
            self._resolve(task, Resolve(text), record)
        elif task.again:
            error = outcome.error
            msg = (
                f"{_places.of_function(task.op.flow)}: by the log of this execution "
                f"{task.scope.path_of(task.op.name)!r} succeeded, and now it raised "
                f"{type(error).__name__}: {error}"
            )
            self.execution.fail(NonDeterminismError(msg))
        else:
            self.fail(task, outcome.error)

    def _deliver(self, task: Task, change: Change) -> None:
        """Send a task's end, or its retry, and look again: now, or when it is acknowledged."""
        # What a fan-out gave may depend on what ended first: nobody sees it before it is recorded.
        waited = task.owner is None and (not task.scope.batch or isinstance(task.op, FanOut))
        if waited or change.action is Action.RETRY:
            self._send(task, change, RESUME, task)
        else:
            self._send(task, change, NOTE, task)
            self.look(task)

    def _resolve(self, task: Task, decision: Resolve, record: Record | None) -> None:
        """End a task with what its record holds."""
        if task.owner is not None:
            self._forget(task)
            self.ready.append((task, decision.text, decision.error))
            return
        op, scope = task.op, task.scope
        scope.text = decision.text
        if record is not None and type(op) is not CreateCallback:  # made is not answered
            scope.saw(record.raw)
        if decision.error is not None:
            name = op.name or scope.path_of(None)
            error = rebuild(decision.error, decision.wrapper, name, decision.passing)
            self._conclude(task, None, raised(error, decision.error, task.live))
            return
        lives = {} if task.team is None else task.team.tally.lives
        try:
            value = load(self.values, op, task.id, scope, decision.text, lives)
        except NonDeterminismError as fault:
            self.execution.fail(NonDeterminismError(f"{task.place}: {fault}"))
            return
        except Exception as failure:
            self._conclude(task, None, failure)
            return
        register(scope, op, value)
        self._conclude(task, value, None)

    def fail(self, task: Task, error: BaseException) -> None:
        """End a task with an error that no record holds."""
        passing = (OperationFailed,) if getattr(task.op, "transparent", False) else ()
        task.live = error
        decision = Resolve(None, describe(error), ChildContextFailed, passing)
        self._resolve(task, decision, None)

    def _conclude(self, task: Task, value: Any, error: BaseException | None) -> None:
        self._forget(task)
        assert task.fiber is not None
        self.ready.append((task.fiber, value, error))

    def _forget(self, task: Task) -> None:
        task.over = True
        if task.body is not None or task.team is not None:
            task.cut()
        self.waiting.remove(task)

    # --- updates --------------------------------------------------------------------------------

    def _send(self, task: Task, change: Change, delivery: Delivery, who: Task | Call) -> None:
        assert task.kind is not None
        op, kind = task.op, task.kind
        sub_type = kind.sub_type(op, self.execution.dialect)
        if change.error is not None and self.execution.dialect.brief:
            change = evolve(change, error=change.error.shortened())
        update = Update(task.id, kind.type, sub_type, op.name, task.parent_id, change)
        known = len(self.log.records)
        self.log.write(update)
        self.outbox.add(update, delivery, who)
        meter = self.execution.meter
        count = len(self.log.records) + self.log.deadlines
        if len(self.log.records) > known and (share := meter.operations(count)) is not None:
            self._warn(task, "operations", count, meter.budget.max_operations, share)
        if change.payload is not None:
            size = length(change.payload)
            if (share := meter.payload(size)) is not None:
                self._warn(task, "payload", size, MAX_PAYLOAD, share)

    def _warn(self, task: Task, what: str, used: int, limit: int, share: float) -> None:
        """Tell whoever listens that the execution comes near to a limit."""
        path = task.scope.path_of(task.op.name)
        for one in (self.execution.listener, self.execution.hooks):
            if one is not None:
                one.budget(self.execution.arn, what, used, limit, share, path)


def _at_most_once(op: Op[Any]) -> bool:
    return type(op) is Step and op.semantics is Semantics.AT_MOST_ONCE


def _kept(task: Task) -> bool:
    """Tell whether the text of what a task gives goes into the log, in its own record or another's."""
    while not task.recorded or task.again:  # found anew on every replay
        outer = task.owner
        if outer is None and task.fiber is not None and task.fiber.task is not None:
            outer = task.fiber.task if passes(task.fiber.task.op) else None
        if outer is None:
            return False
        task = outer
    return True


def _begun_before(owner: Task | None) -> bool:
    """Tell whether an earlier invocation began all branches of a fan-out."""
    return owner is not None and owner.team is not None and owner.team.begun_before


def inside(
    op: Child[Any], scope: Scope, context: Callable[[Scope], Any], task: Task | None = None
) -> Fiber:
    """Make the fiber of a child context's flow.

    Args:
        op: the child context.
        scope: its id space.
        context: makes the context of a scope.
        task: the operation.
    """
    if op.borrowed is not None:
        return Fiber(scope, (_same, op.borrowed), task, lent=op.args[0])
    args = op.args
    for one in args:
        if isinstance(one, Op):
            args = tuple(_handed(one, scope) for one in args)
            break
    return Fiber(scope, (op.flow, context(scope), *args), task)


def _same(generator: Any) -> Any:
    return generator


def _handed(value: Any, scope: Scope) -> Any:
    """Copy an operation that a flow is given to yield: it is of that flow's scope."""
    if isinstance(value, Op):
        value = copy(value)
        value.scope = scope
    return value
