"""The command line: `durable-gen`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; say what to install when its packages are missing."""
    try:
        from durable_gen.cli._commands import group
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.exit(f"durable-gen needs {error.name}: pip install 'durable_gen[cli]'")
    group(prog_name="durable-gen")
