"""What is killed: functions that write down what they do, before they do it, and what was acknowledged."""

import json
import os
import random
import time

from durable_gen import InvokeFailed, Poll, Retry, Semantics, backends, current_step, durable

SOON = Retry(max_attempts=20, initial=1, backoff=1, jitter="none")
TWICE = Poll(until=lambda looks: looks >= 2, initial=1, backoff=1, jitter="none")


def tell(kind, **what):
    """Write a line that stays, whatever is killed; one that is cut off is of its own line."""
    line = json.dumps({"kind": kind, **what}).encode()
    trail = os.open(os.environ["TRAIL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    assert os.write(trail, b"\n" + line + b"\n") == len(line) + 2
    os.fsync(trail)
    os.close(trail)


class Recorded:
    """The service, as a function has it; what it has acknowledged is written down."""

    def checkpoint_durable_execution(self, **request):
        answer = backends.default().checkpoint_durable_execution(**request)
        for update in request["Updates"]:
            told = {name: update.get(name) for name in ("Id", "Action", "Payload", "Error")}
            tell("acknowledged", arn=request["DurableExecutionArn"], update=told)
        return answer

    def get_durable_execution_state(self, **request):
        return backends.default().get_durable_execution_state(**request)


durable_here = durable(backend=Recorded())


def begin():
    step = current_step()
    tell("runs", arn=step.execution_arn, id=step.operation_id, attempt=step.attempt)
    time.sleep(random.random() * 0.01)
    return step


def work():
    """Make a value that no second run would make again."""
    begin()
    return os.urandom(6).hex()


def flaky():
    if begin().attempt == 1:
        raise OSError("not yet")
    return os.urandom(6).hex()


def look(looks):
    begin()
    return looks + 1


def submit(callback_id):
    begin()
    tell("asks", callback=callback_id)


def pack(ctx, item):
    return [item, (yield from ctx.step("pack", work))]


def ship(ctx):
    label = yield from ctx.step("label", work)
    yield from ctx.wait("truck", 1)
    return [label, (yield from ctx.step("load", work))]


def payment(ctx, number):
    """Ask again when the one who was asked is killed: nobody else does it for a plain function."""
    while True:
        try:
            return (yield from ctx.invoke("pay", "pay", number))
        except InvokeFailed as error:
            if error.error_type != "Runtime.ExitError":
                raise


@durable_here
def order(number, ctx):
    first = yield from ctx.step("first", work)
    once = yield from ctx.step("once", flaky, retry=SOON, semantics=Semantics.AT_MOST_ONCE)
    _, answer, paid, (same, piece) = yield from ctx.all(
        ctx.wait("settle", 1),
        ctx.wait_for_callback("approval", submit, retry=SOON),
        ctx.child("payment", payment, number),
        ctx.invoke("part", "part:$LATEST", number),
    )
    packed, shipped, looks = yield from ctx.all(
        ctx.map("pack all", range(2), pack, max_concurrency=1),
        ctx.child("ship", ship),
        ctx.wait_for_condition("settled", look, 0, poll=TWICE),
    )
    items, values = zip(*packed.values, strict=True)
    made = [first, once, piece, *values, *shipped]
    return {"exact": [number, answer, paid, same, items, looks], "made": made}


@durable_here
def part(number, ctx):
    value = yield from ctx.step("piece", work, retry=SOON, semantics=Semantics.AT_MOST_ONCE)
    yield from ctx.wait("dry", 1)
    return [number, value]


def pay(number, context):
    return {"paid": number}
