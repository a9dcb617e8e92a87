"""The commands of `durable-gen`."""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import click
from botocore.exceptions import ClientError
from rich.console import Console

from durable_gen._version import VERSION
from durable_gen.cli import _blame, _load
from durable_gen.cli._ask import Answers, label
from durable_gen.cli._bundle import bundle
from durable_gen.cli._relay import relayed
from durable_gen.cli._screen import Screen
from durable_gen.cli._serve import serve
from durable_gen.cli._story import elapsed
from durable_gen.local import (
    EventAppended,
    MemoryStore,
    Notice,
    RealClock,
    Service,
    SqliteStore,
    Store,
    StoreInUse,
    VirtualClock,
)

INTERRUPTED = 130  # the exit status of a command that was ended with Ctrl-C
TERMINATED = 143  # and with SIGTERM


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="durable-gen")
def group() -> None:
    """Run durable workflows on this machine."""


group.add_command(bundle)
group.add_command(serve)


@group.command()
@click.argument("target")
@click.option(
    "--event", metavar="FILE|JSON", help="The event: JSON, or a file of it. [default: {}]"
)
@click.option("--name", metavar="NAME", help="The execution's name; run it again to go on with it.")
@click.option("--store", metavar="PATH", help="The SQLite file that it lives in; else in memory.")
@click.option("--skip-time", is_flag=True, help="Jump to the next timer instead of waiting for it.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of the result."
)
@click.option(
    "--callback",
    "callbacks",
    metavar="NAME=JSON",
    multiple=True,
    help="Answer the callbacks of this name; may be given for several.",
)
def run(
    target: str,
    event: str | None,
    name: str | None,
    store: str | None,
    skip_time: bool,
    as_json: bool,
    callbacks: tuple[str, ...],
) -> None:
    """Run the workflow TARGET, which is FILE.py:HANDLER or MODULE:HANDLER, to its end.

    What it does is shown on the standard error, its result is printed on the standard output. In a
    terminal its callbacks are asked for. The other handlers of its file can be invoked as
    NAME:$LATEST. With --name and --store it goes on where it was, whatever ended it before. Exit status: 0
    when it succeeded, 1 when it failed or cannot go on, 2 for a wrong command line, 130 after Ctrl-C.
    """
    signal.signal(signal.SIGTERM, _terminate)
    payload = None if event is None else _load.event(event)
    given = _load.answers(callbacks)
    known = name is not None
    name = name or f"{target.rpartition(':')[2]}-{uuid.uuid4().hex[:8]}"
    console = Console(file=sys.stderr, emoji=False, highlight=False)
    screen = Screen(console, f"{target}  {name}", ticks=not skip_time)
    again = [*sys.argv[1:], *(() if known else ("--name", name))] if store else None
    arn = ""

    def observe(notice: Notice) -> None:
        if isinstance(notice, EventAppended) and notice.arn == arn:
            screen.hear(notice.event)

    try:
        with relayed(screen.say):
            handler, others = _load.handlers(target)
            clock = VirtualClock() if skip_time else RealClock()
            with _opened(store) as kept, Service(kept, clock, observer=observe) as service:
                for other, function in others.items():
                    with suppress(ValueError):  # Lambda would not take every name of Python's
                        service.register(other, function)
                own = _load.function_name(target, name)
                service.register(own, handler)
                found = _start(service, own, payload, name)
                for past in service.history(found):
                    screen.hear(past, quiet=True)
                arn = found  # from here on events are heard as they happen
                _logs(screen, arn)
                answers = Answers(service, arn, screen, given, _keyboard(screen), skip_time)
                _greet(service, arn, screen)
                with screen, _once():
                    service.run(arn, answers.idle)
                for unused in answers.unused():
                    screen.say(f"no callback asked for the answer {unused!r}", "yellow")
                outcome = _outcome(service, arn, screen, again)
    except KeyboardInterrupt as interrupt:
        _leave(screen, again, interrupt)
    except SystemExit as ended:
        screen.say(f"the workflow called sys.exit({ended.code!r}){_on(again)}", "red")
        sys.exit(1)
    _print(outcome, as_json=as_json)


@contextmanager
def _once() -> Iterator[None]:
    """Let the first Ctrl-C end what is inside; the next ones do not hinder the farewell."""
    try:
        yield
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise


class Terminated(KeyboardInterrupt):
    """SIGTERM."""


def _terminate(*_: object) -> NoReturn:
    raise Terminated


@contextmanager
def _opened(path: str | None) -> Iterator[Store]:
    """Open the store; whatever hinders it is a mistake on the command line."""
    if path is None:
        yield MemoryStore()
        return
    try:
        store = SqliteStore(path)
    except StoreInUse as error:
        msg = (
            f"--store {path} is in use by another process: end that one first, or use another file"
        )
        raise click.UsageError(msg) from error
    except sqlite3.OperationalError as error:
        parent = Path(path).absolute().parent
        why = str(error) if parent.is_dir() else f"there is no directory {parent}"
        msg = f"--store {path} cannot be opened: {why}"
        raise click.UsageError(msg) from error
    except sqlite3.DatabaseError as error:
        msg = f"--store {path} is no store: {error}"
        raise click.UsageError(msg) from error
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    yield store


