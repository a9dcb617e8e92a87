"""Writes an error as one readable block: the user's frames down to where it was raised, class and text."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from durable_gen._failure import LIBRARY
from durable_gen.cli._story import Story, whole

CARETS = re.compile(r"\s*[~^]+\s*")  # each version of Python draws others
FROZEN = "<frozen "  # the import system's own files


def of_execution(error: Mapping[str, Any], story: Story) -> str:
    """Write why an execution failed.

    Args:
        error: the error that it ended with.
        story: its history; it holds the frames of the steps that the error came from.
    """
    text = whole(error)
    frames = list(error.get("StackTrace") or ())
    node = story.root.cause(text)
    while node is not None and node.error is not None:
        frames += [one for one in node.error.get("StackTrace") or () if one not in frames]
        node = node.cause(whole(node.error))
    return "\n".join([*_tidy(frames), text])


def of_import(error: BaseException) -> str:
    """Write why the user's file could not be imported."""
    found = traceback.extract_tb(error.__traceback__)
    lines = traceback.StackSummary.from_list(
        frame for frame in found if not _is_machinery(frame.filename)
    ).format()
    what = "".join(traceback.format_exception_only(error)).rstrip()
    return "\n".join([*_tidy(lines), what])


def _tidy(frames: Iterable[str]) -> list[str]:
    lines = [line for frame in frames for line in frame.rstrip().splitlines()]
    return [line for line in lines if not CARETS.fullmatch(line)]


def _is_machinery(filename: str) -> bool:
    standard = str(Path(traceback.__file__).parent)
    ours = filename.startswith((LIBRARY, FROZEN))
    return ours or (filename.startswith(standard) and "site-packages" not in filename)


def shown(command: Iterable[str]) -> str:
    """Write a command line so that a shell, where this one was given, reads it back."""
    path = Path(sys.argv[0])
    if path.name == "__main__.py":
        return f"python -m durable_gen.cli {shlex.join(command)}"
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    found = shutil.which(path.name)
    program = path.name if found and Path(found) == Path(sys.argv[0]) else str(path)
    return shlex.join([program, *command])
