"""Batches and flushes: how updates share checkpoints."""

from __future__ import annotations

import pytest

from durable_gen import durable
from replays import failure
from stub import Stub, event

ROOT_1 = "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"
STEP = {"Id": ROOT_1, "Type": "STEP", "SubType": "Step", "Name": "a"}


def steps(ctx, *names):
    for name in names:
        yield ctx.step(name, str)


def test_steps_in_a_batch_share_a_checkpoint():
    """In `with ctx.batch()` no step waits to be acknowledged."""
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        with ctx.batch():
            yield from steps(ctx, "a", "b", "c")

    handler(event())
    assert 1 == len(stub.calls)
    assert ["a", "a", "b", "b", "c", "c"] == [update["Name"] for update in stub.updates]


def test_flush_sends_what_the_batch_has():
    """ctx.flush() goes on when everything before it is acknowledged."""
    stub, seen = Stub(), []

    @durable(backend=stub)
    def handler(event, ctx):
        with ctx.batch():
            yield from steps(ctx, "a", "b")
            yield ctx.flush()
            seen.append([update["Name"] for update in stub.updates])
            yield from steps(ctx, "c")

    handler(event())
    assert [["a", "a", "b", "b"]] == seen
    assert ["c", "c"] == [update["Name"] for update in stub.calls[1]["Updates"]]


def test_flush_of_nothing_sends_nothing():
    """When everything is acknowledged there is nothing to wait for (law 12)."""
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        yield ctx.flush()
        yield ctx.step("a", str)
        yield ctx.flush()

    handler(event())
    assert 1 == len(stub.calls)


@pytest.mark.parametrize("batch", [True, False])
def test_batch_is_sent_before_a_wait(batch):
    """A suspension, an answer and the end always send what there is (law 7): no work is lost."""
    stub = Stub()

    @durable(backend=stub, batch=batch)
    def handler(event, ctx):
        yield from steps(ctx, "a")
        yield ctx.wait("nap", 30)

    assert {"Status": "PENDING"} == handler(event())
    assert ["a", "a", "nap"] == [update["Name"] for update in stub.updates]


def test_batch_is_sent_before_a_failure_is_told():
    """A workflow that fails has its finished steps recorded first."""
    stub = Stub()

    @durable(backend=stub, batch=True)
    def handler(event, ctx):
        yield from steps(ctx, "a")
        raise RuntimeError("after it")

    assert "RuntimeError" == failure(handler(event()))[0]
    assert ["STEP START a", 'STEP SUCCEED a ""', "--"] == stub.stream


def test_retry_in_a_batch_is_sent_at_once():
    """A step that is to be tried again parks, and what the batch has goes with it."""
    stub = Stub()

    def boom():
        raise RuntimeError("declined")

    @durable(backend=stub, batch=True)
    def handler(event, ctx):
        yield from steps(ctx, "a")
        yield ctx.step("b", boom)

    assert {"Status": "PENDING"} == handler(event())
    assert ["STEP START b", "STEP RETRY b RuntimeError", "--"] == stub.stream[-3:]


def test_checkpoint_takes_at_most_250_updates():
    """More than one checkpoint takes is sent in several, in order."""
    stub = Stub()

    @durable(backend=stub, batch=True)
    def handler(event, ctx):
        yield from steps(ctx, *(f"s{n}" for n in range(300)))

    handler(event())
    sizes = [len(call["Updates"]) for call in stub.calls]
    assert 600 == sum(sizes)
    assert max(sizes) <= 250
    names = [update["Name"] for update in stub.updates if update["Action"] == "START"]
    assert [f"s{n}" for n in range(300)] == names


def test_checkpoint_takes_at_most_750_kib():
    """Bytes are bounded as well as updates."""
    stub = Stub()

    @durable(backend=stub, batch=True)
    def handler(event, ctx):
        for n in range(5):
            yield ctx.step(f"s{n}", lambda: "x" * 300 * 1024)

    handler(event())
    sizes = [sum(len(u.get("Payload", "")) for u in call["Updates"]) for call in stub.calls]
    assert max(sizes) <= 750 * 1024
