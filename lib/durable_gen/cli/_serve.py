"""`durable-gen serve`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--template",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A SAM template: its functions are served under their logical ids.",
)
@click.option(
    "--code",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder that handlers are imported from; else the template's, or this one.",
)
@click.option(
    "--function",
    "functions",
    metavar="NAME=MODULE:ATTR",
    multiple=True,
    help="A durable function; may be given for several.",
)
@click.option(
    "--port", metavar="N", type=click.IntRange(0, 65_535), default=0, help="[default: any]"
)
@click.option("--host", "address", default="127.0.0.1", show_default=True, help="Where it listens.")
@click.option(
    "--log",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What functions print is appended to it.",
)
@click.option(
    "--store",
    metavar="PATH",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The SQLite file that executions live in; else they end with the service.",
)
@click.option("--skip-time", is_flag=True, help="Jump to the next timer instead of waiting for it.")
@click.option(
    "--lambda-endpoint", "endpoint", metavar="URL", help="Another host runs the functions."
)
@click.option(
    "--in-process", is_flag=True, help="Run the functions in this process, to debug them."
)
@click.option(
    "--sandboxes",
    metavar="N",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="Processes that may run functions at once.",
)
def serve(
    template: Path | None,
    code: Path | None,
    functions: tuple[str, ...],
    port: int,
    address: str,
    log: Path | None,
    store: Path | None,
    skip_time: bool,
    endpoint: str | None,
    in_process: bool,
    sandboxes: int,
) -> None:
    """Serve functions as AWS Lambda does, durable executions included, until Ctrl-C or SIGTERM.

    Any Lambda client can use it: it prints how to point one at it. Functions run in sandbox
    processes, one invocation at a time each, and are loaded anew when their code changes.
    """
    try:
        from durable_gen.local._serve import Options, Unservable
        from durable_gen.local._serve import serve as run
    except ImportError as error:
        msg = f"serve needs {error.name}: pip install 'durable_gen[local]'"
        raise click.UsageError(msg) from error
    from durable_gen.local import StoreInUse

    if endpoint is not None and in_process:
        msg = "--lambda-endpoint and --in-process exclude each other: functions run in one place"
        raise click.UsageError(msg)
    options = Options(
        code=code or (template.parent if template else Path.cwd()),
        template=template,
        functions=dict(map(_pair, functions)),
        port=port,
        address=address,
        log=log,
        store=store,
        skip_time=skip_time,
        endpoint=endpoint,
        in_process=in_process,
        sandboxes=sandboxes,
    )
    try:
        run(options, click.echo)
    except (Unservable, StoreInUse) as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        msg = f"{address}:{port} cannot be listened at: {error.strerror or error}"
        raise click.UsageError(msg) from error


def _pair(text: str) -> tuple[str, str]:
    name, _, target = text.partition("=")
    if not name or not target:
        msg = f"write NAME=MODULE:ATTR, such as Orders=orders:handler, not {text!r}"
        raise click.BadParameter(msg, param_hint="--function")
    return name, target
