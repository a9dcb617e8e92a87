"""Installs what a function needs for another platform: wheels by pip, and this library as it stands here."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import Distribution, distribution
from pathlib import Path

from durable_gen._version import VERSION
from durable_gen.cli._pack import Target

NAME = "durable_gen"
FOR_DEVELOPERS = {"cli", "local", "testing"}  # what runs nowhere but on a developer's machine
GLIBC = range(34, 4, -1)  # Amazon Linux 2023, which runs Python 3.12 and later, has 2.34
LINUX = {"x86_64": "x86_64", "arm64": "aarch64"}
NAMED = re.compile(r"^\s*durable[-_.]gen\b", re.MULTILINE | re.IGNORECASE)


class Missing(ValueError):  # noqa: N818 - it says what to do instead
    """Something that cannot be installed for a platform."""


def own_requirements(*, botocore: bool) -> list[str]:
    """List what this library needs at run time.

    Args:
        botocore: whether botocore is among it.
    """
    found = [one for one in _own().requires or () if "extra ==" not in one]
    return [one for one in found if botocore or not one.startswith("botocore")]


def names_this(requirements: Path | None) -> bool:
    """Tell whether a file of requirements asks for this library itself."""
    return requirements is not None and NAMED.search(requirements.read_text("utf-8")) is not None


def copy_this(into: Path) -> None:
    """Install this library as it stands here: it is Python alone, whatever it was installed from."""
    here = Path(__file__).parent.parent
    for path in sorted(here.rglob("*")):
        relative = path.relative_to(here)
        if path.is_file() and relative.parts[0] not in FOR_DEVELOPERS:
            there = into / NAME / relative
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(path.read_bytes())
    metadata = into / f"{NAME}-{VERSION}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(_own().read_text("METADATA") or "", "utf-8")


def _own() -> Distribution:
    return distribution(NAME)


def install(
    wanted: Sequence[str],
    requirements: Path | None,
    target: Target,
    into: Path,
    say: Callable[[str], None],
) -> None:
    """Install wheels for a platform.

    Args:
        wanted: requirements.
        requirements: a file of more.
        target: the platform.
        into: the folder.
        say: told what is under way.

    Raises:
        Missing: something has no wheel for the platform, or pip fails.
    """
    if importlib.util.find_spec("pip") is None:
        msg = f"bundle needs pip beside {sys.executable}: python -m ensurepip"
        raise Missing(msg)
    linux = LINUX[target.arch]
    platforms = [f"manylinux_2_{minor}_{linux}" for minor in GLIBC]
    platforms += [f"manylinux2014_{linux}", f"linux_{linux}"]
    command = [
        *(sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"),
        *("--target", str(into), "--no-compile", "--only-binary=:all:", "--progress-bar=off"),
        *("--implementation", "cp", "--python-version", target.python),
        *(f"--platform={platform}" for platform in platforms),
        *(("-r", str(requirements)) if requirements is not None else ()),
        *wanted,
    ]
    problems: list[str] = []
    with subprocess.Popen(  # noqa: S603 - pip, with the user's own requirements
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            if line.startswith(("Collecting ", "Processing ", "Installing ")):
                say(line.strip())
            if line.startswith("ERROR: "):
                problems.append(line.removeprefix("ERROR: ").strip())
    if pip.returncode:
        raise Missing(_why(problems, target))


def _why(problems: Sequence[str], target: Target) -> str:
    """Say what pip could not install, and what helps."""
    for problem in problems:
        if found := re.match(r"No matching distribution found for (.+)", problem):
            return (
                f"{found[1]} has no wheel for {target}: take a version that has one, or build one "
                "on such a machine (pip wheel) and name the file in the requirements"
            )
        if found := re.match(r"(\S+\.whl) is not a supported wheel", problem):
            return f"{found[1]} is not for {target}: name one that is"
    return "pip failed: " + ("\n".join(problems) or "it did not say why")
