"""Ids come from positions: the same for ever, in every language that speaks to the service."""

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_gen._ids import operation_id

ROOT_1 = "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"


def by_hand(text):
    """Say the rule once more: 64 hex digits of the 128 of BLAKE2b."""
    return blake2b(text.encode("utf-8")).hexdigest()[:64]


def test_first_operation_of_the_root_then_its_id_is_the_golden_one():
    """The id of the first operation is what every SDK makes of it."""
    assert ROOT_1 == operation_id(None, 1)


@pytest.mark.parametrize(
    ("prefix", "position", "text"),
    [
        (None, 1, "1"),
        (None, 2, "2"),
        (None, 10_000, "10000"),
        (ROOT_1, 0, f"{ROOT_1}-0"),
        (ROOT_1, 1, f"{ROOT_1}-1"),
        (ROOT_1, 12, f"{ROOT_1}-12"),
    ],
)
def test_position_then_its_id_is_the_hash_of_prefix_and_number(prefix, position, text):
    """Operation id = first 64 hex of blake2b of `"{n}"` at the root, `"{parent}-{n}"` below."""
    assert by_hand(text) == operation_id(prefix, position)


def test_no_prefix_and_an_empty_prefix_then_the_ids_differ():
    """Only None is the root."""
    assert operation_id(None, 1) != operation_id("", 1)


@given(st.none() | st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(0, 10**9))
def test_any_position_then_its_id_is_64_hex_digits_and_always_the_same(prefix, position):
    """An id depends on nothing but the position, and fits the service's pattern."""
    made = operation_id(prefix, position)
    text = str(position) if prefix is None else f"{prefix}-{position}"
    assert by_hand(text) == made
    assert 64 == len(made)