def _start(service: Service, function: str, payload: str | None, name: str) -> str:
    """Start the execution, or find it; one that is there needs no event."""
    if payload is None:
        payload = "{}"
        for arn in service.executions():
            if f":{function}:" in arn:
                payload = service.describe(arn)["InputPayload"]
    try:
        return service.start(function, payload, name)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code == "DurableExecutionAlreadyStartedException":
            message = (
                f"--name {name} is taken: the store has an execution of that name with another "
                "event. Use another --name, or leave out --event to go on with it"
            )
        elif "DurableExecutionName" in message:
            message = f"--name {name!r} cannot be a name: use 1 to 64 letters, digits, - and _"
        raise click.UsageError(message) from error


def _keyboard(screen: Screen) -> bool:
    """Tell whether somebody is there to ask."""
    there = sys.stdin is not None and sys.stdin.isatty()
    return there and screen.terminal and os.name == "posix"


def _greet(service: Service, arn: str, screen: Screen) -> None:
    """Say what is run, and what of it was done before."""
    screen.story.resume(service.now())
    if not screen.terminal:
        screen.say(screen.title)
    if screen.story.invocations:
        done = len(screen.story.ended())
        steps = "1 operation is" if done == 1 else f"{done} operations are"
        if _closed(service, arn):
            screen.say(f"it ended before: {steps} done; another --name runs it anew", "dim")
        else:
            screen.say(f"it goes on: {steps} done already", "dim")


def _closed(service: Service, arn: str) -> bool:
    return service.status(arn) != "RUNNING"


def _outcome(service: Service, arn: str, screen: Screen, again: list[str] | None) -> dict[str, Any]:
    """Tell how an execution ended."""
    found = service.describe(arn)
    status, error = found["Status"], found.get("Error") or {}
    invocations = screen.story.invocations
    took = elapsed((found.get("EndTimestamp") or service.now()) - found["StartTimestamp"])
    times = "1 invocation" if invocations == 1 else f"{invocations} invocations"
    colours = {"SUCCEEDED": "bold green", "RUNNING": "bold yellow"}
    word = "WAITS" if status == "RUNNING" else status
    screen.say(f"{word} after {took}, {times}", colours.get(status, "bold red"))
    for callback in service.pending_callbacks(arn):
        name = label(callback)
        option = ["--callback", f"{name.rpartition('/')[2]}=JSON"]
        command = _blame.shown([*(again or sys.argv[1:]), *option])
        screen.say(f"for an answer to callback {name}:\n  {command}")
    if error:
        screen.say(_blame.of_execution(error, screen.story))
    return {
        "name": found["DurableExecutionName"],
        "arn": arn,
        "status": status,
        "result": json.loads(found["Result"]) if found.get("Result") else None,
        "error": error or None,
        "invocations": invocations,
    }


def _print(outcome: dict[str, Any], *, as_json: bool) -> NoReturn:
    """Print the result, or all of the outcome, and exit."""
    succeeded = outcome["status"] == "SUCCEEDED"
    if as_json or succeeded:
        value = outcome if as_json else outcome["result"]
        click.echo(json.dumps(value, ensure_ascii=False, indent=2))
    sys.exit(0 if succeeded else 1)


def _leave(screen: Screen, again: list[str] | None, interrupt: KeyboardInterrupt) -> NoReturn:
    """Say how to go on, and end at once: steps in threads are left as a kill would leave them."""
    screen.say(f"interrupted{_on(again)}", "yellow")
    sys.stderr.flush()
    os._exit(TERMINATED if isinstance(interrupt, Terminated) else INTERRUPTED)


def _on(again: list[str] | None) -> str:
    if again is None:
        return "; it lived in memory and is gone: with --name and --store it can go on"
    return f"; to go on where it was:\n  {_blame.shown(again)}"


def _logs(screen: Screen, arn: str) -> None:
    """Show what workflows log, and hear of operations; what else the library logs is in the report."""
    library = logging.getLogger("durable_gen")
    library.addHandler(logging.NullHandler())
    library.propagate = False
    workflow = logging.getLogger("durable_gen.workflow")
    workflow.addHandler(_Lines(screen))
    workflow.setLevel(logging.INFO)
    operations = logging.getLogger("durable_gen.operations")
    operations.addHandler(_Beginnings(screen, arn))
    operations.setLevel(logging.DEBUG)


class _Lines(logging.Handler):
    """Shows what a workflow logs."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self.screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        data = getattr(record, "data", None)
        more = "".join(f" {key}={value}" for key, value in (data or {}).items())
        self.screen.say(f"{record.levelname.lower()}: {record.getMessage()}{more}")


class _Beginnings(logging.Handler):
    """Hears of operations when the code comes to them."""

    def __init__(self, screen: Screen, arn: str) -> None:
        super().__init__()
        self.screen = screen
        self.arn = arn

    def emit(self, record: logging.LogRecord) -> None:
        if vars(record)["executionArn"] == self.arn:
            self.screen.meet(vars(record))
