"""What a workflow may yield: inert descriptors of operations.

A descriptor does nothing. It has no id until it is yielded; two that say the same are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from datetime import datetime
from enum import Enum
from types import CodeType
from typing import Any, ClassVar, Generic, NoReturn, TypeVar

from attrs import define, field, frozen

from durable_gen._policy import Completion
from durable_gen._schedule import Poll, Retry

T_co = TypeVar("T_co", covariant=True)


class Default(Enum):
    """Says that an option was not given, where None means something."""

    DEFAULT = "default"


DEFAULT = Default.DEFAULT
RetryOption = Retry | Default | None


class Semantics(Enum):
    """How often an attempt of a step may run when an invocation is cut off in the middle of it."""

    AT_LEAST_ONCE = "at-least-once"
    AT_MOST_ONCE = "at-most-once"


@define
class Op(Generic[T_co]):
    """An operation that a workflow may yield."""

    noun: ClassVar[str] = "operation"  # the method that makes it
    word: ClassVar[str] = ""  # what it is called, where that is not its noun
    call = ""  # how it is written, where that is not `ctx.{noun}(name)`
    name: str | None
    # Who made it and where: no part of what it says.
    scope: Any = field(default=None, kw_only=True, eq=False, repr=False)
    code: CodeType | None = field(default=None, kw_only=True, eq=False, repr=False)
    at: int = field(default=0, kw_only=True, eq=False, repr=False)  # the instruction's offset

    @property
    def site(self) -> tuple[CodeType, int] | None:
        """The instruction that made it."""
        return None if self.code is None else (self.code, self.at)

    def __iter__(self) -> Generator[Op[Any], Any, T_co]:
        result: T_co = yield self
        return result

    def __await__(self) -> NoReturn:
        msg = f"write `yield from {self.noun}(...)`: an operation is yielded, not awaited"
        raise TypeError(msg)

    def inner(self) -> Sequence[Op[Any]]:
        """Return the operations that it holds."""
        return ()


@define
class Step(Op[T_co]):
    """Run a function once and keep what it returns."""

    noun = "step"
    fn: Callable[..., Any]
    args: tuple[Any, ...] = ()
    retry: RetryOption = DEFAULT
    timeout: float | None = None
    semantics: Semantics = Semantics.AT_LEAST_ONCE
    serde: Any = None
    returns: Any = None
    compensate: Callable[..., Any] | None = None


@define
class Wait(Op[None]):
    """Wait for a number of seconds, or until an instant."""

    noun = "wait"
    seconds: int = 0
    until: datetime | None = None


@define
class Condition(Op[T_co]):
    """Look at something again and again until a state of it is reached."""

    noun = "wait_for_condition"
    check: Callable[..., Any]
    initial: Any = None
    poll: Poll = field(factory=Poll)
    serde: Any = None
    returns: Any = None


@define
class CreateCallback(Op["Callback[T_co]"]):
    """Make an id by which the outside can answer."""

    noun = "callback"
    timeout: int = 0
    heartbeat: int = 0
    serde: Any = None
    returns: Any = None


@define
class CallbackResult(Op[T_co]):
    """Wait for the answer to a callback."""

    noun = "callback result"
    callback: Callback[T_co]
    call: str = field(default="", kw_only=True, eq=False, repr=False)


@frozen
class Callback(Generic[T_co]):
    """A callback that was made: hand out its `id`, then yield its `result()`.

    Attributes:
        id: by which the outside answers; unique in the account.
        name: the operation's name.
    """

    id: str
    name: str | None
    operation_id: str = field(repr=False)
    op: CreateCallback[T_co] = field(eq=False, repr=False)
    made: Callable[[Op[Any]], None] = field(eq=False, repr=False)

    def result(self) -> Op[T_co]:
        """Wait for the answer.

        Returns:
            An operation that gives the answer, read as JSON unless `serde` says otherwise.

        Raises:
            CallbackFailed: it was answered with a failure.
            CallbackTimedOut: nobody answered, or sent a heartbeat, in time.
        """
        op: Op[T_co] = CallbackResult(self.name, self, call="callback.result()")
        self.made(op)
        return op


@define
class Invoke(Op[T_co]):
    """Run another Lambda function and keep what it answers."""

    noun = "invoke"
    function: str
    payload: Any = None
    tenant_id: str | None = None
    serde: Any = None
    payload_serde: Any = None
    returns: Any = None


@define
class Child(Op[T_co]):
    """Run a flow in an id space of its own."""

    noun = "child"
    word = "child context"
    flow: Callable[..., Any]
    args: tuple[Any, ...] = ()
    serde: Any = None
    returns: Any = None
    sub_type: str | None = None  # None: the dialect's word for a child context
    virtual: bool = False
    transparent: bool = False  # errors of the operations inside pass as themselves
    borrowed: Any = None  # a generator made with the parent's context, run in this id space
    call: str = field(default="", kw_only=True, eq=False, repr=False)

    def inner(self) -> Sequence[Op[Any]]:
        """Return the operations that its flow is given to yield."""
        return [one for one in self.args if isinstance(one, Op)]


@define
class FanOut(Op[T_co]):
    """Run several flows at once."""

    noun: ClassVar[str] = "parallel"
    flows: Sequence[Child[Any]]
    pick: Callable[[Any], T_co]  # makes the result of its Batch
    max_concurrency: int | None = None
    batch_size: int | None = None
    completion: Completion = field(factory=Completion)
    sub_type: str = "Parallel"
    call: str = field(default="", kw_only=True, eq=False, repr=False)

    def inner(self) -> Sequence[Op[Any]]:
        """Return the operations that its branches are given to yield."""
        return self.flows

    def picked(self, batch: Any) -> T_co:
        """Make its result of its batch."""
        pick: Callable[[Any], T_co] = self.pick
        return pick(batch)


@define
class Map(FanOut[T_co]):
    """Run a flow for each of several items."""

    noun = "map"


@define
class Inline(Op[T_co]):
    """Run a recipe in the same id space."""

    noun = "recipe"
    flow: Callable[..., Generator[Op[Any], Any, T_co]]
    args: tuple[Any, ...] = ()
    call: str = field(default="", kw_only=True, eq=False, repr=False)


@define
class Flush(Op[None]):
    """Wait until everything before it is acknowledged."""

    noun = "flush"
    call: str = field(default="", kw_only=True, eq=False, repr=False)


def label(op: Op[Any]) -> str:
    """Call an operation by what it is and its name."""
    if op.call and isinstance(op, FanOut):
        return op.call
    word = op.word or op.noun
    return f"{word} {op.name!r}" if op.name else f"{word} without a name"


Flow = Generator[Op[Any], Any, T_co]
