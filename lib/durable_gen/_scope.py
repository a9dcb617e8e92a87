"""One id space: where the operations of a flow are counted, and what belongs to that flow alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from attrs import define, field

from durable_gen import _places
from durable_gen._budget import Meter, Usage
from durable_gen._dialect import Dialect
from durable_gen._effects import running
from durable_gen._ids import operation_id
from durable_gen._log import Log
from durable_gen._model import Raw, Type, instant
from durable_gen._ops import Op
from durable_gen.errors import DurableError, UsageError


@define(eq=False)
class Execution:
    """What all scopes of one invocation share.

    Attributes:
        arn: the execution's ARN.
        started: when the execution was started.
        log: what earlier invocations did.
        dialect: the wire's words.
        listener: who hears of operations and log messages; None for nobody.
        hooks: what tells plugins; None without any.
        updated: ids of operations that ended from outside since the last invocation.
        retry: the retry policy of steps that name none.
        lambda_context: what Lambda gave the handler.
        flow: the handler's flow.
        floor: the scope whose flow has the floor: only its operations may be made.
        beside: whether steps may run while a flow has the floor.
        meter: counts what the invocation uses.
        fatal: a fault of the code that ends the invocation, whatever the workflow does with it.
    """

    arn: str
    started: datetime
    log: Log
    dialect: Dialect
    listener: Any = None
    retry: Any = None
    lambda_context: Any = None
    flow: Callable[..., Any] | None = None
    floor: Scope | None = None
    beside: bool = False
    hooks: Any = None
    updated: AbstractSet[str] = frozenset()
    meter: Meter = field(factory=Meter)
    fatal: DurableError | None = None

    def usage(self) -> Usage:
        """Say what has been used so far."""
        return self.meter.usage(self.log)

    def fail(self, error: DurableError) -> DurableError:
        """End the invocation with a fault of the code, which the workflow cannot catch."""
        self.fatal = self.fatal or error
        return error


# The execution whose invocation runs here, if one does.
invoked: ContextVar[Execution | None] = ContextVar("durable_gen_execution", default=None)


@define(eq=False)
class Scope:
    """One id space.

    Attributes:
        execution: what it shares with the others.
        outer: the scope that its context stands in; None at the root.
        prefix: the id that its operations' ids are made from.
        parent_id: the id of the nearest context that has a record.
        name: its context's name; "" where the path is not to have it.
        index: its place among the branches or items.
        position: how many operations it has come to.
        over: why it may no longer be used, once that is so.
        virtual: whether its context has no record, and stands in its outer flow alone.
        again: whether its context is over, and its flow only finds again what it gave.
        batch: how many `with ctx.batch()` it is in.
        fresh: the operation made last, unless it was yielded.
        others: those made before it since the last turn; None for none.
        held: operations made before it, and not yielded yet; None for none.
        latest: the record that its flow saw last; the execution's clock is read from it.
        base: the clock when it was opened.
        earlier: whether an earlier invocation went on from the operation that its flow saw last.
        text: what was kept of the operation that its flow saw last.
        compensations: what `ctx.compensate()` would run; None for nothing.
    """

    execution: Execution
    outer: Scope | None = None
    prefix: str | None = None
    parent_id: str | None = None
    name: str | None = None
    index: int | None = None
    position: int = 0
    over: str | None = None
    virtual: bool = False
    again: bool = False
    batch: int = 0
    fresh: Any = None
    others: list[Op[Any]] | None = None
    held: dict[int, Op[Any]] | None = None
    latest: Raw | None = None
    base: datetime | None = None
    earlier: bool = False
    text: str | None = None
    drawn: tuple[int, int] = (0, 0)
    compensations: list[tuple[str | None, Callable[..., Any], tuple[Any, ...], Any]] | None = None

    @property
    def path(self) -> str:
        """The names from the root to here."""
        names: list[str] = []
        scope: Scope | None = self
        while scope is not None and scope.outer is not None:
            if scope.name != "":
                names.append(scope.name or f"#{scope.outer.position}")
            scope = scope.outer
        return "/".join(reversed(names))

    def path_of(self, name: str | None) -> str:
        """Name an operation in it by the names from the root."""
        path = self.path
        own = name or f"#{self.position}"
        return f"{path}/{own}" if path else own

    def replaying(self) -> bool:
        """Tell whether the log holds the operation that comes next: then this was here before."""
        unread = self.execution.log.unread
        scope: Scope | None = self
        while scope is not None:
            if scope.earlier or scope.again:
                return True
            following = operation_id(scope.prefix, scope.position + 1)
            if following in unread or operation_id(following, 1) in unread:  # a virtual context's
                return True
            scope = scope.outer if scope.virtual else None  # what follows it is its outer flow's
        return False

    def went_on(self, *, earlier: bool) -> None:
        """Note whether an earlier invocation went on from an operation that its flow has come to."""
        self.earlier = earlier
        scope: Scope | None = self
        while scope is not None and scope.virtual:
            scope = scope.outer
            if scope is not None:
                scope.earlier = earlier

    def now(self) -> datetime:
        """Read the execution's clock: when the last thing happened that this flow knows of."""
        scope: Scope | None = self
        latest = self.execution.started
        while scope is not None:
            ended = instant(scope.latest.get("EndTimestamp")) if scope.latest is not None else None
            if ended is not None or scope.base is not None:
                return max(time for time in (ended, scope.base, latest) if time is not None)
            scope = scope.outer
        return latest

    def saw(self, raw: Raw) -> None:
        """Move the clock to the end of an operation that this flow has waited for."""
        if not self.batch and raw.get("EndTimestamp") is not None:
            if raw.get("Type") == Type.CALLBACK:  # answered long ago, perhaps
                self.base = self.now()
            self.latest = raw

    def draw(self) -> str:
        """Name a draw of a random value, by where in the flow it is made."""
        at, count = self.drawn
        self.drawn = (self.position, count + 1 if at == self.position else 1)
        return f"{self.execution.arn}|{self.prefix or ''}|{self.position}|{self.drawn[1]}"

    def made(self, op: Op[Any], depth: int = 2) -> None:
        """Take in an operation that was just made.

        Raises:
            UsageError: this scope's flow does not have the floor: the operation was made inside a
                step, in another context's flow, or after the end.
        """
        frame = sys._getframe(depth)  # noqa: SLF001 - 100 ns for the line of a mistake
        op.scope, op.code, op.at = self, frame.f_code, frame.f_lasti
        execution = self.execution
        if execution.floor is not self or (execution.beside and running.get() is not None):
            raise self.misuse(op)
        if self.fresh is not None:
            if self.others is None:
                self.others = []
            self.others.append(self.fresh)
        self.fresh = op

    def made_anywhere(self, op: Op[Any]) -> None:
        """Take in an operation that any flow may yield: the answer to a callback."""
        (self.execution.floor or self).made(op, depth=3)

    def misuse(self, op: Op[Any]) -> DurableError:
        """Make the error for an operation made out of turn, and end the invocation with it."""
        what = method(op)
        where = _places.of_site(op.site)
        if self.over is not None:
            msg = f"{where}: {what} was called on a context that is over ({self.over})"
            return self.execution.fail(UsageError(msg))
        step = running.get()
        if step is not None:
            msg = (
                f"{where}: {what} was called inside step {step.path!r}. A step does its work by "
                "itself; operations are made and yielded by the flow:\n"
                '    wrong:  yield ctx.step("charge", lambda: ctx.step("reserve", reserve))\n'
                '    right:  yield ctx.step("reserve", reserve)\n'
                '            yield ctx.step("charge", charge)'
            )
            return self.execution.fail(UsageError(msg))
        msg = (
            f"{where}: {what} was called while the flow of its context "
            f"({self.path or 'the handler'}) was not running: in the flow of another "
            "context. Only a flow makes operations, with the context that it was given:\n"
            '    wrong:  yield ctx.child("payment", lambda child: ctx.step(charge))\n'
            '    right:  yield ctx.child("payment", lambda child: child.step(charge))'
        )
        return self.execution.fail(UsageError(msg))

    def taken(self, op: Op[Any]) -> None:
        """Note that an operation was yielded, and see that none was dropped before it.

        Raises:
            UsageError: an operation was made, never yielded, and is held by nobody.
        """
        if self.fresh is op and self.others is None and self.held is None:
            self.fresh = None
            return
        used = _with_inner(op)
        waiting = [one for one in self._latest() if id(one) not in used]
        self.fresh = self.others = None
        held = self.held or {}
        for one_id in used:
            held.pop(one_id, None)
        while waiting:
            one = waiting.pop()
            if sys.getrefcount(one) <= UNHELD:
                raise self.execution.fail(never_yielded(one))
            held[id(one)] = one
        self.held = held or None

    def finished(self) -> UsageError | None:
        """Say what was made in it and never yielded, at its end."""
        made = [*(self.held or {}).values(), *reversed(self._latest())]
        return never_yielded(made[0]) if made else None

    def _latest(self) -> list[Op[Any]]:
        """List what was made since the last turn, the last first."""
        made = [] if self.fresh is None else [self.fresh]
        return made if self.others is None else [*made, *reversed(self.others)]


