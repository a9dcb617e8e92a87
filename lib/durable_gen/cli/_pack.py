"""Packs files for Lambda: what a function needs of them, for its platform, the same bytes every time."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from attrs import frozen

MACHINES = {"x86_64": 62, "arm64": 183}  # e_machine of ELF
MAGIC = {
    b"\xcf\xfa\xed\xfe": "macOS",
    b"\xce\xfa\xed\xfe": "macOS",
    b"\xca\xfe\xba\xbe": "macOS",
    b"MZ": "Windows",
}
NATIVE = re.compile(r"\.(?:so|pyd|dylib|dll)(?:\.[\d.]+)?$")
TAG = re.compile(r"\.(?:cpython-|cp)3(\d+)")
KEPT = (
    re.compile(  # of a package's metadata: what importlib.metadata reads, and what licences ask for
        r"METADATA$|entry_points\.txt$|top_level\.txt$|(?i:licen[cs]e|copying|notice|authors)"
    )
)
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first that a zip can name
YOURS = "your code"
WASTE = {".pyc", ".pyo", ".pyi"}


class Unfit(ValueError):  # noqa: N818 - it says what to do instead
    """A file that Lambda cannot use."""


@frozen
class Target:
    """Where a bundle is to run.

    Attributes:
        python: its version, as in `3.13`.
        arch: x86_64 or arm64, as Lambda names it.
    """

    python: str
    arch: str

    def __str__(self) -> str:
        return f"CPython {self.python} on Linux for {self.arch}"


@frozen
class Packed:
    """A file in a bundle.

    Attributes:
        name: its path in the zip.
        size: bytes.
        zipped: bytes.
    """

    name: str
    size: int
    zipped: int


def needed(folder: Path, services: Iterable[str] = ()) -> Iterator[Path]:
    """List the files of installed packages that a function needs.

    Args:
        folder: where they are installed.
        services: those whose models are kept of botocore's; all if there are none.

    Yields:
        Paths relative to the folder.
    """
    keep = set(services)
    for path in _files(folder):
        parts = path.relative_to(folder).parts
        own = parts[1:-1]
        if parts[0] == "bin" or "__pycache__" in parts or path.suffix in WASTE or "tests" in own:
            continue
        if parts[0].endswith(".dist-info") and not KEPT.match(path.name):
            continue
        model = parts[:2] == ("botocore", "data") and len(parts) > 3
        if keep and model and parts[2] not in keep:
            continue
        yield path.relative_to(folder)


def written(folder: Path, output: Path) -> Iterator[Path]:
    """List the files of a user's folder that are a function's code.

    Left out: what is hidden, byte-code, `tests`, virtual environments, and the bundle itself.

    Yields:
        Paths relative to the folder.
    """
    for path in _files(folder):
        relative = path.relative_to(folder)
        parts = relative.parts
        if any(part.startswith(".") or part == "__pycache__" for part in parts):
            continue
        if parts[0] == "tests" or path.suffix in WASTE or parts[0].endswith(".egg-info"):
            continue
        if any((folder / parent / "pyvenv.cfg").exists() for parent in relative.parents):
            continue
        if path.resolve() != output.resolve():
            yield relative


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def stage(folder: Path, files: Iterable[Path], into: Path) -> None:
    """Copy files with their executable bits."""
    for relative in files:
        there = into / relative
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / relative, there)


def check(folder: Path, target: Target) -> None:
    """Refuse native code of another platform.

    Args:
        folder: what is to be bundled.
        target: where it is to run.

    Raises:
        Unfit: there is some; the text names it.
    """
    for path in _files(folder):
        if NATIVE.search(path.name) is None:
            continue
        found = _foreign(path, target)
        if found is not None:
            msg = (
                f"{path.relative_to(folder)} is for {found}, and the function runs {target}: "
                "leave it out of the code, and name its package in the requirements"
            )
            raise Unfit(msg)


def _foreign(path: Path, target: Target) -> str | None:
    """Tell what other platform a file is for."""
    with path.open("rb") as file:
        head = file.read(20)
    for magic, system in MAGIC.items():
        if head.startswith(magic):
            return system
    if not head.startswith(b"\x7fELF"):
        return None
    machine = int.from_bytes(head[18:20], "little")
    if machine != MACHINES[target.arch]:
        names = {number: name for name, number in MACHINES.items()}
        return names.get(machine, f"machine {machine}")
    tag = TAG.search(path.name)
    if tag is not None and f"3.{tag[1]}" != target.python:
        return f"CPython 3.{tag[1]}"
    return None


def pack(folder: Path, output: Path) -> list[Packed]:
    """Zip a folder: the same files give the same bytes.

    Args:
        folder: what to zip.
        output: the zip; it appears when it is whole.

    Returns:
        What is in it, by name.
    """
    half = output.with_name(f".{output.name}.part")
    try:
        with zipfile.ZipFile(half, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for path in sorted(_files(folder), key=lambda one: one.relative_to(folder).as_posix()):
                info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
                info.create_system = 3  # Unix, wherever this runs
                info.compress_type = zipfile.ZIP_DEFLATED
                mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
                info.external_attr = (0o100000 | mode) << 16
                archive.writestr(info, path.read_bytes(), compresslevel=9)
            entries = archive.infolist()
        half.replace(output)
    finally:
        half.unlink(missing_ok=True)
    return [Packed(entry.filename, entry.file_size, entry.compress_size) for entry in entries]


def packages(
    files: Iterable[Packed], prefix: str, own: frozenset[str]
) -> dict[str, tuple[int, int]]:
    """Sum up sizes by package: the user's code, then the largest first.

    Args:
        files: what is in a bundle.
        prefix: the folder in the zip that packages are in, or nothing.
        own: the first parts of the paths of the user's code.

    Returns:
        Name -> bytes unzipped, bytes zipped.
    """
    found: dict[str, tuple[int, int]] = {}
    yours = {name.partition(".")[0] for name in own}
    for file in files:
        first, *rest = PurePosixPath(file.name.removeprefix(prefix)).parts
        name = (rest[0] if first == "__pycache__" else first).partition(".")[0]
        if first.endswith(".dist-info"):
            name = "metadata and licences"
        elif name in yours:
            name = YOURS
        size, zipped = found.get(name, (0, 0))
        found[name] = (size + file.size, zipped + file.zipped)
    return dict(sorted(found.items(), key=lambda item: (item[0] != YOURS, -item[1][0], item[0])))
