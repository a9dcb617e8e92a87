"""What type checkers know of a workflow. Nothing runs this: mypy and pyright read it."""

# A mistake that a checker no longer sees is an error: in mypy by `warn_unused_ignores`, in pyright by
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, assert_type

from durable_gen import (
    Batch,
    BatchItem,
    Callback,
    CompensationResult,
    Completion,
    Context,
    Flow,
    Json,
    Op,
    Poll,
    Progress,
    Retry,
    Semantics,
    Serde,
    SerdeInfo,
    durable,
    durable_error,
)
from durable_gen.codecs import S3, Chain, Codec, Encrypt, Files, Kms, Preview, ReadOnly, Zstd


class Order: ...


class Receipt: ...


def charge(order: Order) -> Receipt:
    raise NotImplementedError


def double(n: int) -> int:
    raise NotImplementedError


def join(first: str, second: int) -> str:
    raise NotImplementedError


def nothing() -> None: ...


def undo(order: Order, receipt: Receipt) -> None: ...


async def fetch(url: str) -> bytes:
    raise NotImplementedError


def payment(ctx: Context, order: Order) -> Flow[Receipt]:
    return (yield from ctx.step("charge", charge, order))


def simple(ctx: Context) -> Flow[int]:
    return (yield from ctx.step(double, 1))


def named(ctx: Context) -> Flow[str]:
    return (yield from ctx.step(join, "a", 1))


def plain(ctx: Context, order: Order) -> int:
    raise NotImplementedError


def each(ctx: Context, n: int) -> Flow[str]:
    return (yield from ctx.step(join, "a", n))


def each_plain(ctx: Context, n: int) -> str:
    raise NotImplementedError


# --- what an operation gives -------------------------------------------------------------------------


def steps(event: Any, ctx: Context) -> Flow[None]:
    """A step gives what its function returns, an `async def` what it gives when awaited."""
    order = Order()
    assert_type((yield from ctx.step("double", double, 1)), int)
    assert_type((yield from ctx.step(double, 1)), int)
    assert_type((yield from ctx.step(None, double, 1)), int)
    assert_type((yield from ctx.step("charge", charge, order)), Receipt)
    assert_type((yield from ctx.step("join", join, "a", 1)), str)
    assert_type((yield from ctx.step("fetch", fetch, "https://example.org")), bytes)
    assert_type((yield from ctx.step(fetch, "https://example.org")), bytes)
    assert_type((yield from ctx.step("len", len, "abc")), int)
    assert_type(
        (
            yield from ctx.step(
                "charge",
                charge,
                order,
                retry=Retry(max_attempts=3),
                timeout=timedelta(seconds=3),
                semantics=Semantics.AT_MOST_ONCE,
                compensate=undo,
            )
        ),
        Receipt,
    )
    assert_type((yield from ctx.step("double", double, 1, retry=None, timeout=1.5)), int)


def bodies_that_take_nothing(event: Any, ctx: Context) -> Flow[None]:
    """A function without arguments is a step too."""

    def now() -> datetime:
        raise NotImplementedError

    assert_type((yield from ctx.step("now", now)), datetime)
    assert_type((yield from ctx.step(now)), datetime)
    assert_type((yield from ctx.step("lambda", lambda: 1)), int)


def descriptors(ctx: Context) -> None:
    """An operation that is held knows what it will give."""
    _1 = assert_type(ctx.step("double", double, 1), Op[int])
    _2 = assert_type(ctx.step("fetch", fetch, "u"), Op[bytes])
    _3 = assert_type(ctx.wait("pause", 3), Op[None])
    _4 = assert_type(ctx.child("simple", simple), Op[int])
    _5 = assert_type(ctx.flush(), Op[None])
    _6 = assert_type(ctx.callback("ask"), Op[Callback[Any]])
    _7 = assert_type(ctx.compensate(), Op[CompensationResult])


def waits(event: Any, ctx: Context) -> Flow[None]:
    """A wait gives None however its length is said."""
    moment = ctx.now()
    assert_type(moment, datetime)
    pause = ctx.wait("pause", hours=1, minutes=30)
    yield from pause
    yield from ctx.wait(seconds=3)
    yield from ctx.wait("pause", timedelta(days=1))
    yield from ctx.wait("until", until=moment)
    yield from ctx.flush()


def conditions(event: Any, ctx: Context) -> Flow[None]:
    """A wait for a condition gives its last state."""

    async def look(n: int) -> int:
        raise NotImplementedError

    def first(state: Any) -> Order:
        raise NotImplementedError

    assert_type((yield from ctx.wait_for_condition("double", double, 1)), int)
    assert_type((yield from ctx.wait_for_condition("look", look, 1)), int)
    assert_type((yield from ctx.wait_for_condition("first", first)), Order)
    poll = Poll(until=bool, max_attempts=3)
    assert_type((yield from ctx.wait_for_condition("double", double, initial=1, poll=poll)), int)


