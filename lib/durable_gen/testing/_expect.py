"""Drives a flow by a plan: what it yields is compared, and answered as the plan says.

The kernel is not there, so a plan sees what a flow says, and nothing of what a service would make of it.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from durable_gen import _dialect, _park, _places
from durable_gen._failure import LIBRARY
from durable_gen._fibers import Fiber
from durable_gen._log import Log
from durable_gen._ops import Child, FanOut, Op, Wait
from durable_gen._policy import Reason
from durable_gen._results import Batch, BatchItem, ItemStatus
from durable_gen._schedule import Retry
from durable_gen._scope import Execution, Scope
from durable_gen._tasks import inside
from durable_gen._values import register
from durable_gen.context import Context
from durable_gen.errors import UsageError
from durable_gen.logging import Logs
from durable_gen.testing._given import given, wrapped
from durable_gen.testing._level import Level
from durable_gen.testing._script import START
from durable_gen.testing._words import Word, misfits, read

ANY = object()


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
        given = (context, *args) if handler is None else (*args, context)  # first is the event
        self._levels = [Level(Fiber(scope, (inner, *given)))]
        self._told: list[str] = []
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
        _, _, ended = level.run()
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
        self._answer(level, op, given(op, value), None)
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
        self._answer(level, op, None, wrapped(op, error() if isinstance(error, type) else error))
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
        fiber = inside(entered, scope, Context)
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
        if error is None:
            register(scope, op, value)
        level.op, level.outcomes = None, {}
        level.sent = (value, error)

    def _end(self, wanted: str) -> tuple[Any, BaseException | None, str]:
        __tracebackhide__ = True
        level = self._levels[-1]
        if level.op is not None:
            said = read(level.op)
            msg = f"{said.kind} {said.name!r} is not answered yet: write .returns(...), .raises(...) or .enters() before the end"
            raise UsageError(msg)
        value, error, came = level.run()
        if came is None:
            assert level.op is not None
            found = Word("", "").of(read(level.op))
            raise self._mismatch(wanted, f"{found}    {level.fiber.place}", ())
        return value, error, came

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
            self._answer(level, op, value, None if error is None else wrapped(op, error))
            return
        assert isinstance(op, FanOut)
        assert inner.index is not None
        child = op.flows[inner.index]
        if error is not None and not child.transparent:
            error = wrapped(child, error)
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
