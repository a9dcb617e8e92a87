"""What the kernel keeps: fibers, tasks, and the errors for flows that go wrong in a generator's ways."""

from __future__ import annotations

from inspect import isasyncgen, iscoroutine
from types import CodeType, GeneratorType
from typing import Any

from attrs import define, field

from durable_gen import _places
from durable_gen._check import shown
from durable_gen._fanout import Tally
from durable_gen._kinds import Kind
from durable_gen._ops import Op
from durable_gen._scope import Scope, never_yielded
from durable_gen.errors import UsageError


@define(eq=False)
class Fiber:
    """One stack of generators being driven.

    Attributes:
        scope: its id space.
        start: the flow and its arguments, until it first has the floor.
        task: the operation whose flow it is; None for the handler's.
        stack: the generators, the one that runs last.
        lent: a context of another scope that its generator was made with.
        waits: the task that it waits for.
        dead: whether nobody wants to know how it ends.
    """

    scope: Scope
    start: tuple[Any, ...]
    task: Task | None = None
    stack: Any = ()  # a list, once it has begun
    lent: Any = None
    waits: Task | None = None
    dead: bool = False

    def begin(self) -> Any:
        """Call the flow; gives its generator, or its value."""
        start, self.start = self.start, ()
        return start[0](*start[1:])

    @property
    def place(self) -> str:
        """The user's line that it is at; inside a recipe, the line that waits for it."""
        if not self.stack:
            return "before its first line"
        for generator in reversed(self.stack):
            if not _places.of_ours(generator.gi_code):
                return _places.of_generator(generator)
        if self.task is not None:
            return self.task.place
        return _places.of_function(self.scope.execution.flow)  # it returned its one operation


@define(eq=False)
class Team:
    """The branches of one fan-out.

    Attributes:
        tally: how far they are.
        scope: their id space.
        begun_before: whether an earlier invocation began all of them.
        branches: their tasks.
        settled: whether nothing more may come of them.
    """

    tally: Tally
    scope: Scope
    begun_before: bool
    branches: list[Task] = field(factory=list)
    settled: bool = False


@define(eq=False)
class Task:
    """One operation that was come to.

    Attributes:
        op: what was yielded.
        kind: how it behaves; None for a flush, which is on no wire.
        id: its id.
        scope: where it was yielded.
        fiber: who waits for it; None for a branch.
        owner: the fan-out of which it is a branch.
        index: its place there.
        recorded: whether it is on the wire at all.
        again: whether it is over, and only finds its result again.
        text: the value that it was settled with.
        live: the exception that it was settled with.
        team: its branches, if it is a fan-out.
        body: the fiber of its flow.
        over: whether it has ended, or is no longer wanted.
        calling: the call of it that is in flight.
        until: when the service goes on with it, while it waits.
    """

    op: Any
    kind: Kind | None
    id: str
    scope: Scope
    fiber: Fiber | None = None
    owner: Task | None = None
    index: int | None = None
    recorded: bool = True
    again: bool = False
    text: str | None = None
    live: BaseException | None = None
    team: Team | None = None
    body: Fiber | None = None
    over: bool = False
    calling: Any = None
    until: Any = None

    @property
    def parent_id(self) -> str | None:
        """The id of the context that it is in."""
        return self.scope.parent_id

    @property
    def place(self) -> str:
        """The user's line at which it is waited for."""
        task = self
        while task.fiber is None and task.owner is not None:
            task = task.owner
        return task.fiber.place if task.fiber is not None else "an unknown place"

    def cut(self) -> list[Fiber]:
        """Part with the fibers that run inside it: they know it, and would be garbage in a circle."""
        bodies = [self.body] if self.body is not None else []
        self.body = None
        if self.team is not None:
            bodies += [branch.body for branch in self.team.branches if branch.body is not None]
            self.team.branches = []
        return bodies


def not_an_operation(fiber: Fiber, value: Any) -> UsageError:
    """Make the error for a yield of something that cannot be yielded."""
    what = _closed(value) if iscoroutine(value) else shown(value)
    if isinstance(value, (list, tuple)) and any(isinstance(one, Op) for one in value):
        hint = (
            "    wrong:  yield [ctx.step(a), ctx.step(b)]\n"
            "    right:  yield from ctx.all(ctx.step(a), ctx.step(b))"
        )
    else:
        hint = (
            "    wrong:  yield charge(order)\n"
            '    right:  yield from ctx.step("charge", charge, order)'
        )
    msg = f"{fiber.place}: yielded {what}, which is not an operation:\n{hint}"
    return UsageError(msg)


def returned_undriven(fiber: Fiber, value: Any, code: CodeType | None) -> UsageError:
    """Make the error for a flow that returns what it should have yielded from.

    Args:
        fiber: the flow's.
        value: what it returned.
        code: the code of the generator that did; None for a flow that is a plain function.
    """
    flow = fiber.task.op.flow if fiber.task is not None else fiber.scope.execution.flow
    where = _places.place(code, code.co_firstlineno) if code else _places.of_function(flow)
    if isinstance(value, Op):
        return never_yielded(value)
    if isinstance(value, GeneratorType):
        name = value.gi_code.co_name
        value.close()
        msg = (
            f"{where}: returned the generator {name}(...) without running it:\n"
            f"    wrong:  return {name}(ctx)\n"
            f"    right:  return (yield from {name}(ctx))"
        )
        return UsageError(msg)
    msg = f"{where}: returned {_closed(value)}; {NO_ASYNC}"
    return UsageError(msg)


def used_up(fiber: Fiber, generator: Any) -> UsageError:
    """Make the error for a generator that is to run a second time."""
    name = generator.gi_code.co_name
    msg = (
        f"{fiber.place}: the generator {name}(...) runs already, or has run; a generator runs once:\n"
        f"    wrong:  one = {name}(ctx); yield one; yield one\n"
        f"    right:  yield {name}(ctx); yield {name}(ctx)"
    )
    return UsageError(msg)


NO_ASYNC = (
    "a flow is a generator, only its steps may be async:\n"
    "    wrong:  async def handler(event, ctx): await charge(event)\n"
    '    right:  def handler(event, ctx): yield from ctx.step("charge", charge, event)'
)


def _closed(value: Any) -> str:
    if iscoroutine(value):
        value.close()
        return f"the coroutine {value.__qualname__}(...)"
    if isasyncgen(value):
        return f"the async generator {value.__qualname__}(...)"
    return f"{type(value).__name__}, which must be awaited"
