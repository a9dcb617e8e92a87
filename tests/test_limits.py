"""The service's limits, one byte below, at, and one byte above."""

import json

import pytest

from durable_gen import UsageError, durable
from durable_gen._model import Action, Change, Update
from durable_gen._outbox import NOTE, Outbox
from replays import failure, log
from stub import Stub, event, result

KIB = 1024
MIB = 1024 * KIB
AROUND = pytest.mark.parametrize("over", [-1, 0, 1], ids=["below", "at", "above"])


def text(size):
    """Make a text whose JSON takes so many bytes; the last one is part of an é."""
    return "x" * (size - 4) + "é"


def test_text_of_these_tests_is_counted_in_bytes():
    """A limit counts bytes: the texts here are one shorter in characters."""
    assert 100 == len(json.dumps(text(100), ensure_ascii=False).encode())
    assert 99 == len(json.dumps(text(100), ensure_ascii=False))


MAKERS = {
    "step": lambda ctx, value: ctx.step("load", lambda: value, retry=None),
    "step at most once": lambda ctx, value: ctx.step("load", lambda: value),
    "condition": lambda ctx, value: ctx.wait_for_condition("load", lambda _: value),
}


@AROUND
@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_value_of_an_operation_takes_1_mib(maker, over):
    """It is refused by name before it is sent, and the workflow can catch that."""
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        return len((yield maker(ctx, text(MIB + over))))

    envelope = handler(event())
    if over > 0:
        name, message = failure(envelope)
        assert "PayloadTooLarge" == name
        assert f"'load': its value takes {MIB + 1} bytes as text" in message
        assert "FAIL" == stub.updates[-1]["Action"]
    else:
        assert MIB + over - 3 == result(envelope)
    sizes = [len(one.get("Payload", "").encode()) for one in stub.updates]
    assert max(sizes) <= MIB


@AROUND
def test_payload_of_an_invoke_takes_1_mib(over):
    """It is refused by name before it is sent."""
    stub = Stub()
    handler = durable(backend=stub)(
        lambda event, ctx: ctx.invoke("ask", "other:1", text(MIB + over))
    )
    if over > 0:
        name, message = failure(handler(event()))
        assert "PayloadTooLarge" == name
        assert message.startswith(f"the payload of invoke 'ask' takes {MIB + 1} bytes as text")
        assert [] == stub.updates
    else:
        assert {"Status": "PENDING"} == handler(event())
        assert MIB + over == len(stub.updates[0]["Payload"].encode())


def nested(value):
    return lambda child: child.step("make", lambda: value)


@AROUND
def test_result_of_a_child_above_256_kib_is_found_again_by_what_is_inside(over):
    """Its record says ReplayChildren and holds no result; on replay it is the same."""

    def flow(event, ctx):
        return len((yield ctx.child("load", nested(text(256 * KIB + over)))))

    stub = Stub()
    assert 256 * KIB + over - 3 == result(durable(backend=stub)(flow)(event()))
    end = stub.updates[-1]
    assert {"ReplayChildren": over > 0} == end["ContextOptions"]
    assert ("" if over > 0 else json.dumps(text(256 * KIB + over), ensure_ascii=False)) == end[
        "Payload"
    ]
    again = Stub()
    assert 256 * KIB + over - 3 == result(durable(backend=again)(flow)(event(*log(stub))))
    assert [] == again.calls


@AROUND
def test_result_of_a_map_above_256_kib_is_stored_as_a_summary(over):
    """The items are found again by their own records."""

    def flow(event, ctx):
        halves = [100 * KIB, size - 100 * KIB]
        batch = yield ctx.map("load", halves, lambda child, n: child.step("make", text, n))
        return [len(value) for value in batch.values]

    size, stub = 200 * KIB, Stub()
    durable(backend=stub)(flow)(event())
    frame = len(stub.updates[-1]["Payload"].encode()) - size  # what a batch takes beside its values
    size, stub = 256 * KIB - frame + over, Stub()
    expected = result(durable(backend=stub)(flow)(event()))
    end = stub.updates[-1]
    assert {"ReplayChildren": over > 0} == end["ContextOptions"]
    assert (len(end["Payload"].encode()) < KIB) == (over > 0)
    again = Stub()
    assert expected == result(durable(backend=again)(flow)(event(*log(stub))))
    assert [] == again.calls


@AROUND
def test_result_of_a_handler_takes_6_mib(over):
    """The service keeps no more of an execution's result."""
    stub = Stub()
    envelope = durable(backend=stub)(lambda event, ctx: text(6 * MIB + over))(event())
    if over > 0:
        name, message = failure(envelope)
        assert "PayloadTooLarge" == name
        assert message.startswith(f"the handler's result takes {6 * MIB + 1} bytes as text")
    else:
        (update,) = stub.updates  # the envelope has no room for it
        assert ("EXECUTION", "SUCCEED") == (update["Type"], update["Action"])
        assert 6 * MIB + over == len(update["Payload"].encode())
        assert {"Status": "SUCCEEDED", "Result": ""} == envelope


@AROUND
def test_envelope_above_6_mib_less_50_goes_by_checkpoint(over):
    """Lambda's answer is bounded, with its frame and its escapes."""
    frame = len(json.dumps({"Status": "SUCCEEDED", "Result": '""'}, separators=(",", ":")))
    value = "x" * (6 * MIB - 50 - frame + over)
    stub = Stub()
    envelope = durable(backend=stub)(lambda event, ctx: value)(event())
    assert (1 if over > 0 else 0) == len(stub.updates)
    assert (envelope["Result"] == "") == (over > 0)


def update(id_, size):
    """Make an update of so many bytes, encoded."""
    one = Update(id_, "STEP", "Step", "x", None, Change(Action.SUCCEED, ""))
    return Update(id_, "STEP", "Step", "x", None, Change(Action.SUCCEED, "x" * (size - one.size)))


@AROUND
def test_checkpoint_takes_750_kib_encoded(over):
    """What is over goes with the next one; quotes and letters beyond ASCII count as they are sent."""
    outbox = Outbox()
    outbox.add(update("a", 700 * KIB), NOTE, None)
    outbox.add(update("b", 50 * KIB + over), NOTE, None)
    assert (1 if over > 0 else 2) == len(outbox.take())


@pytest.mark.parametrize(("letter", "size"), [("x", 1), ('"', 2), ("\n", 2), ("é", 6), ("𝄞", 12)])
def test_letter_counts_as_botocore_writes_it(letter, size):
    """JSON in ASCII."""
    one, two = (
        Update("a", "STEP", "Step", None, None, Change(Action.SUCCEED, letter * n)) for n in (1, 2)
    )
    assert size == two.size - one.size


@pytest.mark.parametrize("count", [249, 250, 251])
def test_checkpoint_takes_250_updates(count):
    """What is over goes with the next one."""
    outbox = Outbox()
    for n in range(count):
        outbox.add(update(str(n), 500), NOTE, None)
    assert min(count, 250) == len(outbox.take())


@AROUND
def test_name_takes_256_characters(over):
    """It is refused where the operation is made."""
    handler = durable(backend=Stub())(lambda event, ctx: ctx.step("n" * (256 + over), int))
    if over > 0:
        name, message = failure(handler(event()))
        assert UsageError.__name__ == name
        assert "an operation's name must be 1 to 256 printable ASCII characters" in message
    else:
        assert 0 == result(handler(event()))
