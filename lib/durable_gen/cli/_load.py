"""Finds what the user names on the command line: a handler, an event, an answer."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import click
import orjson

from durable_gen.handler import Handler


def handler(target: str) -> Handler[Any]:
    """Import a handler.

    Args:
        target: `path/file.py:name` or `package.module:name`.

    Raises:
        click.BadParameter: there is none; the text says what was found instead.
    """
    where, _, name = target.partition(":")
    if not where or not name:
        msg = f"write FILE.py:NAME or MODULE:NAME, such as orders.py:handler, not {target!r}"
        raise click.BadParameter(msg)
    module = _file(Path(where)) if where.endswith(".py") else _module(where)
    found = getattr(module, name, None)
    if isinstance(found, Handler):
        return found
    there = ", ".join(sorted(k for k, v in vars(module).items() if isinstance(v, Handler)))
    hint = f"it has: {there}" if there else "no function in it is decorated with @durable"
    what = f"has no {name!r}" if found is None else f"{name!r} is not decorated with @durable"
    msg = f"{where}: {what}; {hint}"
    raise click.BadParameter(msg)


def _file(path: Path) -> Any:
    if not path.is_file():
        msg = f"{path}: no such file"
        raise click.BadParameter(msg)
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # annotations are looked up there
    spec.loader.exec_module(module)
    return module


def _module(name: str) -> Any:
    sys.path.insert(0, "")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        msg = f"no module is named {name!r}; a file is named with its .py: {name}.py"
        raise click.BadParameter(msg) from error


def event(text: str) -> str:
    """Read an event: JSON, or the name of a file that holds JSON.

    Raises:
        click.BadParameter: it is neither.
    """
    source = "--event"
    if not text.lstrip().startswith(("{", "[", '"')) and Path(text).is_file():
        source, text = text, Path(text).read_text(encoding="utf-8")
    try:
        orjson.loads(text)
    except ValueError as error:
        hint = "" if source != "--event" else "; it is no file either"
        msg = f"{source} is not JSON ({error}){hint}: {text!r:.60}"
        raise click.BadParameter(msg) from error
    return text


def answers(given: tuple[str, ...]) -> dict[str, bytes]:
    """Read answers to callbacks: NAME=JSON each.

    Raises:
        click.BadParameter: one is not.
    """
    found = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            orjson.loads(value)
        except ValueError as error:
            msg = f"write NAME=JSON, such as approval=true, not {text!r}"
            raise click.BadParameter(msg) from error
        found[name] = value.encode()
    return found
