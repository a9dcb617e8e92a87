"""Values to text and back: what cannot be read back as what it is, is refused, by path."""

import math
from collections import UserDict
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from functools import partial
from typing import Any, Literal, TypedDict
from uuid import UUID

import attrs
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_gen import (
    Context,
    DeserializationError,
    Flow,
    Json,
    SerdeInfo,
    SerializationError,
    Text,
)
from durable_gen._serde import plain, returned

JSON = Json()
HINT = "annotate what the function returns, or pass returns=, so that it is read back as what it is"


def info(type_=Any):
    return SerdeInfo("step 'charge'", type_, "a1", "arn", 1)


def there_and_back(value, type_=Any):
    return JSON.loads(JSON.dumps(value, info(type_)), info(type_))


def refusal(value, type_=Any):
    with pytest.raises(SerializationError) as caught:
        JSON.dumps(value, info(type_))
    return str(caught.value)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Word(StrEnum):
    YES = "yes"


class Level(IntEnum):
    HIGH = 3


class Mine(str):
    __slots__ = ()


class Movie(TypedDict):
    title: str


@attrs.frozen
class Line:
    sku: str
    count: int


@attrs.frozen
class Order:
    id: UUID
    lines: list[Line]
    placed: datetime
    total: Decimal
    colour: Colour = Colour.RED
    note: str | None = None


@dataclass
class Point:
    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list)


class Receipt(pydantic.BaseModel):
    amount: int
    at: datetime


# --- what JSON has words for -------------------------------------------------------------------------

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def kinds(value):
    """Describe a value with the types of all its parts, so that 1, 1.0 and True differ."""
    if isinstance(value, dict):
        return {key: kinds(member) for key, member in value.items()}
    if isinstance(value, list):
        return [kinds(member) for member in value]
    return (type(value), math.copysign(1, value) if type(value) is float else 0, value)


@given(json_values)
def test_any_json_value_then_it_comes_back_as_what_it_is(value):
    """First run and replay see equal values of equal types."""
    assert kinds(value) == kinds(there_and_back(value))


@given(json_values)
def test_any_json_value_then_its_text_is_the_same_when_it_is_stored_again(value):
    """A value that was read back is stored as the same text."""
    text = JSON.dumps(value, info())
    assert text == JSON.dumps(JSON.loads(text, info()), info())


# --- what it has none for ----------------------------------------------------------------------------


def circle():
    value = {"inner": []}
    value["inner"].append(value)
    return value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (math.nan, "JSON has no nan @ $"),
        ({"rates": [1.5, math.inf]}, "JSON has no inf @ $.rates[1]"),
        ([[-math.inf]], "JSON has no -inf @ $[0][0]"),
        ({1: "one"}, "the key 1 is int, not text @ $"),
        ({"by": {None: 1}}, "the key None is NoneType, not text @ $.by"),
        ({"a": [{True: 1}]}, "the key True is bool, not text @ $.a[0]"),
        ({(1, 2): 3}, "the key (1, 2) is tuple, not text @ $"),
        (
            {"at": datetime(2026, 3, 1)},  # noqa: DTZ001
            f"datetime.datetime(2026, 3, 1, 0, 0) (datetime) @ $.at; {HINT}",
        ),
        ([date(2026, 3, 1)], f"datetime.date(2026, 3, 1) (date) @ $[0]; {HINT}"),
        ({"seen": {3}}, f"{{3}} (set) @ $.seen; {HINT}"),
        (b"raw", f"b'raw' (bytes) @ $; {HINT}"),
        (Decimal("1.10"), f"Decimal('1.10') (Decimal) @ $; {HINT}"),
        (UUID(int=1), f"UUID('{UUID(int=1)}') (UUID) @ $; {HINT}"),
        (Colour.RED, f"<Colour.RED: 'red'> (Colour) @ $; {HINT}"),
        ([Line("a", 1)], f"Line(sku='a', count=1) (Line) @ $[0]; {HINT}"),
        (Point(1), f"Point(x=1, y=0, tags=[]) (Point) @ $; {HINT}"),
        (2**64, "18446744073709551616 is beyond 64 bits @ $"),
        ({"n": [-(2**63) - 1]}, "-9223372036854775809 is beyond 64 bits @ $.n[0]"),
        ({"name": "\ud800"}, "text with a lone surrogate @ $.name"),
        (circle(), "it is nested too deeply or holds itself @ $"),
    ],
    ids=lambda value: None if isinstance(value, str) else type(value).__name__,
)
def test_value_that_is_no_json_then_it_is_refused_with_its_path(value, why):
    """A value that cannot make the round trip is refused: the text names the op and the path."""
    assert f"step 'charge': its value cannot be stored as JSON: {why}" == refusal(value)


def test_key_with_a_lone_surrogate_then_the_text_says_so():
    """A key is text like any other: what is wrong with it is named, not guessed."""
    assert "text with a lone surrogate @ $" in refusal({"\ud800": 1})


