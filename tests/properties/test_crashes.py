"""Crashed anywhere, any number of times, a workflow ends as if it had not been: the kernel's main law."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from attrs import define
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from programs import WAYS, Step, Wait, World, programs, run, safe
from running import Crash, Peace, drive, execute

from durable_gen import Completion, durable
from durable_gen.testing import Durable

# Many programs are suspended inside a try, more than are kept.
pytestmark = pytest.mark.filterwarnings("ignore:.*a workflow that was suspended:RuntimeWarning")

MANY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@define
class Crashes(Peace):
    """Where a run crashes: the numbers of the moments, counted over all invocations.

    A moment is before an API call, after it (its answer is lost), or at the beginning of a step.
    """

    at: frozenset[int]
    moment: int = 0
    happened: int = 0

    def begin(self, info: Any) -> None:
        self.here()

    def around(self, client: Any) -> Any:
        return Fragile(client, self)

    def here(self) -> None:
        self.moment += 1
        if self.moment in self.at:
            self.happened += 1
            raise Crash


@define
class Fragile:
    """The service's client, in a process that dies before or after a call."""

    client: Any
    crashes: Crashes

    def checkpoint_durable_execution(self, **request: Any) -> Any:
        self.crashes.here()
        answer = self.client.checkpoint_durable_execution(**request)
        self.crashes.here()
        return answer

    def get_durable_execution_state(self, **request: Any) -> Any:
        return self.client.get_durable_execution_state(**request)


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("durable_gen").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("durable_gen").setLevel(logging.NOTSET)


@pytest.mark.parametrize("way", WAYS)
@MANY
@given(program=programs, at=st.frozensets(st.integers(1, 60), max_size=5))
def test_crashed_anywhere_then_it_ends_as_uncrashed(way, program, at):
    """The result, the error and the log are those of a run that never crashed, and nothing that was
    acknowledged runs twice; the service accepts every update on the way."""
    whole = execute(program, way)
    crashes = Crashes(at)
    crashed = execute(program, way, crashes)
    event(f"crashes: {crashes.happened}")
    event(f"status: {whole.status}")
    assert whole == crashed


@MANY
@given(program=programs)
def test_run_in_any_way_then_it_ends_the_same(program):
    """Whether steps run inline, in threads or on the event loop, in whatever order they complete, the
    result and the log are the same."""
    inline, thread, loop = (execute(program, way) for way in WAYS)
    assert inline == thread == loop


def flow_of(program):
    """Make the handler of a program."""
    world = World("inline")

    @durable
    def handler(_, ctx):
        return (yield run(ctx, program, world))

    return handler


class Silent:
    """A plugin that hears nothing: for its sake every branch is entered."""


@define
class Watched(Crashes):
    """The same, while a plugin watches."""

    plugins = (Silent(),)


sleepers = st.lists(
    st.lists(st.one_of(safe, st.builds(Wait, st.integers(1, 9))), min_size=1, max_size=4),
    min_size=2,
    max_size=5,
)


@pytest.mark.parametrize("way", WAYS)
@settings(MANY, max_examples=60)
@given(branches=sleepers, inside=st.booleans(), at=st.frozensets(st.integers(1, 40), max_size=6))
def test_branches_that_sleep_then_it_ends_as_if_they_were_entered(way, branches, inside, at):
    """What is left out would have done nothing: the log is the same (law 14)."""

    def flow(ctx, world):
        def branch(child, parts):
            for part in parts:
                if isinstance(part, Step):
                    yield world.operation(child, part)
                else:
                    yield child.wait("pause", seconds=part.seconds)

        def nested(child, parts):
            yield child.child("inside", branch, parts)

        yield ctx.map("map", branches, nested if inside else branch)

    assert drive(flow, way, Watched(at)) == drive(flow, way, Crashes(at))


@settings(MANY, max_examples=15)
@given(program=programs)
def test_every_single_crash_point_then_it_ends_as_uncrashed(program):
    """Of each crash point of a program alone, the law holds too: the test kit finds none."""
    Durable().crashes(flow_of(program), freeze=False, faults=False)


@settings(MANY, max_examples=40)
@given(program=programs, seed=st.integers(0, 2**32))
def test_shaken_then_it_ends_the_same(program, seed):
    """Steps in any order that take time, deliveries that come twice and pages of one record change
    neither the status nor the result nor the error."""
    Durable().shake(flow_of(program), seed=seed, rounds=2, freeze=False)


racers = st.lists(st.one_of(safe, st.builds(Wait, st.integers(1, 5))), min_size=1, max_size=4)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["race", "any", "first", "batch"])
@settings(MANY, max_examples=40)
@given(racers=racers, at=st.frozensets(st.integers(1, 30), max_size=4))
def test_crashed_anywhere_then_a_winner_that_was_seen_stays_the_winner(way, kind, racers, at):
    """Whoever has seen the winner sees the same one in every later invocation: it was recorded before
    anyone saw it (law 9), in batch scope too."""
    seen = []

    def flow(ctx, world):
        ops = [
            world.operation(ctx, part)
            if isinstance(part, Step)
            else ctx.wait("pause", part.seconds)
            for part in racers
        ]
        if kind == "first":
            batch = yield ctx.map(
                "first",
                [(part,) for part in racers],
                lambda child, body: run(child, body, world),
                completion=Completion(min_successful=1),
            )
            won = [(str(item.status), item.value) for item in batch]
        elif kind == "batch":
            with ctx.batch():
                won = yield ctx.race(*ops)
        elif kind == "any":
            won = yield ctx.any(*ops)
        else:
            won = yield ctx.race(*ops)
        seen.append(repr(won))
        yield ctx.step("look", world.note, won)
        yield ctx.wait("nap", 3)
        return seen[-1]

    drive(flow, way, Crashes(at))
    assert 1 == len(set(seen))
