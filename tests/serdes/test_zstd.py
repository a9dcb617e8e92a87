"""Zstd: smaller where that pays, and never more than its limit."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_gen import DeserializationError, Json, UsageError
from durable_gen.codecs import Zstd
from durable_gen.codecs._zstd import zstd
from serdes.values import INFO, READ, misread, refusal

TEXT = b"tea and cups " * 50


@given(st.binary(max_size=300), st.integers(1, 40))
def test_bytes_that_are_compressed_then_they_come_back_and_are_smaller_even_as_base64(data, times):
    """What is compressed comes back; what would not be smaller is left as it is."""
    packed = Zstd().encode(data * times, INFO)
    if packed is None:
        return
    assert data * times == Zstd().decode(packed, READ)
    assert (len(packed) + 2) // 3 * 4 <= len(data * times)


@pytest.mark.parametrize(
    "data", [b"", b"a" * 127, os.urandom(1000)], ids=["none", "short", "random"]
)
def test_bytes_that_compression_does_not_pay_for_then_they_are_left(data):
    """A value that would not get smaller is stored as it is."""
    assert None is Zstd().encode(data, INFO)


def test_every_level_then_it_is_read_alike():
    """The level is how hard it tries, and no matter for reading."""
    assert [TEXT, TEXT] == [Zstd().decode(Zstd(n).encode(TEXT, INFO), READ) for n in (1, 22)]


def frame(data, **options):
    return zstd().compress(data, **options)


DAMAGED = {
    "cut": (lambda: frame(TEXT)[:-3], "its end is missing"),
    "nothing": (lambda: b"", "its end is missing"),
    "more": (lambda: frame(TEXT) + b"x", "something follows its end"),
    "twice": (lambda: frame(TEXT) * 2, "something follows its end"),
    "too much": (
        lambda: frame(b"x" * 2001),
        "it unpacks to more than the 2000 bytes of Zstd(limit=...)",
    ),
    "bomb": (
        lambda: frame(bytes(300_000_000)),
        "it unpacks to more than the 2000 bytes of Zstd(limit=...)",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_frame_that_is_damaged_or_too_large_then_it_is_refused(case):
    """A frame is unpacked whole or not at all, and never past the limit."""
    make, why = DAMAGED[case]
    assert f"step 'charge': its stored value cannot be unpacked: {why}" == misread_frame(make())


def misread_frame(data):
    class Frame(Zstd):
        """Stores a frame that is given."""

        def encode(self, ignored, info):
            return data

    return misread(Json() | Zstd(limit=2000), (Json() | Frame()).dumps(None, INFO))


def test_bomb_then_little_memory_is_taken():
    """A frame of 300 MB of nothing costs no more than the limit to refuse."""
    import tracemalloc

    bomb = frame(bytes(300_000_000))
    tracemalloc.start()
    try:
        misread_frame(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_frame_with_any_byte_changed_then_it_is_refused_or_reads_the_same():
    """The checksum is part of the frame: no byte of it changes what is read."""
    whole = Zstd().encode(TEXT, INFO)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 0x55
        try:
            found = Zstd(limit=10_000).decode(bytes(changed), READ)
        except DeserializationError:
            continue
        assert TEXT == found


def test_value_over_the_limit_then_it_is_refused_when_it_is_written():
    """What could not be read back is not written."""
    assert (
        "step 'charge': its value takes 102 bytes, and Zstd(limit=101) would not unpack more than its "
        "limit again: raise it, or put less into the value"
    ) == refusal(Json() | Zstd(limit=101), "x" * 100)


@pytest.mark.parametrize("options", [{"level": 0}, {"level": 23}, {"limit": 0}, {"level": "high"}])
def test_option_out_of_range_then_it_is_refused(options):
    """Bad options are refused when the codec is made."""
    with pytest.raises(UsageError):
        Zstd(**options)