@pytest.mark.parametrize("key", [Word.YES, Mine("k")], ids=["StrEnum", "subclass"])
def test_key_of_a_subclass_of_text_then_the_text_says_so(key):
    """What is wrong with a key is named: neither is nested too deeply, nor holds itself."""
    assert "nested too deeply" not in refusal({key: 1})


def test_text_of_a_subclass_then_it_is_refused_for_what_it_is():
    """A subclass of str comes back as str, so it is named as what it is."""
    expected = f"step 'charge': its value cannot be stored as JSON: 'x' (Mine) @ $.a; {HINT}"
    assert expected == refusal({"a": Mine("x")})


def test_nesting_beyond_the_limit_then_it_is_refused():
    """What orjson cannot write is refused, not a RecursionError."""
    value = []
    for _ in range(2_000):
        value = [value]
    why = "it is nested too deeply or holds itself @ $"
    assert f"step 'charge': its value cannot be stored as JSON: {why}" == refusal(value)


# --- what an annotation tells ------------------------------------------------------------------------

NOON = datetime(2026, 3, 1, 12, 30, 15, 123_456, tzinfo=UTC)
ORDER = Order(UUID(int=7), [Line("a", 2), Line("b", 1)], NOON, Decimal("12.30"), Colour.BLUE)


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (Line("a", 2), Line),
        ([Line("a", 2), Line("b", 3)], list[Line]),
        ({"first": Line("a", 2)}, dict[str, Line]),
        (Line("a", 2), Line | None),
        (None, Line | None),
        (ORDER, Order),
        ([ORDER], list[Order]),
        (Point(1, 2, ["t"]), Point),
        (Colour.RED, Colour),
        ([Colour.RED, Colour.BLUE], list[Colour]),
        (Word.YES, Word),
        (Level.HIGH, Level),
        ({Colour.RED: 1}, dict[Colour, int]),
        ({1: "a"}, dict[int, str]),
        (NOON, datetime),
        (datetime(2026, 3, 1, 12), datetime),  # noqa: DTZ001
        (date(2026, 3, 1), date),
        (timedelta(days=400, microseconds=1), timedelta),
        (UUID(int=7), UUID),
        ([UUID(int=7)], list[UUID]),
        (UUID(int=7), UUID | None),
        (Decimal("1.10"), Decimal),
        (Decimal("1E+3"), Decimal),
        ((1, "a"), tuple[int, str]),
        ((1, 2, 3), tuple[int, ...]),
        ((Line("a", 1), NOON), tuple[Line, datetime]),
        ({1, 2}, set[int]),
        (frozenset({"a"}), frozenset[str]),
        (b"\x00raw", bytes),
        (Receipt(amount=3, at=NOON), Receipt),
        ([Receipt(amount=3, at=NOON)], list[Receipt]),
        (Receipt(amount=3, at=NOON), Receipt | None),
        ({"title": "Heat"}, Movie),
        ("on", Literal["on", "off"]),
        ([1, None], list[int | None]),
    ],
    ids=repr,
)
def test_annotated_value_then_it_comes_back_as_what_it_is(value, type_):
    """What a step returns is structured by its return annotation."""
    back = there_and_back(value, type_)
    assert value == back
    assert type(value) is type(back)


@given(
    st.builds(
        Order,
        st.uuids(),
        st.lists(st.builds(Line, st.text(), st.integers(-(2**53), 2**53)), max_size=3),
        st.datetimes(timezones=st.just(UTC)),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.sampled_from(Colour),
        st.none() | st.text(),
    )
)
def test_any_order_then_it_comes_back_as_what_it_is(order):
    """An attrs class of everything makes the round trip."""
    assert order == there_and_back(order, Order)


@attrs.frozen
class Loose:
    data: Any


@attrs.frozen
class Rate:
    value: float | None


@attrs.frozen
class GiftLine(Line):
    card: str = "best wishes"


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (Rate(math.nan), Rate),
        ([math.nan], list[float]),
        ((math.inf,), tuple[float, ...]),
        (Line("a", "many"), Line),
        ("red", Line),
        ({"sku": "a"}, Line),
        (Loose(NOON), Loose),
        (Loose(Colour.RED), Loose),
        (GiftLine("a", 1, "with love"), Line),
        (3, Colour),
    ],
    ids=repr,
)
def test_annotated_value_that_would_come_back_as_another_then_it_is_refused(value, type_):
    """A value that cannot make the round trip is refused before its side effect is lost from sight."""
    assert refusal(value, type_).startswith("step 'charge': ")


def test_value_that_does_not_fit_its_annotation_then_the_text_names_both_and_the_path():
    """The error names the op, the value, the annotation and the path in the value."""
    assert (
        "step 'charge': Line(sku='a', count='many') (Line) cannot be stored as Line, which its "
        "annotation names: invalid value for type, expected int @ $.count"
    ) == refusal(Line("a", "many"), Line)


