"""Zstd makes values smaller, where that pays."""

from __future__ import annotations

from functools import cache
from typing import Any

from durable_gen import _check
from durable_gen._serde import SerdeInfo
from durable_gen.codecs._chain import Codec, installed
from durable_gen.errors import DeserializationError, SerializationError, UsageError

LEAST = 128  # bytes: what stands around a frame takes as many
LIMIT = 64 * 1024 * 1024  # bytes: half of the memory of Lambda's smallest function
WINDOW = 27  # 128 MiB: what zstd itself takes at most without being told


@cache
def zstd() -> Any:
    """Import the library: the interpreter's own from 3.14 on."""
    try:
        from compression import zstd as found  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        from backports import zstd as found
    return found


class Zstd(Codec):
    """Compresses values with Zstandard, unless that makes them no smaller.

    Args:
        level: how hard it tries, 1 to 22.
        limit: bytes that a value may take when it is not compressed: more is refused when it is
            written, and never unpacked when it is read.

    Raises:
        UsageError: an option is out of range, or the extra `zstd` is not installed.
    """

    name = "zstd"

    def __init__(self, level: int = 3, limit: int = LIMIT) -> None:
        self.level = _check.whole("Zstd(level=...)", level)
        if level > 22:
            msg = f"Zstd(level=...) must be from 1 to 22, not {level!r}"
            raise UsageError(msg)
        self.limit = _check.whole("Zstd(limit=...)", limit)
        if not installed("compression.zstd") and not installed("backports.zstd"):
            msg = "Zstd() needs a package: pip install 'durable_gen[zstd]'"
            raise UsageError(msg)

    def __repr__(self) -> str:
        return "Zstd()"

    def encode(self, data: bytes, info: SerdeInfo) -> bytes | None:
        """Compress, if it pays.

        Raises:
            SerializationError: the value is over the limit.
        """
        if len(data) > self.limit:
            msg = (
                f"{info.what}: its value takes {len(data)} bytes, and Zstd(limit={self.limit}) would "
                "not unpack more than its limit again: raise it, or put less into the value"
            )
            raise SerializationError(msg)
        if len(data) < LEAST:
            return None
        library = zstd()
        parameter = library.CompressionParameter
        options = {parameter.compression_level: self.level, parameter.checksum_flag: 1}
        packed: bytes = library.compress(data, options=options)
        return packed if 4 * len(packed) < 3 * len(data) else None  # base64 takes 4 bytes for 3

    def decode(self, data: bytes, info: SerdeInfo) -> bytes:
        """Unpack, up to the limit.

        Raises:
            DeserializationError: it is damaged, or over the limit.
        """
        library = zstd()
        options = {library.DecompressionParameter.window_log_max: WINDOW}
        unpacking = library.ZstdDecompressor(options=options)
        try:
            value: bytes = unpacking.decompress(data, max_length=self.limit + 1)
        except library.ZstdError as error:
            why = str(error)
        else:
            if len(value) > self.limit:
                why = f"it unpacks to more than the {self.limit} bytes of Zstd(limit=...)"
            elif not unpacking.eof:
                why = "its end is missing"
            elif unpacking.unused_data:
                why = "something follows its end"
            else:
                return value
        msg = f"{info.what}: its stored value cannot be unpacked: {why}"
        raise DeserializationError(msg)
