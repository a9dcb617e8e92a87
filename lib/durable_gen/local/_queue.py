"""Asynchronous invocations of plain functions: one that fails is made again, as Lambda does.

They are due among everything else that is: under no ARN, by their request id.
"""

from __future__ import annotations

from attrs import evolve, frozen

from durable_gen.local._engine import Engine
from durable_gen.local._functions import Answer
from durable_gen.local._host import Call, Unreachable
from durable_gen.local._transactions import LOGGER

LONGEST = 300  # seconds between two tries to reach a host that refuses


@frozen
class Queued:
    """An asynchronous invocation that is not over.

    Attributes:
        call: what is to be run.
        since: when it was asked for, in milliseconds.
        due: when it is to be made again, in milliseconds; None if it runs or is about to.
        failures: how often the function has failed.
        refusals: how often in a row no host ran it.
    """

    call: Call
    since: int
    due: int | None = None
    failures: int = 0
    refusals: int = 0


def put(engine: Engine, call: Call) -> None:
    """Take in an invocation whose answer nobody waits for."""
    with engine.lock:
        engine.queued[call.request] = Queued(call, engine.now())
        engine.ready.append(("", call.request))
    engine.rouse()


def answered(engine: Engine, request: str, answer: Answer | Unreachable) -> None:
    """End an attempt: the invocation is over, or is made again later, or is given up.

    Args:
        engine: the service's state.
        request: its request id.
        answer: how it went. A function that failed is tried again as often as its configuration
            says; one that no host ran, until it is too old.
    """
    with engine.lock:
        queued = engine.queued.pop(request)
        function = queued.call.function
        if isinstance(answer, Unreachable):
            told = f"{answer.code}: {answer.message}"
            queued = evolve(queued, refusals=queued.refusals + 1)
            delay = 0 if answer.gone else min(2.0 ** (queued.refusals - 1), LONGEST)
        elif answer.error is not None:
            told = f"{answer.error.get('ErrorType')}: {answer.error.get('ErrorMessage')}"
            queued = evolve(queued, failures=queued.failures + 1, refusals=0)
            over = queued.failures > function.retries
            delay = 0 if over else engine.limits.again[queued.failures - 1]
        else:
            return
        now = engine.now()
        due = now + round(delay * 1000)
        if delay and due < queued.since + function.age * 1000:
            engine.queued[request] = evolve(queued, due=due)
            engine.timers.push(due, "", request)
            LOGGER.warning(
                "The asynchronous invocation %s of %s is made again in %g seconds: %s",
                request,
                function.name,
                delay,
                told,
            )
            return
    LOGGER.error(
        "The asynchronous invocation %s of %s is given up: %s", request, function.name, told
    )


def abandon(engine: Engine) -> None:
    """Say which invocations end with the service."""
    with engine.lock:
        left = list(engine.queued.values())
    for queued in left:
        text = "The asynchronous invocation %s of %s ends with the service."
        LOGGER.error(text, queued.call.request, queued.call.function.name)
