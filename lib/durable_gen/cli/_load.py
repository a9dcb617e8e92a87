"""Finds what the user names on the command line: a handler, an event, an answer."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import sys
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import orjson

from durable_gen.cli import _blame
from durable_gen.handler import Handler


class Broken(click.ClickException):
    """The user's file raised when it was imported."""

    exit_code = 2

    def __init__(self, where: str, error: BaseException) -> None:
        super().__init__(f"{where} cannot be imported:\n{_blame.of_import(error)}")


def handlers(target: str) -> tuple[Handler[Any], dict[str, Handler[Any]]]:
    """Import a handler.

    Args:
        target: `path/file.py:name` or `package.module:name`.

    Returns:
        It, and all handlers of its module by their names.

    Raises:
        click.BadParameter: there is none; the text says what was found instead.
        Broken: its module raised.
    """
    where, _, name = target.partition(":")
    if not where or not name:
        msg = f"write FILE.py:NAME or MODULE:NAME, such as orders.py:handler, not {target!r}"
        raise click.BadParameter(msg, param_hint="TARGET")
    module = _file(Path(where)) if where.endswith(".py") else _module(where)
    found = getattr(module, name, None)
    all_ = {key: value for key, value in vars(module).items() if isinstance(value, Handler)}
    if isinstance(found, Handler):
        return found, all_
    there = ", ".join(sorted(all_))
    hint = f"it has: {there}" if there else "no function in it is decorated with @durable"
    what = f"has no {name!r}" if found is None else f"{name!r} is not decorated with @durable"
    msg = f"{where}: {what}; {hint}"
    raise click.BadParameter(msg, param_hint="TARGET")


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        msg = f"{path}: no such file"
        raise click.BadParameter(msg, param_hint="TARGET")
    sys.path.insert(0, str(path.resolve().parent))
    name = path.stem if path.stem not in sys.modules else f"{path.stem} of the command line"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # annotations are looked up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise Broken(str(path), error) from error
    return module


def _module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if not missing or not f"{name}.".startswith(f"{missing}."):
            raise Broken(name, error) from error
        msg = f"no module is named {name!r}; a file is named with its .py: {name}.py"
        raise click.BadParameter(msg, param_hint="TARGET") from error


def function_name(target: str, execution: str) -> str:
    """Name what an execution runs: by target and name, so that no other run of the store moves it.

    Args:
        target: as it was given; where the file lies does not matter.
        execution: the execution's name.

    Returns:
        A name that Lambda would take.
    """
    where, _, name = target.partition(":")
    stem = Path(where).stem if where.endswith(".py") else where.rpartition(".")[2]
    both = f"{stem}:{name}:{execution}".encode()
    word = re.sub(r"[^a-zA-Z0-9_-]", "_", f"{stem}-{name}")
    return f"{word[:50]}-{blake2b(both, digest_size=4).hexdigest()}"


def event(text: str) -> str:
    """Read an event: JSON, or the name of a file that holds JSON.

    Returns:
        It as JSON on one line: how it was laid out does not matter.

    Raises:
        click.BadParameter: it is neither.
    """
    source = None
    if not text.lstrip().startswith(("{", "[", '"')) and os.path.isfile(text):  # noqa: PTH113 - a long text is no error
        source = text
        try:
            text = Path(text).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            msg = f"{source} cannot be read: {error}"
            raise click.BadParameter(msg, param_hint="--event") from error
    try:
        value = json.loads(text, parse_constant=_no_json)
    except ValueError as error:
        hint = "is not JSON" if source else "is neither a file nor JSON"
        msg = f"{source or _cut(text)} {hint}: {error}"
        raise click.BadParameter(msg, param_hint="--event") from error
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _no_json(word: str) -> None:
    msg = f"{word} is no JSON"
    raise ValueError(msg)


def _cut(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def answers(given: tuple[str, ...]) -> dict[str, bytes]:
    """Read answers to callbacks: NAME=JSON each.

    Raises:
        click.BadParameter: one is not.
    """
    found = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            orjson.loads(value if name else "")
        except ValueError as error:
            msg = f"write NAME=JSON, such as approval=true, not {text!r}"
            raise click.BadParameter(msg, param_hint="--callback") from error
        found[name] = value.encode()
    return found
