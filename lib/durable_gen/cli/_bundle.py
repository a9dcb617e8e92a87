"""`durable-gen bundle`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from attrs import frozen
from rich.console import Console
from rich.table import Table
from rich.text import Text

from durable_gen.cli import _pack, _wheels
from durable_gen.cli._pack import Packed, Target

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
PYTHONS = ("3.12", "3.13", "3.14")
MOST = 250 << 20  # bytes unzipped, with all layers (Lambda's quotas)
MOST_ZIPPED = (
    50 << 20
)  # bytes of a zip that is sent to Lambda; what comes by way of S3 may have more
SHOWN = 8  # packages in the report
EXISTING = click.Path(exists=True, path_type=Path)


@frozen
class Wish:
    """What is to be bundled.

    Attributes:
        code: the function's folder or file.
        requirements: a file of what it needs.
        target: where it is to run.
        layer: whether it is to be a layer.
        botocore: whether botocore is put in, rather than the runtime's taken.
        services: those whose models are kept of botocore's; all if there are none.
        compiled: whether byte-code is put in.
    """

    code: Path | None
    requirements: Path | None
    target: Target
    layer: bool
    botocore: bool
    services: Sequence[str]
    compiled: bool

    @property
    def prefix(self) -> str:
        """The folder in the zip that Python's path has."""
        return "python/" if self.layer else ""

    def files(self, output: Path) -> tuple[Path, list[Path]]:
        """List the code's files: a folder, and paths relative to it."""
        if self.code is None:
            return Path(), []
        if self.code.is_dir():
            return self.code, list(_pack.written(self.code, output))
        return self.code.parent, [Path(self.code.name)]


@click.command()
@click.argument("code", metavar="[PATH]", type=EXISTING, required=False)
@click.option(
    "--requirements",
    "-r",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What it needs, as for pip. [default: PATH/requirements.txt, if there is one]",
)
@click.option(
    "--output",
    "-o",
    metavar="FILE.zip",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The zip that is written.",
)
@click.option("--layer", is_flag=True, help="Make a layer: everything is below python/.")
@click.option(
    "--arch",
    type=click.Choice(list(_pack.MACHINES)),
    default="x86_64",
    show_default=True,
    help="The function's architecture.",
)
@click.option(
    "--python",
    type=click.Choice(PYTHONS),
    default=HERE if HERE in PYTHONS else PYTHONS[1],
    show_default=True,
    help="The function's runtime.",
)
@click.option(
    "--runtime-botocore", is_flag=True, help="Leave botocore out, and use the runtime's own."
)
@click.option(
    "--services",
    metavar="NAME,...",
    default="",
    help="Keep only these services' models of botocore's; lambda is always kept. [default: all]",
)
@click.option(
    "--byte-code/--no-byte-code",
    "compiled",
    default=None,
    help="Put byte-code in, so that a cold start need not compile. [default: if this Python is"
    " of the runtime's version]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def bundle(
    code: Path | None,
    requirements: Path | None,
    output: Path,
    layer: bool,
    arch: str,
    python: str,
    runtime_botocore: bool,
    services: str,
    compiled: bool | None,
    as_json: bool,
) -> None:
    """Bundle the function in PATH, with what it needs, as a zip or a layer for AWS Lambda.

    Wheels for the function's platform are installed by pip; this library is put in as it stands
    here, unless the requirements name it. Without PATH, a layer has the requirements alone. The
    same input gives the same bytes.
    """
    if code is None and not layer:
        msg = "name the folder of the function's code, or give --layer"
        raise click.UsageError(msg)
    if compiled and python != HERE:
        msg = f"--byte-code for {python} needs Python {python}, and this is {HERE}"
        raise click.UsageError(msg)
    if requirements is None and code is not None and (code / "requirements.txt").is_file():
        requirements = code / "requirements.txt"
    if not output.absolute().parent.is_dir():
        msg = f"--output {output}: there is no directory {output.absolute().parent}"
        raise click.UsageError(msg)
    chosen = [name for name in services.split(",") if name]
    wish = Wish(
        code=code,
        requirements=requirements,
        target=Target(python, arch),
        layer=layer,
        botocore=not runtime_botocore,
        services=["lambda", *chosen] if chosen else [],
        compiled=python == HERE if compiled is None else compiled,
    )
    console = Console(emoji=False, highlight=False, stderr=as_json)
    try:
        with _status(Console(stderr=True, emoji=False, highlight=False)) as say:
            packed = make(wish, output, say)
    except (_pack.Unfit, _wheels.Missing) as error:
        raise click.ClickException(str(error)) from error
    yours = frozenset(path.parts[0] for path in wish.files(output)[1])
    sizes = _pack.packages(packed, wish.prefix, yours)
    size, zipped = sum(one.size for one in packed), output.stat().st_size
    if as_json:
        click.echo(json.dumps(_facts(wish, output, sizes, size, zipped), indent=2))
    else:
        _report(console, wish, output, sizes, size, zipped)
    if size > MOST:
        msg = (
            f"{output} takes {_megabytes(size)} unzipped, and Lambda takes {_megabytes(MOST)} at "
            "most, all layers included: leave something out (--services, --runtime-botocore), or "
            "deploy a container"
        )
        raise click.ClickException(msg)