def test_member_that_does_not_fit_its_annotation_then_the_text_names_its_path():
    """The path leads to the member, through lists and attributes."""
    text = refusal([Line("a", 1), Line("b", "x")], list[Line])
    assert text.endswith(
        "which its annotation names: invalid value for type, expected int @ $[1].count"
    )


@pytest.mark.parametrize("type_", [list[UUID], dict[int, UUID], tuple[UUID, ...]])
def test_value_that_does_not_fit_a_generic_annotation_then_all_of_it_is_named(type_):
    """`list[UUID]` is what the user wrote, so the text does not call it a list."""
    assert f"cannot be stored as {type_}, which its annotation names" in refusal(3, type_)


# --- what is read ------------------------------------------------------------------------------------


def misread(text, type_=Any):
    with pytest.raises(DeserializationError) as caught:
        JSON.loads(text, info(type_))
    return str(caught.value)


def test_text_that_is_no_json_then_the_error_shows_it_and_the_way_out():
    """Answers from outside may be plain text: the error says how to take them."""
    assert (
        "step 'charge': 'hello' is not JSON (unexpected character, expected a JSON value: line 1 "
        "column 1 (char 0)); for text as it is, give the operation serde=Text()"
    ) == misread("hello")


@pytest.mark.parametrize(
    ("text", "type_", "why"),
    [
        ('{"sku":"a"}', Line, "required field missing @ $.count"),
        ('{"sku":"a","count":"x"}', Line, "invalid value for type, expected int @ $.count"),
        (
            '[{"sku":"a","count":1},{"sku":"b","count":"x"}]',
            list[Line],
            "invalid value for type, expected int @ $[1].count",
        ),
        ('{"a":{"sku":"b"}}', dict[str, Line], "required field missing @ $['a'].count"),
    ],
)
def test_stored_value_of_the_wrong_shape_then_the_text_names_the_path(text, type_, why):
    """A log that was written by other code is an error at the path, not a crash far away."""
    found = misread(text, type_)
    assert found.startswith("step 'charge': the stored value does not fit ")
    assert found.endswith(f": {why}")


@pytest.mark.parametrize(
    ("text", "type_"),
    [('"green"', Colour), ('"soon"', datetime), ("[]", UUID), ('"x"', Decimal), ("3", Receipt)],
)
def test_stored_value_of_another_type_then_it_is_refused(text, type_):
    """Reading never gives something else than the annotation says."""
    expected = f"step 'charge': the stored value does not fit {type_.__qualname__}: "
    assert misread(text, type_).startswith(expected)


# --- text as it is -----------------------------------------------------------------------------------


@given(st.text())
def test_any_text_under_text_then_it_is_stored_and_read_as_it_is(value):
    """`Text` is for answers from outside that are no JSON."""
    assert value == Text().loads(Text().dumps(value, info()), info())


def test_value_that_is_no_text_under_text_then_it_is_refused():
    """`Text` stores text only."""
    with pytest.raises(SerializationError) as caught:
        Text().dumps({"a": 1}, info())
    assert "step 'charge': serde=Text() stores text, not {'a': 1}" == str(caught.value)


# --- which type --------------------------------------------------------------------------------------


def bare(): ...
def of_line() -> Line: ...
def of_none() -> None: ...
def of_later() -> "Line": ...
def of_unknown() -> "Nowhere": ...  # noqa: F821
async def of_coroutine() -> Line: ...


def of_generator() -> Generator[int, None, Line]:
    yield 1
    return Line("a", 1)


def of_flow(ctx: Context) -> Flow[list[Line]]:
    return (yield ctx.step(of_line))


def of_iterator() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (bare, Any),
        (of_line, Line),
        (of_none, type(None)),
        (of_later, Line),
        (of_unknown, Any),
        (of_coroutine, Line),
        (of_generator, Line),
        (of_flow, list[Line]),
        (of_iterator, Any),
        (partial(of_line), Line),
        (len, Any),
        (Line, Any),
        (UserDict, Any),
    ],
)
def test_function_then_its_type_is_its_return_annotation(function, expected):
    """Any where nothing says."""
    assert expected == returned(function)


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        *((type_, True) for type_ in (Any, None, str, int, float, bool, dict, list, object)),
        (dict[str, int], True),
        (dict[str, Any], True),
        (list[str | None], True),
        (Literal["a"], True),
        (Movie, True),
        (dict[int, str], False),
        (list[Line], False),
        (tuple[int, ...], False),
        (set[int], False),
        (datetime, False),
        (Line | None, False),
        (Colour, False),
    ],
    ids=repr,
)
def test_type_then_it_is_plain_if_json_has_words_for_all_of_it(type_, expected):
    """Values of a plain type need no structuring."""
    assert expected is plain(type_)
