"""What a run did, as the kit sees it: what its flows yielded and saw, and whose functions ran."""

from __future__ import annotations

import dis
from collections import ChainMap, Counter
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from types import CodeType
from typing import Any

from attrs import define, field, frozen

from durable_gen import _places
from durable_gen._effects import Call
from durable_gen._fibers import Fiber
from durable_gen._ids import operation_id
from durable_gen._kernel import Kernel
from durable_gen._ops import CallbackResult, FanOut, Inline, Op, Semantics, Step, label
from durable_gen._ops import Flush as FlushOp
from durable_gen.testing import _source
from durable_gen.testing._text import said, text

place_of = lru_cache(_places.of_site)


@frozen
class Sight:
    """An operation that a flow yielded.

    Attributes:
        line: the user's line.
        title: what it is, and its name.
        said: what else it says, as text.
    """

    line: str
    title: str
    said: Mapping[str, str]


@frozen
class Changed:
    """A variable of a flow that a step has changed.

    Attributes:
        step: the step's path.
        name: the variable's; None for an argument.
        line: where.
    """

    step: str
    name: str | None
    line: str

    def __str__(self) -> str:
        what = f"the flow's variable `{self.name}`" if self.name else "one of its arguments"
        return (
            f"{self.line}: step {self.step!r} changes {what}. A replay does not run the step,\n"
            "  so it finds what was there before: return the new value from the step instead"
        )


@define(eq=False)
class Trace:
    """What one run did.

    Attributes:
        sights: by their ids, the operations that its flows yielded, as they first did.
        close: whether what operations say is kept too, and what steps change is looked for.
        strict: whether what flows see is compared from one invocation to the next.
        runs: by their paths, how often the functions of steps ran.
        ended: ids of operations whose end is recorded.
        spent: whether an invocation runs whose event was delivered before.
        faults: what must never happen, and did.
        standing_in: calls that are none of the user's functions.
        unrun: generators that were made and never run.
        changed: variables that steps changed.
        codes: the code of the flows that ran.
        racy: whether a flow asks for the first of several.
        early: whether a fan-out ends early when branches fail.
        returned: the code of the generator that the latest invocation ended with.
        seen: what flows were resumed with, by operations.
        attempts: how often each attempt of a step has begun.
        lines: by ids, where operations were made.
    """

    close: bool = False
    strict: bool = False
    sights: dict[str, Sight] = field(factory=dict)
    lines: dict[str, Any] = field(factory=dict)
    runs: Counter[str] = field(factory=Counter)
    ended: set[str] = field(factory=set)
    spent: bool = False
    faults: list[str] = field(factory=list)
    standing_in: set[Call] = field(factory=set)
    unrun: list[str] = field(factory=list)
    changed: list[Changed] = field(factory=list)
    codes: dict[CodeType, None] = field(factory=dict)
    seen: dict[str, str] = field(factory=dict)
    attempts: Counter[tuple[str, int]] = field(factory=Counter)
    racy: bool = False
    early: bool = False
    returned: CodeType | None = None

    def line(self, id: str) -> str:  # noqa: A002 - the wire's word
        """Name the user's line of an operation; "" where none is known."""
        site = self.lines.get(id)
        return "" if site is None else place_of(site)

    # --- what flows do ---------------------------------------------------------------------------

    def yielded(self, fiber: Fiber, op: Any) -> None:
        """Take in what a flow yields."""
        for generator in _places.chain(fiber.stack[-1]) if fiber.stack else ():
            code = generator.gi_code
            fresh = code not in self.codes
            self.codes[code] = None
            if (fresh or _source.suspects(code)) and generator.gi_frame is not None:
                frame = generator.gi_frame
                self._unrun(_source.never_run(code, ChainMap(frame.f_locals, frame.f_globals)))
        if not isinstance(op, Op):
            return
        self._unrun(_source.given_unrun(op))
        if isinstance(op, FanOut):
            over = op.completion
            self.racy |= over.min_successful is not None or over.predicate is not None
            self.early |= (
                over.tolerated_failures is not None or over.tolerated_percentage is not None
            )
        id_ = _id(fiber, op)
        if id_ is None:
            return
        self.lines.setdefault(id_, op.site)
        if self.close and id_ not in self.sights:
            members = {name: text(value) for name, value in said(op).items()}
            self.sights[id_] = Sight(_places.of_site(op.site), label(op), members)

    def called(self, flow: Any) -> None:
        """Take in a flow that has ended: one that is a plain function yields nothing."""
        while isinstance(flow, partial):
            flow = flow.func
        code = getattr(flow, "__code__", None)
        if code is not None and code not in self.codes:
            self.codes[code] = None
            cells = zip(code.co_freevars, flow.__closure__ or (), strict=False)
            inner = {name: _content(cell) for name, cell in cells}
            self._unrun(_source.never_run(code, ChainMap(inner, flow.__globals__)))

    def _unrun(self, problem: str | None) -> None:
        if problem is not None and problem not in self.unrun:
            self.unrun.append(problem)

    def saw(self, fiber: Fiber, value: Any, error: BaseException | None) -> None:
        """Take in what a flow is resumed with: it must be the same in every invocation."""
        task = fiber.waits
        if task is None or not self.strict:
            return
        got = text(value) if error is None else f"{text(error)}, raised"
        before = self.seen.setdefault(f"{task.id} {task.op.noun}", got)
        if got != before:
            what = f"{_places.of_site(task.op.site)}: {label(task.op)}"
            self.faults.append(f"{what} gave {before} in one invocation, and {got} in a later one")

    # --- what steps do ---------------------------------------------------------------------------

    def begins(self, call: Call) -> None:
        """Take in that the function of a step is about to run."""
        info = call.info
        op = call.task.op
        once = isinstance(op, Step) and op.semantics is Semantics.AT_MOST_ONCE
        self.attempts[info.operation_id, info.attempt] += 1
        if once and self.attempts[info.operation_id, info.attempt] > 1:
            self.faults.append(
                f"attempt {info.attempt} of the at-most-once {_step(call)} ran twice"
            )
        if self.spent:
            return
        self.runs[info.path] += 1
        if info.operation_id in self.ended:
            self.faults.append(f"{_step(call)} ran again after its end was recorded")

    def watched(self, call: Call, run: Callable[[], Any]) -> Any:
        """Run a step, and see which variables of a flow it changes."""
        if not self.close:
            return run()
        before = _held(call)
        outcome = run()
        for (name, where), value in _held(call).items():
            known = name is None or any(name in code.co_cellvars for code in self.codes)
            if known and before.get((name, where), value) != value:
                self.changed.append(Changed(call.info.path, name, where))
        return outcome

    def mutations(self) -> list[str]:
        """Say which variables of flows steps have changed, each once."""
        by = {(one.name, one.line): one for one in reversed(self.changed)}
        return [str(one) for one in reversed(by.values())]


