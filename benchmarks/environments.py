"""Environments that benchmarks make for themselves: a virtual one each, with nothing but a package and what it needs."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).parent.parent
AWS_TESTING = "aws-durable-execution-sdk-python-testing ~= 1.4"


def environment(name: str, package: str, console: Console) -> Path | None:
    """Install a package into `.venv-NAME-*`, which is made if it is missing.

    Args:
        name: of the environment.
        package: what pip is to install; a folder is installed anew each time.
        console: is told what is done, and why it cannot be.

    Returns:
        The interpreter; None if the package cannot be had.
    """
    folder = ROOT / f".venv-{name}-{platform.python_version()}"
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", package]
    commands = [pip] if python.exists() else [[sys.executable, "-m", "venv", str(folder)], pip]
    if len(commands) > 1:
        console.print(f"making {folder.name} for {package}", soft_wrap=True)
    for command in commands:
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
        if ended.returncode:
            why = (ended.stdout + ended.stderr).strip().rpartition("\n")[2]
            word = f"{package} is left out: it cannot be installed ({why})"
            console.print(word, soft_wrap=True)
            return None
    return python