def callbacks(event: Any, ctx: Context) -> Flow[None]:
    """What comes from outside is Any: nobody here knows what it will be."""

    def submit(callback_id: str) -> None: ...

    callback = yield from ctx.callback("ask", timeout=3600, heartbeat=timedelta(minutes=1))
    assert_type(callback, Callback[Any])
    assert_type(callback.id, str)
    answer = callback.result()
    assert_type((yield from answer), Any)
    assert_type((yield from ctx.wait_for_callback("ask", submit, timeout=60)), Any)
    assert_type((yield from ctx.invoke("call", "orders:live", {"n": 1})), Any)


def children(event: Any, ctx: Context) -> Flow[None]:
    """A child gives what its flow returns; a plain function is a flow that yields nothing."""
    assert_type((yield from ctx.child("payment", payment, Order())), Receipt)
    assert_type((yield from ctx.child("simple", simple)), int)
    assert_type((yield from ctx.child("plain", plain, Order())), int)
    assert_type((yield from ctx.child("simple", simple, virtual=True, sub_type="Mine")), int)
    assert_type((yield from payment(ctx, Order())), Receipt)


def fan_outs(event: Any, ctx: Context) -> Flow[None]:
    """A map gives a Batch of what its flow returns."""
    batch = yield from ctx.map("each", [1, 2], each)
    assert_type(batch, Batch[str])
    assert_type(batch.values, list[str])
    assert_type(batch.errors, list[BaseException])
    assert_type(batch[0], BatchItem[str])
    assert_type(batch[0].value, str | None)
    assert_type(batch.raise_if_failed(), Batch[str])
    assert_type([item.index for item in batch], list[int])
    assert_type((yield from ctx.map("each", (1, 2), each_plain)), Batch[str])
    assert_type(
        (
            yield from ctx.map(
                "each",
                range(3),
                each,
                max_concurrency=2,
                batch_size=2,
                completion=Completion(min_successful=1),
                item_name=lambda item, index: f"{item}-{index}",
                nesting="flat",
            )
        ),
        Batch[str],
    )
    assert_type((yield from ctx.parallel("both", [simple, named])), Batch[Any])
    assert_type((yield from ctx.parallel("both", {"a": simple, "b": named})), Batch[Any])
    yield from ctx.parallel("both", [simple], completion=over_half)


def over_half(progress: Progress) -> bool:
    """A completion may be a predicate."""
    return progress.completed * 2 > progress.total


def combinators(event: Any, ctx: Context) -> Flow[None]:
    """`all` gives a tuple with a type for each; the others give what any may give."""
    one = ctx.step("double", double, 1)
    two = ctx.step("charge", charge, Order())
    assert_type((yield from ctx.all(one)), tuple[int])
    assert_type((yield from ctx.all(one, two)), tuple[int, Receipt])
    assert_type((yield from ctx.all(ctx.step(double, 1), simple(ctx), named)), tuple[int, int, str])
    assert_type(
        (
            yield from ctx.all(
                ctx.step(double, 1),
                ctx.step(join, "a", 1),
                ctx.wait("pause", 3),
                ctx.child("simple", simple),
                name="four",
            )
        ),
        tuple[int, str, None, int],
    )
    assert_type(
        (yield from ctx.all(simple, named, simple, named, simple)),
        tuple[int, str, int, str, int],
    )
    many = [ctx.step(double, n) for n in range(9)]
    assert_type((yield from ctx.all(*many)), tuple[int, ...])
    assert_type((yield from ctx.any(ctx.step(double, 1), ctx.step(double, 2))), int)
    assert_type((yield from ctx.race(ctx.step(double, 1), simple)), int)
    settled = yield from ctx.settled(ctx.step(double, 1), simple(ctx))
    assert_type(settled, tuple[BatchItem[int], ...])


def the_rest(event: Any, ctx: Context) -> Flow[None]:
    """Facts of a context, and compensation."""
    assert_type(ctx.execution_arn, str)
    assert_type(ctx.is_replaying, bool)
    assert_type(ctx.random(), float)
    assert_type(ctx.index, int | None)
    assert_type(ctx.name, str | None)
    with ctx.batch():
        yield from ctx.step(nothing)
    ctx.log.info("done", order=3)
    result = yield from ctx.compensate()
    assert_type(result, CompensationResult)
    assert_type(result.all_succeeded, bool)


# --- handlers ----------------------------------------------------------------------------------------


@durable
def bare(event: dict[str, Any], ctx: Context) -> Flow[int]:
    """A flow under a bare decorator."""
    return (yield from ctx.step(double, 1))


@durable(dialect="aws", retry=Retry(max_attempts=2), batch=True, max_workers=4)
def with_options(event: dict[str, Any], ctx: Context) -> Flow[int]:
    """A flow under a decorator with options."""
    return (yield from ctx.step(double, 1))


def entry() -> None:
    """A handler is a plain Lambda handler, and its flow is the function that it wraps."""
    assert_type(bare({}, None), dict[str, Any])
    assert_type(with_options({}), dict[str, Any])
    assert_type(bare.flow({}, context()), Flow[int])
    assert_type(with_options.flow({}, context()), Flow[int])


