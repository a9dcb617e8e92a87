"""Drives one flow without a kernel, from one operation to the next."""

from __future__ import annotations

from types import GeneratorType
from typing import Any

from attrs import define, field

from durable_gen import _places
from durable_gen._fibers import Fiber, not_an_operation
from durable_gen._ops import Flush, Inline, Op
from durable_gen._results import BatchItem
from durable_gen._scope import foreign, never_yielded
from durable_gen.errors import UsageError

Sent = tuple[Any, BaseException | None]


@define(eq=False)
class Level:
    """One flow on the way: that of a plan, or one that was entered from it.

    Attributes:
        fiber: its generators and its scope.
        index: its place among the branches of the operation that it was entered from.
        op: what it has yielded, and is not answered yet.
        outcomes: how the branches of that have ended, that were entered.
        sent: the value or the error that it hears next.
        begun: whether it has run at all.
    """

    fiber: Fiber
    index: int | None = None
    op: Op[Any] | None = None
    outcomes: dict[int, BatchItem[Any]] = field(factory=dict)
    sent: Sent = (None, None)
    begun: bool = False

    def run(self) -> tuple[Any, BaseException | None, str | None]:
        """Run on to the next operation, or to the end.

        Returns:
            What the flow has returned, what it has raised, and a text that says so; the text is None
            when `op` is what it has yielded.

        Raises:
            UsageError: it does what the kernel would refuse.
        """
        fiber, scope, execution = self.fiber, self.fiber.scope, self.fiber.scope.execution
        value, error = self.sent
        self.sent = (None, None)
        while True:
            try:
                op = self._turn(value, error)
            except _Returned as returned:
                if fiber.stack:
                    value, error = returned.value, None
                    continue
                unused = scope.finished()
                if unused is not None:
                    raise unused from None
                return returned.value, None, f"it returned {returned.value!r}"
            except Exception as problem:
                if execution.fatal is not None:
                    raise execution.fatal from None
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
                self.op = op
                return None, None, None

    def _turn(self, value: Any, error: BaseException | None) -> Any:
        fiber, lent = self.fiber, self.fiber.lent
        owner = None if lent is None else lent._scope  # noqa: SLF001
        if lent is not None:
            lent._scope = fiber.scope  # noqa: SLF001
        fiber.scope.execution.floor = fiber.scope
        try:
            if not self.begun:
                self.begun = True
                made = fiber.begin()
                made = iter(made) if isinstance(made, Op) else made
                if not isinstance(made, GeneratorType):
                    raise _Returned(made)
                fiber.stack = [made]
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
            fiber.scope.execution.floor = None
            if lent is not None:
                lent._scope = owner  # noqa: SLF001


class _Returned(Exception):  # noqa: N818 - it is no error
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value
