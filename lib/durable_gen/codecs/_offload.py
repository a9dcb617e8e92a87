"""Large values lie elsewhere: what is stored of them says where, how large they are, and their digest.

The law: an object is written whole or not at all, and never changed. Its name has its execution, its
operation, its attempt and its digest; so a retry writes another one, and a value that was put in the place
of another operation's is refused.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from hashlib import sha256
from typing import Any

import orjson

from durable_gen import _check
from durable_gen._serde import SerdeInfo
from durable_gen.codecs._chain import Codec
from durable_gen.errors import DeserializationError, UsageError

ABOVE = 131_072  # bytes; with base64 it stays under the 256 KiB that are kept of a context's result
UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")  # as ids of operations are


class Offload(Codec):
    """Stores large values elsewhere."""

    last = True

    def __init__(self, what: str, above: int, name: str) -> None:
        self.above = _check.whole(f"{what}(above=...)", above, 0)
        if not isinstance(name, str) or not name:
            msg = f"{what}(name=...) must be text, not {name!r}"
            raise UsageError(msg)
        self.name = name

    @abstractmethod
    def where(self, name: str) -> str:
        """Say where an object lies, as it is stored and shown."""

    @abstractmethod
    def write(self, name: str, data: bytes, digest: bytes, info: SerdeInfo) -> None:
        """Write an object, whole or not at all."""

    @abstractmethod
    def read(self, name: str, size: int, info: SerdeInfo) -> bytes:
        """Read an object: no more than a byte over its size."""

    def encode(self, data: bytes, info: SerdeInfo) -> bytes | None:
        """Write what is over the threshold elsewhere, and say where.

        Raises:
            SerializationError: the store refuses it.
        """
        if len(data) <= self.above or not info.kept:
            return None
        digest = sha256(data).digest()
        name = f"{_folder(info)}/{_own(info)}{info.attempt}-{digest.hex()[:32]}"
        self.write(name, data, digest, info)
        return orjson.dumps(
            {"at": self.where(name), "bytes": len(data), "sha256": digest.hex()},
        )

    def decode(self, data: bytes, info: SerdeInfo) -> bytes:
        """Read what was written, and check that it is that.

        Raises:
            DeserializationError: it is missing, changed, or another operation's.
        """
        at, size, digest = _reference(data, info)
        file = at.rpartition("/")[2]
        name = f"{_folder(info)}/{file}"
        if not file.startswith(_own(info)) or UNSAFE.search(file) or not at.endswith(name):
            msg = (
                f"{info.what}: its stored value lies at {at!r}, and that is the place of another "
                "operation or execution"
            )
            raise DeserializationError(msg)
        where = self.where(name)
        if at != where:
            msg = (
                f"{info.what}: its stored value lies at {at!r}, and {self!r} would look at "
                f"{where!r}. To read what was stored before a move: serde=Json() | "
                f"ReadOnly(the old one) | the new one with another name="
            )
            raise DeserializationError(msg)
        found = self.read(name, size, info)
        if len(found) != size:
            has = "more" if len(found) > size else len(found)
            why = f"{size} bytes were written there, and it has {has}: it was cut or replaced"
        elif sha256(found).hexdigest() != digest:
            why = "its SHA-256 is not that of what was written there: it was changed"
        else:
            return found
        msg = f"{info.what}: its stored value at {self.shown(name)} is damaged: {why}"
        raise DeserializationError(msg)

    def shown(self, name: str) -> str:
        """Name an object in an error."""
        return self.where(name)


def _reference(data: bytes, info: SerdeInfo) -> tuple[str, int, str]:
    try:
        found: Any = orjson.loads(data)
        at, size, digest = found["at"], found["bytes"], found["sha256"]
        if [type(at), type(size), type(digest)] == [str, int, str] and len(found) == 3:
            return at, size, digest
    except (ValueError, TypeError, KeyError):
        pass
    msg = f"{info.what}: its stored value is damaged: it does not say where the value lies"
    raise DeserializationError(msg)


def _folder(info: SerdeInfo) -> str:
    """Name the folder of an execution: its name, for people, and a digest of its ARN."""
    name = info.execution_arn.rpartition("/durable-execution/")[2].partition("/")[0]
    digest = sha256(info.execution_arn.encode()).hexdigest()[:16]
    return f"{UNSAFE.sub('_', name)[:64]}-{digest}"


def _own(info: SerdeInfo) -> str:
    """Begin the names of an operation's objects."""
    id_ = info.operation_id
    return f"{id_ if PLAIN.fullmatch(id_) else sha256(id_.encode()).hexdigest()}-"