def _with_inner(op: Op[Any]) -> set[int]:
    found: set[int] = set()
    stack = [op]
    while stack:
        one = stack.pop()
        found.add(id(one))
        stack.extend(one.inner())
    return found


def _references() -> int:
    waiting: list[Op[Any]] = [Op(None)]
    one = waiting.pop()
    return sys.getrefcount(one)


UNHELD = _references()  # what `taken` counts for an operation that nobody holds


def method(op: Op[Any]) -> str:
    """Write the call that makes an operation."""
    if op.call:
        return op.call
    return f"ctx.{op.noun}({op.name!r})" if op.name else f"ctx.{op.noun}(...)"


def foreign(where: str, op: Op[Any]) -> str:
    """Say that a flow yielded an operation that was made with another context."""
    return (
        f"{where}: {method(op)} was created with the context of another flow "
        f"({_places.of_site(op.site)}). A flow yields the operations of the context that it was "
        "given:\n"
        '    wrong:  yield ctx.child("payment", lambda child: ctx.step(charge))\n'
        '    right:  yield ctx.child("payment", lambda child: child.step(charge))'
    )


def never_yielded(op: Op[Any]) -> UsageError:
    """Make the error for an operation that was made and never yielded."""
    call = method(op)
    msg = (
        f"{_places.of_site(op.site)}: {call} was created and never yielded, so it never ran:\n"
        f"    wrong:  {call}\n"
        f"    right:  yield from {call}"
    )
    return UsageError(msg)