def _id(fiber: Fiber, op: Op[Any]) -> str | None:
    """Tell the id that an operation is about to get; None if it gets none."""
    if isinstance(op, Inline | FlushOp) or op.scope is not fiber.scope:
        return None
    if isinstance(op, CallbackResult):
        return f"{op.callback.operation_id} result"
    return operation_id(fiber.scope.prefix, fiber.scope.position + 1)


def _step(call: Call) -> str:
    return f"step {call.info.path!r} ({_places.of_site(call.task.op.site)})"


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return None


def _held(call: Call) -> dict[tuple[str | None, str], str]:
    """Write what a step's function could change: variables from around it, and its arguments."""
    op = call.task.op
    fn: Any = getattr(op, "fn", None) or getattr(op, "check", None) or call.fn
    while isinstance(fn, partial):
        fn = fn.func
    found: dict[tuple[str | None, str], str] = {}
    code = getattr(fn, "__code__", None)
    if code is not None:
        for name, cell in zip(code.co_freevars, fn.__closure__ or (), strict=False):
            found[name, _stored(code, name)] = text(_content(cell))
    site = _places.of_site(call.task.op.site)
    found[None, site] = text((getattr(fn, "__self__", None), call.args))
    return found


@lru_cache
def _stored(code: CodeType, name: str) -> str:
    """Name the line where a function binds a variable from around it, or the function itself."""
    line = code.co_firstlineno
    for one in dis.get_instructions(code):
        if one.opname == "STORE_DEREF" and one.argval == name and one.positions is not None:
            line = one.positions.lineno or line
    return _places.place(code, line)


class Watched(Kernel):
    """A kernel that tells a trace what its flows do.

    Args:
        trace: the trace.
        given: what a kernel takes.
        options: what a kernel takes.
    """

    def __init__(self, trace: Trace, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.trace = trace
        if trace.strict or trace.close:
            self.shortcuts = {}  # it is told of what the log answers, too
            self.tasks.may_sleep = False

    def _turn(self, fiber: Fiber, value: Any, error: BaseException | None) -> None:
        self.trace.saw(fiber, value, error)
        super()._turn(fiber, value, error)

    def _yielded(self, fiber: Fiber, op: Any, *known: Any) -> None:
        self.trace.yielded(fiber, op)
        super()._yielded(fiber, op, *known)

    def _returned(self, fiber: Fiber, value: Any, code: CodeType | None) -> None:
        flow = fiber.task.op.flow if fiber.task is not None else fiber.scope.execution.flow
        self.trace.called(flow)
        if fiber is self.root and not fiber.stack:
            self.trace.returned = code
        super()._returned(fiber, value, code)
