"""Plans: what a flow yields, in order, and what it is answered; without a service, step by step.

    from durable_gen.testing.plan import expect, step, wait

    expect(payment, order).yields(step("charge", order)).returns("r-7").yields(
        wait("settle", hours=1)
    ).returns().ends("r-7")

The words are those of the context's methods. Kind, name and arguments are compared, and of the options
those that are given; `...` stands for anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from durable_gen.testing._expect import Plan
from durable_gen.testing._words import Name, Word, names_of, seconds_of

__all__ = [
    "Plan",
    "Word",
    "all",
    "any",
    "callback",
    "callback_result",
    "child",
    "compensation",
    "expect",
    "invoke",
    "map",
    "parallel",
    "race",
    "settled",
    "step",
    "wait",
    "wait_for_callback",
    "wait_for_condition",
]


def expect(flow: Callable[..., Any], *args: Any) -> Plan:
    """Begin a plan.

    Args:
        flow: a flow, or a handler that `@durable` made.
        *args: what the flow is called with besides its context; a handler's event.

    Raises:
        UsageError: it is no function.
    """
    return Plan(flow, args)


def step(name: Name, *args: Any, **options: Any) -> Word:
    """Expect `ctx.step(name, fn, *args)`.

    Args:
        name: the step's name.
        *args: the arguments of its function; `...` alone for any.
        **options: fn, retry, timeout, semantics, serde, returns, compensate.
    """
    return Word("step", name, args, options)


def wait(
    name: Name = None,
    duration: float | timedelta | None = None,
    *,
    seconds: float = 0,
    minutes: float = 0,
    hours: float = 0,
    days: float = 0,
    until: datetime | None = None,
) -> Word:
    """Expect `ctx.wait(name, hours=1)`; how long counts if it is given.

    Args:
        name: the wait's name.
        duration: how long, in seconds or as a timedelta.
        seconds: how long; added to the other units.
        minutes: how long.
        hours: how long.
        days: how long.
        until: an instant, instead.
    """
    units = {"seconds": seconds, "minutes": minutes, "hours": hours, "days": days}
    total = seconds_of({**units, "duration": duration})
    options: dict[str, Any] = {"seconds": total} if total else {}
    if until is not None:
        options["until"] = until
    return Word("wait", name, (), options)


def wait_for_condition(name: Name, **options: Any) -> Word:
    """Expect `ctx.wait_for_condition(name, check)`.

    Args:
        name: its name.
        **options: check, initial, poll, serde, returns.
    """
    return Word("wait_for_condition", name, (), options)


def callback(name: Name = None, **options: Any) -> Word:
    """Expect `ctx.callback(name)`; answer it with the callback's id: `.returns("id")`.

    Args:
        name: its name.
        **options: timeout, heartbeat, serde, returns.
    """
    return Word("callback", name, (), options)


def callback_result(name: Name = None) -> Word:
    """Expect `callback.result()`.

    Args:
        name: the callback's name.
    """
    return Word("callback_result", name)


def wait_for_callback(name: Name, **options: Any) -> Word:
    """Expect `ctx.wait_for_callback(name, submit)`.

    Args:
        name: its name.
        **options: submit, timeout, heartbeat, retry, serde, returns.
    """
    return Word("wait_for_callback", name, (), options)


def invoke(name: Name, function: Any, payload: Any = None, **options: Any) -> Word:
    """Expect `ctx.invoke(name, function, payload)`.

    Args:
        name: its name.
        function: the function's name.
        payload: what it is sent.
        **options: tenant_id, serde, payload_serde, returns.
    """
    return Word("invoke", name, (function, payload), options)


def child(name: Name, *args: Any, **options: Any) -> Word:
    """Expect `ctx.child(name, flow, *args)`; answer it, or go into it with `.enters()`.

    Args:
        name: its name.
        *args: what its flow gets besides its context; `...` alone for any.
        **options: flow, serde, returns, sub_type, virtual.
    """
    return Word("child", name, args, options)


def compensation(name: Name) -> Word:
    """Expect one of the compensations that `ctx.compensate()` runs.

    Args:
        name: the name of the step that it undoes.
    """
    return Word("compensation", name)


def map(name: Name, items: Any = ..., **options: Any) -> Word:  # noqa: A001 - the method's word
    """Expect `ctx.map(name, items, flow)`; answer it with a `Batch` or a list of values.

    Args:
        name: its name.
        items: what the flow is run for.
        **options: flow, max_concurrency, batch_size, completion.
    """
    return Word("map", name, (items if items is ... else list(items),), options)


def parallel(name: Name, branches: Iterable[Any] = (...,), **options: Any) -> Word:
    """Expect `ctx.parallel(name, flows)`; answer it with a `Batch` or a list of values.

    Args:
        name: its name.
        branches: the names of the flows; of those without a name, the numbers from 0.
        **options: max_concurrency, completion.
    """
    return Word("parallel", name, names_of(branches), options)


def all(*words: Word, name: Name = "all") -> Word:  # noqa: A001 - the method's word
    """Expect `ctx.all(*ops)`; answer it with all values.

    Args:
        *words: what it is of; `child(...)` for flows.
        name: its name.
    """
    return Word("all", name, words)


def settled(*words: Word, name: Name = "settled") -> Word:
    """Expect `ctx.settled(*ops)`; answer it with all outcomes.

    Args:
        *words: what it is of; `child(...)` for flows.
        name: its name.
    """
    return Word("settled", name, words)


def any(*words: Word, name: Name = "any") -> Word:  # noqa: A001 - the method's word
    """Expect `ctx.any(*ops)`; answer it with the first success.

    Args:
        *words: what it is of; `child(...)` for flows.
        name: its name.
    """
    return Word("any", name, words)


def race(*words: Word, name: Name = "race") -> Word:
    """Expect `ctx.race(*ops)`; answer it with the first end.

    Args:
        *words: what it is of; `child(...)` for flows.
        name: its name.
    """
    return Word("race", name, words)
