"""The commands of `durable-gen`."""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Mapping
from typing import Any

import click
import orjson
from botocore.exceptions import ClientError
from rich.console import Console

from durable_gen._version import VERSION
from durable_gen.cli import _load
from durable_gen.cli._ask import Answers
from durable_gen.cli._screen import Screen
from durable_gen.cli._story import elapsed
from durable_gen.local import (
    EventAppended,
    MemoryStore,
    Notice,
    RealClock,
    Service,
    SqliteStore,
    StoreInUse,
    VirtualClock,
)

FUNCTION = "workflow"  # what the handler is registered as: its executions find it again by it
INTERRUPTED = 130  # the exit status of a command that was ended with Ctrl-C


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="durable-gen")
def group() -> None:
    """Run durable workflows on this machine."""


@group.command()
@click.argument("target")
@click.option("--event", default="{}", metavar="FILE|JSON", help="The event: JSON, or a file of it.")
@click.option("--name", metavar="NAME", help="The execution's name; run it again to go on with it.")
@click.option("--store", metavar="PATH", help="The SQLite file that it lives in; else in memory.")
@click.option("--skip-time", is_flag=True, help="Jump to the next timer instead of waiting for it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the result.")
@click.option(
    "--callback", "callbacks", multiple=True, metavar="NAME=JSON", help="Answer a callback."
)
def run(
    target: str,
    event: str,
    name: str | None,
    store: str | None,
    skip_time: bool,
    as_json: bool,
    callbacks: tuple[str, ...],
) -> None:
    """Run the workflow TARGET, which is FILE.py:HANDLER or MODULE:HANDLER, to its end.

    What it does is shown on the standard error, its result is printed on the standard output. In a
    terminal its callbacks are asked for. Exit status: 0 when it succeeded, 1 when it failed, 2 for a
    wrong command line.
    """
    handler = _load.handler(target)
    payload = _load.event(event)
    given = _load.answers(callbacks)
    console = Console(stderr=True)
    name = name or f"{target.rpartition(':')[2]}-{uuid.uuid4().hex[:8]}"
    screen = Screen(console, f"{target}  {name}")
    _logs(screen)

    def observe(notice: Notice) -> None:
        if isinstance(notice, EventAppended) and notice.arn == arn:
            screen.hear(notice.event)

    arn = ""
    try:
        kept = SqliteStore(store) if store else MemoryStore()
    except (StoreInUse, OSError) as error:
        raise click.ClickException(str(error)) from error
    clock = VirtualClock() if skip_time else RealClock()
    with Service(kept, clock, observer=observe) as service:
        service.register(FUNCTION, handler)
        try:
            arn = service.start(FUNCTION, payload, name)
        except ClientError as error:
            raise click.UsageError(_refused(error, name)) from error
        for past in service.history(arn):
            screen.hear(past)
        answers = Answers(service, arn, screen, given, keyboard=sys.stdin.isatty())
        try:
            with screen:
                service.run(arn, answers.idle)
        except KeyboardInterrupt:
            screen.say(_interrupted(name, store))
            sys.exit(INTERRUPTED)
        _report(service, arn, screen, as_json=as_json)


def _report(service: Service, arn: str, screen: Screen, *, as_json: bool) -> None:
    """Print how an execution ended, and exit."""
    found = service.describe(arn)
    status = found["Status"]
    story = screen.story
    took = elapsed((found.get("EndTimestamp") or service.now()) - found["StartTimestamp"])
    times = "1 invocation" if story.invocations == 1 else f"{story.invocations} invocations"
    screen.say(f"{status} after {took}, {times}")
    error = found.get("Error") or {}
    if as_json:
        whole = {
            "name": found["DurableExecutionName"],
            "arn": arn,
            "status": status,
            "result": orjson.loads(found["Result"]) if found.get("Result") else None,
            "error": error or None,
            "invocations": story.invocations,
        }
        click.echo(orjson.dumps(whole, option=orjson.OPT_INDENT_2))
    elif status == "SUCCEEDED":
        value = orjson.loads(found["Result"]) if found.get("Result") else None
        click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))
    if status == "SUCCEEDED":
        sys.exit(0)
    for callback in service.pending_callbacks(arn):
        name = callback.path
        screen.say(f"it waits for callback {name!r}: run it again with --callback '{name}=JSON'")
    if error:
        screen.say(_block(error))
    sys.exit(1)


def _block(error: Mapping[str, Any]) -> str:
    """Write an error as one readable block."""
    lines = [f"{error.get('ErrorType', 'Error')}: {error.get('ErrorMessage', '')}"]
    for entry in error.get("StackTrace") or ():
        lines += [f"  {line}" for line in entry.rstrip().splitlines()]
    return "\n".join(lines)


def _refused(error: ClientError, name: str) -> str:
    if error.response["Error"]["Code"] == "DurableExecutionAlreadyStartedException":
        return f"an execution named {name!r} is in the store, with another event: use another --name"
    return str(error.response["Error"]["Message"])


def _interrupted(name: str, store: str | None) -> str:
    if store is None:
        return "interrupted; it lived in memory and is gone. With --store FILE it can go on"
    return f"interrupted; the same command with --name {name} --store {store} goes on with it"


def _logs(screen: Screen) -> None:
    """Show what workflows log; what the library logs is in the report."""

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            data = getattr(record, "data", None)
            more = "".join(f" {key}={value}" for key, value in (data or {}).items())
            screen.say(f"{record.levelname.lower()}: {record.getMessage()}{more}")

    logger = logging.getLogger("durable_gen")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    workflow = logging.getLogger("durable_gen.workflow")
    workflow.addHandler(Lines())
    workflow.setLevel(logging.INFO)
