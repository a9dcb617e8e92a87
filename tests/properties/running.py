"""Runs a flow on the embedded service to its end, through whatever befalls its processes and calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import define, field
from programs import World, run

from durable_gen import durable
from durable_gen.local import MemoryStore, Service, VirtualClock

ENDS = ("Succeeded", "Failed", "TimedOut", "Stopped", "Cancelled")


class Crash(BaseException):
    """The process dies here."""


class Peace:
    """Nothing happens to a run.

    Attributes:
        context: what Lambda hands to the handler; None for the service's own.
        plugins: what watches it.
        say: told of each place that a flow comes to.
    """

    context: Any = None
    plugins: tuple[Any, ...] = ()
    say: Any = None

    def begin(self, info: Any) -> None:
        """A step begins."""

    def around(self, client: Any) -> Any:
        """Make what the handler calls instead of the service's client."""
        return client


@define
class Outcome:
    """How a run ended, and what it left behind."""

    status: str
    result: str | None
    error: tuple[str | None, str | None]
    log: dict[str, tuple[Any, ...]] = field(repr=False)


def execute(program: tuple, way: str, fate: Any = None, **service: Any) -> Outcome:
    """Run a program to its end."""
    return drive(lambda ctx, world: run(ctx, program, world), way, fate, **service)


def drive(flow: Callable[[Any, World], Any], way: str, fate: Any = None, **options: Any) -> Outcome:
    """Run a flow to its end.

    Args:
        flow: called with its context and its world.
        way: how steps are run.
        fate: what happens to the run: `begin`, `around`, `context`, `plugins` and `say`, as `Peace` has them.
        options: of the service.
    """
    fate = fate or Peace()
    store = MemoryStore()
    ended: set[str] = set()  # operations whose end was acknowledged

    def begin(info: Any) -> None:
        fate.begin(info)
        assert info.operation_id not in ended, f"{info.path} runs again"

    def hear(notice: Any) -> None:
        heard = getattr(notice, "event", {})
        word = heard.get("EventType", "")
        details = heard.get(f"{word}Details") or {}
        again = (details.get("RetryDetails") or {}).get("NextAttemptDelaySeconds")
        if word.endswith(ENDS) and not again and "Id" in heard:
            ended.add(heard["Id"])

    world = World(way, begin, fate.say)

    @durable(plugins=fate.plugins)
    def handler(_: Any, ctx: Any) -> Any:
        return (yield flow(ctx, world))

    def invoke(using: Any, event: Any, context: Any) -> Any:
        return using(event, fate.context or context)

    clock = VirtualClock()
    arn = None
    while True:
        service = Service(store, clock, observer=hear, attempts=None, **options)
        service.register("f", partial(invoke, handler.using(fate.around(service.client))))
        arn = arn or service.start("f", "null", "run")
        try:
            service.run(arn)
        except Crash:
            continue
        break
    found = service.describe(arn)
    error = found.get("Error") or {}
    kind = (error.get("ErrorType"), error.get("ErrorMessage"))
    return Outcome(found["Status"], found.get("Result"), kind, log(service, arn))


def log(service: Service, arn: str) -> dict[str, tuple[Any, ...]]:
    """Read what is recorded of each operation in the end, without times and stacks."""
    records: dict[str, tuple[Any, ...]] = {}
    for one in service.history(arn):
        word = one["EventType"]
        if "Id" not in one or word.startswith("Execution") or one.get("SubType") == "Deadline":
            continue
        details = one[f"{word}Details"]
        error = (details.get("Error") or {}).get("Payload") or {}
        result = (details.get("Result") or {}).get("Payload")
        records[one["Id"]] = (
            word,
            one.get("Name"),
            one.get("SubType"),
            one.get("ParentId"),
            result if "StackTrace" not in str(result) else None,
            error.get("ErrorType"),
            error.get("ErrorMessage"),
        )
    return records