def make(wish: Wish, output: Path, say: Any) -> list[Packed]:
    """Make a bundle.

    Args:
        wish: what is to be in it.
        output: the zip.
        say: told what is under way.

    Returns:
        What is in it.

    Raises:
        Unfit: native code of another platform.
        Missing: something has no wheel for the platform.
    """
    with tempfile.TemporaryDirectory(prefix="durable-gen-") as folder:
        site, staged = Path(folder, "site"), Path(folder, "staged")
        site.mkdir()
        root = staged / wish.prefix
        root.mkdir(parents=True)
        given = _wheels.names_this(wish.requirements)
        own = [] if given else _wheels.own_requirements(botocore=wish.botocore)
        _wheels.install(own, wish.requirements, wish.target, site, say)
        if not given:
            _wheels.copy_this(site)
        say("Putting it together")
        _pack.stage(site, _pack.needed(site, wish.services), root)
        _pack.stage(*wish.files(output), root)
        _pack.check(root, wish.target)
        if wish.compiled:
            say("Compiling")
            _compile(staged, "/opt" if wish.layer else "/var/task")
        say("Packing")
        return _pack.pack(staged, output)


def _compile(folder: Path, there: str) -> None:
    """Put byte-code beside its source, valid whatever the source's date; what is no Python stays."""
    mode = ["--invalidation-mode", "unchecked-hash"]
    command = [sys.executable, "-I", "-m", "compileall", "-qq", *mode]
    subprocess.run(  # noqa: S603 - our own words
        [*command, "-s", str(folder), "-p", there, str(folder)], check=False
    )


@contextmanager
def _status(console: Console) -> Iterator[Any]:
    """Show what is under way in a terminal; elsewhere nothing."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield lambda _: None
        return
    with console.status("Collecting wheels") as status:
        yield lambda line: status.update(line[: console.width - 4])


def _facts(
    wish: Wish, output: Path, sizes: dict[str, tuple[int, int]], size: int, zipped: int
) -> dict[str, Any]:
    return {
        "output": str(output),
        "layer": wish.layer,
        "runtime": f"python{wish.target.python}",
        "architecture": wish.target.arch,
        "byte_code": wish.compiled,
        "unzipped": size,
        "zipped": zipped,
        "limits": {"unzipped": MOST, "zipped": MOST_ZIPPED},
        "packages": {
            name: {"unzipped": part, "zipped": packed} for name, (part, packed) in sizes.items()
        },
    }


def _report(
    console: Console,
    wish: Wish,
    output: Path,
    sizes: dict[str, tuple[int, int]],
    size: int,
    zipped: int,
) -> None:
    kind = "layer" if wish.layer else "function"
    code = "with byte-code" if wish.compiled else "without byte-code"
    console.print(
        Text.assemble(
            (output.name, "bold"),
            f": a {kind} for python{wish.target.python} on {wish.target.arch}, {code}",
        ),
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
    table.add_column("package", footer="all")
    table.add_column("unzipped", justify="right")
    table.add_column("zipped", justify="right")
    names = list(sizes)
    rest = names[SHOWN:] if len(names) > SHOWN + 1 else []
    for name in names[: len(names) - len(rest)]:
        table.add_row(name, *map(_megabytes, sizes[name]))
    if rest:
        sums = (sum(sizes[name][part] for name in rest) for part in (0, 1))
        table.add_row(f"{len(rest)} more", *map(_megabytes, sums), style="dim")
    too_large = "red" if size > MOST else "bold"
    table.add_row("all", _megabytes(size), _megabytes(zipped), style=too_large)
    table.add_row("Lambda takes", _megabytes(MOST), _megabytes(MOST_ZIPPED), style="dim")
    console.print(table)
    if zipped > MOST_ZIPPED:
        console.print("It is too large to be sent to Lambda as it is: put it into S3 first.")
    if wish.target.python != HERE:
        console.print(
            f"pip read the requirements' conditions as on Python {HERE}: if some depend on the "
            f"version, bundle with {wish.target.python}.",
            style="yellow",
            soft_wrap=True,
        )


def _megabytes(size: int) -> str:
    """Write a size as Lambda's quotas do: a megabyte is 1,048,576 bytes."""
    small = size < (1 << 20) // 10
    return f"{size / (1 << 10):.1f} kB" if small else f"{size / (1 << 20):.1f} MB"
