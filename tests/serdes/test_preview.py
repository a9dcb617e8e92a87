"""Previews: what was chosen is shown, and nothing else, within a bound."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_gen import UsageError
from durable_gen.codecs import Preview
from serdes.values import json_values

ORDER = {
    "id": 7,
    "card": "4000 1234",
    "customer": {"name": "ada", "mail": None},
    "lines": [{"sku": "tea", "n": 2}, {"sku": "cup", "n": 1}],
    "tags": [],
}


def of(value, *paths, **options):
    return Preview(*paths, **options).of(json.dumps(value))


@pytest.mark.parametrize(
    ("paths", "shown"),
    [
        (["id"], {"id": 7}),
        (["$.id"], {"id": 7}),
        (["customer.name", "id"], {"customer.name": "ada", "id": 7}),
        (["customer"], {"customer.name": "ada", "customer.mail": None}),
        (["lines[*].sku"], {"lines[0].sku": "tea", "lines[1].sku": "cup"}),
        (["lines.1"], {"lines[1].sku": "cup", "lines[1].n": 1}),
        (["lines[1].n", "lines.1.n"], {"lines[1].n": 1}),
        (["customer.*"], {"customer.name": "ada", "customer.mail": None}),
        (["tags"], {"tags": []}),
        (["nothing"], None),
        (["id.nothing", "lines.sku"], None),
    ],
)
def test_paths_then_what_they_lead_to_is_shown(paths, shown):
    """A path leads to a member, and shows all below it; one that is not there shows nothing."""
    assert shown == of(ORDER, *paths)


@pytest.mark.parametrize("value", [7, "tea", None, True])
def test_whole_of_a_value_without_members_then_it_is_shown(value):
    """`$` is all of it."""
    assert {"$": value} == of(value, "$")


def test_value_that_is_no_json_then_nothing_is_shown():
    """What another serde wrote has no paths."""
    assert None is Preview("$").of("plain text")


def test_long_text_then_its_beginning_is_shown():
    """200 characters of a text are enough to know it by."""
    assert {"$": "x" * 200 + "…"} == of("x" * 201, "$")


def test_more_than_the_bound_then_it_is_cut():
    """What does not fit is left out, and the preview says so."""
    shown = of(list(range(100)), "*", most=64)
    assert {"[0]": 0, "[1]": 1, "[2]": 2, "[3]": 3, "…": "cut at 64 bytes"} == shown


@given(json_values, st.integers(64, 300))
def test_any_value_then_its_preview_is_within_the_bound(value, most):
    """A preview takes no more bytes than it may."""
    assert len(orjson.dumps(Preview("$", most=most).of(json.dumps(value)))) <= most


@given(json_values)
def test_member_that_was_not_chosen_then_it_is_not_shown(value):
    """Nothing is shown by default: only what was named."""
    assert {"id": 1} == of({"id": 1, "secret": value}, "id")


@pytest.mark.parametrize("path", ["", "a..b", ".", "a.", 3, None])
def test_path_that_is_none_then_it_is_refused(path):
    """A mistake in a path would show nothing, silently: it is an error."""
    with pytest.raises(UsageError) as caught:
        Preview(path)
    assert (
        f'a path of a Preview is text such as "order.id" or "lines[*].sku", not {path!r}'
    ) == str(caught.value)


def test_no_path_then_it_is_refused():
    """A preview of nothing is a mistake."""
    with pytest.raises(UsageError):
        Preview()
