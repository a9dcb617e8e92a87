"""Drives a flow by a plan: what it yields is compared, and answered as the plan says.

A `Level` is one flow on the way: the flow itself, or one that was entered. The kernel is not there, so a
plan sees what a flow says, and nothing of what a service would make of it.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from datetime import timedelta
from types import GeneratorType
from typing import Any

from attrs import define, field

from durable_gen import _dialect, _park, _places, errors
from durable_gen._failure import LIBRARY, describe, rebuild
from durable_gen._fibers import Fiber, not_an_operation
from durable_gen._log import Log
from durable_gen._ops import Callback, Child, CreateCallback, FanOut, Flush, Inline, Op, Step, Wait
from durable_gen._policy import Reason
from durable_gen._results import Batch, BatchItem, ItemStatus
from durable_gen._schedule import Retry
from durable_gen._scope import Execution, Scope, foreign, never_yielded
from durable_gen._tasks import _handed
from durable_gen.context import Context
from durable_gen.errors import UsageError
from durable_gen.logging import Logs
from durable_gen.testing._script import START, Raises
from durable_gen.testing._words import Word, misfits, read

WRAPPERS: dict[str, type[errors.OperationFailed]] = {
    "step": errors.StepFailed,
    "wait_for_condition": errors.ConditionFailed,
    "callback_result": errors.CallbackFailed,
    "wait_for_callback": errors.CallbackFailed,
    "invoke": errors.InvokeFailed,
    "child": errors.ChildContextFailed,
    "compensation": errors.ChildContextFailed,
}
ANY = object()


@define(eq=False)
class Level:
    """One flow on the way.

    Attributes:
        fiber: its generators and its scope.
        index: its place among the branches of the operation that it was entered from.
        op: what it has yielded, and is not answered yet.
        outcomes: how the branches of that have ended, that were entered.
        begun: whether it has run at all.
    """

    fiber: Fiber
    index: int | None = None
    op: Op[Any] | None = None
    outcomes: dict[int, BatchItem[Any]] = field(factory=dict)
    begun: bool = False


class Plan:
    """A flow, and what it is expected to do; every method does its part at once.

    Args:
        flow: a flow, or a handler that `@durable` made.
        args: what it is called with besides its context.
    """

    def __init__(self, flow: Callable[..., Any], args: Sequence[Any]) -> None:
        handler = getattr(flow, "flow", None)
        inner = flow if handler is None else handler
        if not callable(inner):
            msg = f"expect(flow, *args): flow must be a flow or a handler, not {flow!r:.80}"
            raise UsageError(msg)
        options = getattr(flow, "_options", {})
        self._execution = Execution(
            "arn:aws:lambda:us-east-1:123456789012:function:plan:$LATEST/durable-execution/plan/plan",
            START,
            Log(()),
            options.get("dialect") or _dialect.CORE,
            Logs(),
            options.get("retry", Retry()),
            None,
            inner,
        )
        scope = Scope(self._execution)
        context = Context(scope)
        # a handler's first argument is the event
        start = (
            (lambda: inner(context, *args)) if handler is None else (lambda: inner(*args, context))
        )
        self._levels = [Level(Fiber(scope, start))]
        self._told: list[str] = []
        self._sent: tuple[Any, BaseException | None] = (None, None)  # what the flow hears next
        fibers = [self._levels[0].fiber]
        self._fibers = fibers
        weakref.finalize(self, _park.park, fibers, "its plan has ended").atexit = False

    # --- what is expected ------------------------------------------------------------------------

    def yields(self, word: Word) -> Plan:
        """Expect the next operation.

        Args:
            word: what it is: `step("charge", order)`.

        Raises:
            AssertionError: something else comes; the text says what, and where.
            UsageError: what was expected before is not answered yet.
        """
        __tracebackhide__ = True
        if not isinstance(word, Word):
            msg = f"yields(...) takes a word of durable_gen.testing.plan, such as step('charge'), not {word!r:.80}"
            raise UsageError(msg)
        level = self._levels[-1]
        if level.op is not None:
            said = read(level.op)
            msg = f"{said.kind} {said.name!r} is not answered yet: write .returns(...), .raises(...) or .enters() before .yields(...)"
            raise UsageError(msg)
        _, _, ended = self._run()
        if ended is not None:
            raise self._mismatch(str(word), ended, ())
        assert level.op is not None
        found = read(level.op)
        wrong = tuple(misfits(word, found))
        if wrong:
            raise self._mismatch(str(word), f"{word.of(found)}    {level.fiber.place}", wrong)
        self._told.append("  " * (len(self._levels) - 1) + f"{found.kind} {found.name!r}")
        return self

    def returns(self, value: Any = None) -> Plan:
        """Answer the operation that was expected with a value.

        Args:
            value: what it gives; a callback's id; a `Batch` or a list of values for `map` and
                `parallel`, where `Raises(error)` stands for a branch that fails.
        """
        __tracebackhide__ = True
        level, op = self._pending("returns")
        self._answer(level, op, _given(op, value), None)
        return self

    def raises(self, error: BaseException | type[BaseException]) -> Plan:
        """Answer the operation that was expected with an error.

        Args:
            error: what it fails with. The flow gets what it would get of the service: the error
                itself if it is marked with `@durable_error`, or one that such an operation raises;
                else a `StepFailed`, `InvokeFailed`, ... that tells of it.
        """
        __tracebackhide__ = True
        level, op = self._pending("raises")
        self._answer(level, op, None, _wrapped(op, error() if isinstance(error, type) else error))
        return self

    def enters(self, branch: int | str = 0) -> Plan:
        """Go into the flow of the child, or of a branch or item, that was expected.

        What follows is of that flow, up to its `.ends(...)` or `.fails(...)`. A child's outcome
        answers the child. A fan-out is answered when all of its branches have been entered, or by
        `.returns(...)` or `.raises(...)`.

        Args:
            branch: the number of a branch or item, from 0, or its name.
        """
        __tracebackhide__ = True
        level, op = self._pending("enters")
        if isinstance(op, Child):
            index, entered = None, op
        elif isinstance(op, FanOut):
            index = _numbered(op, branch)
            entered = op.flows[index]
        else:
            msg = f"{read(op).kind} {op.name!r} has no flow to enter: answer it with .returns(...)"
            raise UsageError(msg)
        outer = level.fiber.scope
        scope = Scope(self._execution, outer, entered.name, None, entered.name, index)
        scope.base = outer.now()
        context, lent = Context(scope), None
        if entered.borrowed is not None:
            start, lent = (lambda: entered.borrowed), entered.args[0]
        else:
            args = tuple(_handed(one, scope) for one in entered.args)
            start = lambda: entered.flow(context, *args)  # noqa: E731
        fiber = Fiber(scope, start, lent=lent)
        self._fibers.append(fiber)
        self._levels.append(Level(fiber, index))
        return self

    def ends(self, result: Any = ANY) -> Plan:
        """Expect that the flow returns.

        Args:
            result: what; anything if left out.

        Raises:
            AssertionError: it yields something, raises, or returns something else.
        """
        __tracebackhide__ = True
        wanted = "the end" if result is ANY else f"the end, with {result!r}"
        value, error, came = self._end(wanted)
        if error is not None:
            raise self._mismatch(wanted, came, ()) from error
        if result is not ANY and value != result:
            wrong = (f"result: expected {result!r}, came {value!r}",)
            raise self._mismatch(wanted, came, wrong)
        self._leave(value, None)
        return self

    def fails(self, error: type[BaseException], text: str = "") -> Plan:
        """Expect that the flow raises.

        Args:
            error: a class of errors.
            text: what its text has in it.

        Raises:
            AssertionError: it yields something, returns, or raises something else.
        """
        __tracebackhide__ = True
        wanted = error.__name__ + (f" with {text!r}" if text else "")
        _, found, came = self._end(wanted)
        if not isinstance(found, error) or text not in str(found):
            raise self._mismatch(wanted, came, ()) from found
        self._leave(None, found)
        return self

    # --- how it is driven ------------------------------------------------------------------------

    def _pending(self, method: str) -> tuple[Level, Op[Any]]:
        level = self._levels[-1]
        if level.op is None:
            msg = f".{method}(...) answers what .yields(...) has expected: write that before it"
            raise UsageError(msg)
        return level, level.op

    def _answer(self, level: Level, op: Op[Any], value: Any, error: BaseException | None) -> None:
        scope = level.fiber.scope
        if isinstance(op, Wait) and error is None:
            end = op.until or scope.now() + timedelta(seconds=op.seconds)
            scope.saw({"EndTimestamp": max(end, scope.now()), "Type": "WAIT"})
        if isinstance(op, Step) and op.compensate is not None and error is None:
            scope.compensations.append((op.name, op.compensate, op.args, value))
        level.op, level.outcomes = None, {}
        self._sent = (value, error)

    def _end(self, wanted: str) -> tuple[Any, BaseException | None, str]:
        __tracebackhide__ = True
        level = self._levels[-1]
        if level.op is not None:
            said = read(level.op)
            msg = f"{said.kind} {said.name!r} is not answered yet: write .returns(...), .raises(...) or .enters() before the end"
            raise UsageError(msg)
        value, error, came = self._run()
        if came is None:
            assert level.op is not None
            found = Word("", "").of(read(level.op))
            raise self._mismatch(wanted, f"{found}    {level.fiber.place}", ())
        return value, error, came

    def _run(self) -> tuple[Any, BaseException | None, str | None]:
        level = self._levels[-1]
        fiber, scope = level.fiber, level.fiber.scope
        value, error = self._sent
        self._sent = (None, None)
        while True:
            try:
                op = self._turn(level, value, error)
            except _Returned as returned:
                if fiber.stack:
                    value, error = returned.value, None
                    continue
                unused = scope.finished()
                if unused is not None:
                    raise unused from None
                return returned.value, None, f"it returned {returned.value!r}"
            except Exception as problem:
                if self._execution.fatal is not None:
                    raise self._execution.fatal from None
                if fiber.stack:
                    value, error = None, problem
                    continue
                where = _places.of_error(problem)
                told = f"it raised {type(problem).__name__}: {problem}"
                return None, problem, f"{told}    {where}" if where else told
            value = error = None
            if isinstance(op, GeneratorType):
                fiber.stack.append(op)
                continue
            if not isinstance(op, Op):
                raise not_an_operation(fiber, op)
            if op.scope is not scope:
                raise UsageError(foreign(fiber.place, op))
            scope.taken(op)
            if isinstance(op, Inline):
                fiber.stack.append(op.flow(*op.args))
            elif not isinstance(op, Flush):  # a flush is on no wire
                scope.position += 1
                level.op = op
                return None, None, None

    def _turn(self, level: Level, value: Any, error: BaseException | None) -> Any:
        fiber, lent = level.fiber, level.fiber.lent
        owner = None if lent is None else lent._scope  # noqa: SLF001
        if lent is not None:
            lent._scope = fiber.scope  # noqa: SLF001
        self._execution.floor = fiber.scope
        try:
            if not level.begun:
                level.begun = True
                made = fiber.start()
                made = iter(made) if isinstance(made, Op) else made
                if not isinstance(made, GeneratorType):
                    raise _Returned(made)
                fiber.stack.append(made)
                value = error = None
            generator = fiber.stack[-1]
            try:
                return generator.send(value) if error is None else generator.throw(error)
            except StopIteration as stop:
                fiber.stack.pop()
                if isinstance(stop.value, Op):
                    raise never_yielded(stop.value) from None
                raise _Returned(stop.value) from None
            except BaseException:
                fiber.stack.pop()
                raise
        finally:
            self._execution.floor = None
            if lent is not None:
                lent._scope = owner  # noqa: SLF001

    def _leave(self, value: Any, error: BaseException | None) -> None:
        """Answer the operation that the flow was entered from with how it has ended."""
        self._told.append("  " * (len(self._levels) - 1) + "the end")
        if len(self._levels) == 1:
            return
        inner = self._levels.pop()
        level = self._levels[-1]
        op = level.op
        assert op is not None
        if isinstance(op, Child):
            self._answer(level, op, value, None if error is None else _wrapped(op, error))
            return
        assert isinstance(op, FanOut)
        assert inner.index is not None
        child = op.flows[inner.index]
        if error is not None and not child.transparent:
            error = _wrapped(child, error)
        status = ItemStatus.SUCCEEDED if error is None else ItemStatus.FAILED
        level.outcomes[inner.index] = BatchItem(inner.index, child.name, status, value, error)
        if len(level.outcomes) == len(op.flows):
            items = tuple(level.outcomes[index] for index in range(len(op.flows)))
            batch = Batch(items, Reason.ALL_COMPLETED, op.name)
            try:
                self._answer(level, op, op.picked(batch), None)
            except Exception as problem:
                self._answer(level, op, None, problem)

    def _mismatch(self, expected: str, came: str, wrong: Sequence[str]) -> AssertionError:
        lines = [
            "the flow did not do what was expected next",
            f"    expected:  {expected}    {_asked()}",
            f"    came:      {came}",
            *(f"    {line}" for line in wrong),
        ]
        if self._told:
            lines += ["so far:", *(f"    {line}" for line in self._told)]
        return AssertionError("\n".join(lines))


class _Returned(Exception):  # noqa: N818 - it is no error
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def _asked() -> str:
    """Name the line of the test."""
    frame = sys._getframe(1)  # noqa: SLF001 - the test's line is what a reader looks for
    while frame.f_code.co_filename.startswith(LIBRARY) and frame.f_back is not None:
        frame = frame.f_back
    return _places.place(frame.f_code, frame.f_lineno)


def _numbered(op: FanOut[Any], branch: int | str) -> int:
    names = [one.name for one in op.flows]
    if branch in names:
        return names.index(branch)
    if isinstance(branch, int) and 0 <= branch < len(names):
        return branch
    known = ", ".join(f"{n} ({name!r})" for n, name in enumerate(names))
    msg = f"{op.noun} {op.name!r} has no branch {branch!r}; there are: {known or 'none'}"
    raise UsageError(msg)


def _given(op: Op[Any], value: Any) -> Any:
    """Make what an operation gives of what a plan says."""
    if isinstance(op, CreateCallback):
        return Callback(str(value), op.name, "", op, op.scope.made_anywhere)
    if isinstance(op, FanOut) and read(op).kind in ("map", "parallel"):
        return value if isinstance(value, Batch) else _batch(op, value)
    return value


def _batch(op: FanOut[Any], values: Any) -> Batch[Any]:
    if not isinstance(values, list | tuple) or len(values) != len(op.flows):
        msg = (
            f"{op.noun} {op.name!r} gives a Batch: .returns(...) takes one, or a list of as many "
            f"values as there are branches ({len(op.flows)}), not {values!r:.80}"
        )
        raise UsageError(msg)
    items: list[BatchItem[Any]] = []
    for index, (child, value) in enumerate(zip(op.flows, values, strict=True)):
        if isinstance(value, Raises):
            error = value.error() if isinstance(value.error, type) else value.error
            items.append(
                BatchItem(index, child.name, ItemStatus.FAILED, None, _wrapped(child, error))
            )
        else:
            items.append(BatchItem(index, child.name, ItemStatus.SUCCEEDED, value))
    return Batch(tuple(items), Reason.ALL_COMPLETED, op.name)


def _wrapped(op: Op[Any], error: BaseException) -> BaseException:
    """Make what an operation raises in a flow of what it has failed with."""
    wrapper = WRAPPERS.get(read(op).kind)
    through = wrapper is errors.CallbackFailed and read(op).kind == "wait_for_callback"
    if wrapper is None or isinstance(error, errors.OperationFailed if through else wrapper):
        return error
    made = rebuild(describe(error), wrapper, op.name or "")
    made.__cause__ = error
    return made
