"""Random workflows: programs as data, the flow that runs one, and the world that its steps act on."""

from __future__ import annotations

import asyncio
from typing import Any

from attrs import define, field, frozen
from hypothesis import strategies as st

from durable_gen import OperationFailed, Retry, current_step, durable_error

RETRY = Retry(max_attempts=3, initial=1, jitter="none")
WAYS = ("inline", "thread", "loop")


@durable_error
class BrokenError(Exception):
    """What a step of a program raises."""


@frozen
class Step:
    value: int
    failures: int = 0  # attempts that raise before one succeeds; three are the end of it
    yields: int = 0  # turns of the event loop that an async one takes


@frozen
class Wait:
    seconds: int


@frozen
class Child:
    body: tuple
    virtual: bool = False


@frozen
class Fan:
    bodies: tuple
    limit: int | None = None
    flat: bool = False


@frozen
class All:
    bodies: tuple


@frozen
class Try:
    body: tuple
    last: tuple  # in `finally`
    catch: bool = True


@frozen
class Raise:
    text: str


@frozen
class Batch:
    body: tuple


steps = st.builds(Step, st.integers(0, 9), st.sampled_from([0, 0, 0, 1, 3]), st.integers(0, 3))
safe = st.builds(Step, st.integers(0, 9), st.sampled_from([0, 0, 1]), st.integers(0, 3))
calm = st.lists(st.one_of(safe, st.builds(Wait, st.integers(1, 90))), max_size=3).map(tuple)
leaves = st.one_of(steps, steps, st.builds(Wait, st.integers(1, 90)))


def _grown(parts: st.SearchStrategy) -> st.SearchStrategy:
    body = st.lists(parts, max_size=3).map(tuple)
    bodies = st.lists(body, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Child, body, st.booleans()),
        st.builds(Fan, bodies, st.sampled_from([None, 1, 2]), st.booleans()),
        st.builds(All, st.lists(calm, max_size=3).map(tuple)),  # which error is first may vary
        st.builds(Try, body, body, st.booleans()),
        st.builds(Batch, st.lists(steps, max_size=3).map(tuple)),
        st.builds(Raise, st.sampled_from(["one", "two"])),
    )


programs = st.lists(st.recursive(leaves, _grown, max_leaves=8), min_size=1, max_size=4).map(tuple)


@define
class World:
    """What the steps of one run did: the paths of those that ran, in order.

    Attributes:
        way: how steps are run.
        before: called when a step begins.
        say: told of each place that a flow comes to.
    """

    way: str
    before: Any = None
    say: Any = None
    ran: list[str] = field(factory=list)

    def act(self, step: Step) -> int:
        info = current_step()
        if self.before is not None:
            self.before(info)
        self.ran.append(info.path)
        if info.attempt <= step.failures:
            raise BrokenError(info.path, info.attempt)
        return step.value

    def note(self, value: Any) -> str:
        """Do a step that depends on what the flow has seen."""
        if self.before is not None:
            self.before(current_step())
        return repr(value)

    def operation(self, ctx: Any, step: Step) -> Any:
        if self.way == "loop":

            async def act() -> int:
                for _ in range(step.yields):
                    await asyncio.sleep(0)
                return self.act(step)

            return ctx.step("act", act, retry=RETRY)
        timeout = 60 if self.way == "thread" else None  # a step with a timeout gets a thread
        return ctx.step("act", self.act, step, retry=RETRY, timeout=timeout)


def run(ctx: Any, program: tuple, world: World, where: str = "") -> Any:
    """Run a program; its result tells all that it saw."""
    seen: list[Any] = []
    for n, part in enumerate((*program, None)):
        if world.say is not None:
            world.say(f"{ctx._scope.prefix} {where}{n}")
        match part:
            case Step():
                seen.append((yield world.operation(ctx, part)))
            case Wait(seconds):
                yield ctx.wait("pause", seconds=seconds)
                seen.append("waited")
            case Child(body, virtual):
                seen.append((yield ctx.child("child", run, body, world, virtual=virtual)))
            case Fan(bodies, limit, flat):
                batch = yield ctx.map(
                    "fan",
                    bodies,
                    lambda child, body: run(child, body, world),
                    max_concurrency=limit,
                    nesting="flat" if flat else "nested",
                )
                seen.append([str(item.error) if item.error else item.value for item in batch])
            case All(bodies):
                ops = [ctx.child("one", run, body, world) for body in bodies]
                seen.append(list((yield ctx.all(*ops))))
            case Try(body, last, catch):
                try:
                    seen.append((yield run(ctx, body, world, f"{where}{n}.")))
                except (OperationFailed, BrokenError) as error:
                    if not catch:
                        raise
                    seen.append(f"{type(error).__name__}: {error}")
                finally:
                    seen.append((yield run(ctx, last, world, f"{where}{n}!")))
            case Raise(text):
                raise BrokenError(text)
            case Batch(body):
                with ctx.batch():
                    seen.append((yield run(ctx, body, world, f"{where}{n}:")))
    return seen
