"""Files on a mounted path hold large values."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from durable_gen import _faults
from durable_gen._serde import SerdeInfo
from durable_gen.codecs._offload import ABOVE, Offload
from durable_gen.errors import DeserializationError, SerializationError, UsageError


class Files(Offload):
    """Stores large values in files, on a path that all of the function's environments mount.

    On Lambda that is one of Amazon EFS or S3 Files. `/tmp` will not do: each environment has its own.
    A file appears under its name when all of it is on the disk. Nothing is deleted: see the docs.

    Args:
        path: the directory; it must be there.
        above: bytes: a value that takes no more is stored with its operation as usual.
        name: what stored values call it; another one for a second path.

    Raises:
        UsageError: an option is out of range.
    """

    def __init__(
        self, path: str | os.PathLike[str], above: int = ABOVE, *, name: str = "file"
    ) -> None:
        super().__init__("Files", above, name)
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            msg = f"Files(path) must be a directory's path, not {path!r}"
            raise UsageError(msg)
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Files({str(self.path)!r})"

    def where(self, name: str) -> str:
        """Name a file below the path, which may be mounted elsewhere another time."""
        return name

    def shown(self, name: str) -> str:
        """Give a file's whole path."""
        return str(self.path / name)

    def write(self, name: str, data: bytes, digest: bytes, info: SerdeInfo) -> None:  # noqa: ARG002
        """Write a file under another name, and rename it when it is on the disk.

        A file of this name has the same content, by its digest; replacing it changes nothing.
        """
        path = self.path / name
        try:
            if not path.parent.is_dir():
                with suppress(FileExistsError):
                    path.parent.mkdir()
                _sync(self.path)
            other = path.parent / f".{token_hex(8)}"
            try:
                with other.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                other.replace(path)
            except BaseException:
                with suppress(OSError):
                    other.unlink()
                raise
            _sync(path.parent)
        except OSError as error:
            if _faults.passes(error):
                raise
            there = (
                "" if self.path.is_dir() else f"; there is no directory {self.path}: is it mounted?"
            )
            msg = f"{info.what}: its value cannot be written to {path}: {error.strerror}{there}"
            raise SerializationError(msg) from error

    def read(self, name: str, size: int, info: SerdeInfo) -> bytes:
        """Read a file."""
        path = self.path / name
        try:
            with path.open("rb") as file:
                return file.read(size + 1)
        except FileNotFoundError as error:
            hint = "was it deleted before the execution was over?"
            if not self.path.is_dir():
                hint = f"there is no directory {self.path}: is it mounted?"
            msg = f"{info.what}: its stored value is not at {path}: {hint}"
            raise DeserializationError(msg) from error
        except OSError as error:
            if _faults.passes(error):
                raise
            msg = f"{info.what}: its stored value at {path} cannot be read: {error.strerror}"
            raise DeserializationError(msg) from error


def _sync(directory: Path) -> None:
    """Have a directory's entries on the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