def context() -> Context:
    """Stand in for a context."""
    raise NotImplementedError


@durable_error
class DeclinedError(Exception):
    """The decorator gives the class itself."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


assert_type(DeclinedError(3).code, int)


# --- what is an error --------------------------------------------------------------------------------


def wrong_steps(event: Any, ctx: Context) -> Flow[None]:
    """A step's arguments are its function's."""
    yield from ctx.step("double", double, "1")  # type: ignore[arg-type]
    yield from ctx.step("double", double)  # type: ignore[arg-type, call-arg]
    yield from ctx.step("double", double, 1, 2)  # type: ignore[arg-type, call-arg]
    yield from ctx.step(double, "1")  # type: ignore[arg-type]
    yield from ctx.step(fetch, 3)  # type: ignore[arg-type]
    yield from ctx.step("double", 3)  # type: ignore[call-overload]
    yield from ctx.step("double", double, 1, retry=3)  # type: ignore[call-overload]
    yield from ctx.step("double", double, 1, semantics="once")  # type: ignore[call-overload]
    yield from ctx.step("double", double, 1, timeout="3")  # type: ignore[call-overload]
    yield from ctx.step("double", double, 1, attempts=3)  # type: ignore[call-overload]
    yield from ctx.step(3, double, 1)  # type: ignore[call-overload]


def wrong_results(event: Any, ctx: Context) -> Flow[None]:
    """What an operation gives is what it gives."""
    text: str = yield from ctx.step("double", double, 1)  # type: ignore[assignment]
    number: int = yield from ctx.step("fetch", fetch, "u")  # type: ignore[assignment]
    pair: tuple[int, str] = yield from ctx.all(ctx.step(double, 1), ctx.step(double, 2))  # type: ignore[assignment]
    ctx.log.info(text, number=number, pair=pair)


def wrong_others(event: Any, ctx: Context) -> Flow[None]:
    """The other operations have types too."""
    yield from ctx.wait("pause", "3")  # type: ignore[arg-type]
    yield from ctx.wait("pause", until=3)  # type: ignore[arg-type]
    yield from ctx.child("payment", payment)  # type: ignore[arg-type, call-arg]
    yield from ctx.child("payment", payment, 3)  # type: ignore[arg-type]
    yield from ctx.child("simple", 3)  # type: ignore[call-overload]
    yield from ctx.map("each", ["a"], each)  # type: ignore[arg-type]
    yield from ctx.map("each", 3, each)  # type: ignore[call-overload]
    yield from ctx.map("each", [1], each, nesting="deep")  # type: ignore[call-overload]
    yield from ctx.parallel("both", [double])  # type: ignore[list-item]
    yield from ctx.wait_for_condition("double", double, "1")  # type: ignore[arg-type]
    yield from ctx.wait_for_callback("ask", 3)  # type: ignore[arg-type]
    yield from ctx.invoke("call", 3)  # type: ignore[arg-type]
    yield from ctx.callback("ask", timeout="3")  # type: ignore[arg-type]
    yield from ctx.all(3)  # type: ignore[call-overload]
    yield from ctx.race(3)  # type: ignore[arg-type]


def wrong_return(event: Any, ctx: Context) -> Flow[str]:
    """A flow returns what it says."""
    return (yield from ctx.step("double", double, 1))  # type: ignore[return-value]


wrong_retry = Retry(3)  # type: ignore[call-arg]
wrong_attempts = Retry(max_attempts="3")  # type: ignore[arg-type]
wrong_jitter = Poll(jitter="some")  # type: ignore[arg-type]
wrong_completion = Completion(min_successful="1")  # type: ignore[arg-type]


# --- serdes and codecs -------------------------------------------------------------------------------


class Mine:
    """A user's serde: it has the two methods, and needs no base class."""

    def dumps(self, value: Any, info: SerdeInfo) -> str:
        raise NotImplementedError

    def loads(self, text: str, info: SerdeInfo) -> Any:
        raise NotImplementedError


class Rot(Codec):
    """A user's codec: a subclass, so that `|` works."""

    name = "rot"

    def encode(self, data: bytes, info: SerdeInfo) -> bytes | None:
        raise NotImplementedError

    def decode(self, data: bytes, info: SerdeInfo) -> bytes:
        raise NotImplementedError


def chains(key: bytes) -> Serde:
    assert_type(Json() | Zstd(), Chain)
    assert_type(Mine() | Rot() | Preview("id"), Chain)
    assert_type(Json() | ReadOnly(Files("/mnt/values")) | S3("values"), Chain)
    Encrypt(key, lambda: key, lambda: [key], Kms("alias/orders"))
    Encrypt("key")  # type: ignore[arg-type]
    Json() | Json()  # type: ignore[operator]
    return Chain(Mine(), Zstd(), Encrypt(key), preview=Preview("id"))
