"""Chains: what a value went through is stored with it, and reading follows that."""

from __future__ import annotations

import base64
import json

import orjson
import pytest
from hypothesis import given, settings

from durable_gen import Json, Text, UsageError, durable
from durable_gen.codecs import Chain, Codec, Encrypt, Files, Preview, ReadOnly, Zstd
from serdes.values import ID, INFO, KEY, OTHER, READ, json_values, misread, there_and_back

LONG = {"text": "tea " * 200}


class Reversed(Codec):
    """A user's codec: one that is not in the library."""

    name = "reversed"

    def encode(self, data, info):
        return data[::-1]

    def decode(self, data, info):
        return data[::-1]


class Upper:
    """A user's serde, which knows nothing of chains."""

    def dumps(self, value, info):
        return value.upper()

    def loads(self, text, info):
        return text.lower()


@pytest.fixture(name="chains", scope="module")
def _chains(tmp_path_factory):
    path = tmp_path_factory.mktemp("files")
    return (
        Json() | Zstd(),
        Json() | Encrypt(KEY),
        Json() | Files(path, above=0),
        Json() | Files(path, above=20),
        Json() | Reversed() | Zstd(),
        Json() | Preview("$") | Zstd() | Encrypt(KEY) | Files(path, above=40),
        Chain(Json()),
    )


@given(json_values)
@settings(max_examples=50, deadline=None)  # real files
def test_any_json_value_through_any_chain_then_it_comes_back_equal(chains, value):
    """Whatever a value goes through, it comes back as what it is; its own words never mislead."""
    for chain in chains:
        assert value == there_and_back(chain, value), chain


@given(json_values)
@settings(max_examples=50, deadline=None)  # real files
def test_any_json_value_through_any_chain_then_its_text_is_json_of_one_form(chains, value):
    """What is stored can be embedded as JSON, and stays the same when it is written again."""
    for chain in chains:
        text = chain.dumps(value, INFO)
        assert orjson.dumps(orjson.loads(text)).decode() == text, chain


def test_value_that_no_codec_changes_then_it_is_stored_as_by_the_serde_alone(tmp_path):
    """Small values stay readable: nothing stands around them."""
    assert '{"a":1}' == (Json() | Zstd() | Files(tmp_path)).dumps({"a": 1}, INFO)


def test_value_then_its_text_names_what_it_went_through_and_shows_what_was_chosen():
    """The codecs in order, then the preview, then the data."""
    stored = json.loads((Json() | Preview("id") | Reversed()).dumps({"id": 7}, INFO))
    data = base64.b64encode(b'}7:"di"{').decode()
    expected = {"durable_gen.codecs": ["reversed"], "preview": {"id": 7}, "base64": data}
    assert list(expected.items()) == list(stored.items())


def test_codec_that_gives_json_then_it_is_stored_as_json():
    """What a codec gives is shown as it is, where it is JSON."""
    text = (Json() | Reversed()).dumps([1, 2, 1], INFO)
    assert "base64" in json.loads(text)
    assert {"durable_gen.codecs": ["reversed"], "data": 121} == json.loads(
        (Json() | Reversed()).dumps(121, INFO)
    )


def test_codec_that_is_told_then_it_knows_whose_value_it_is():
    """A codec gets the SerdeInfo of the value, with the preview of it."""
    told = []

    class Told(Reversed):
        def encode(self, data, info):
            told.append((info.operation_id, info.attempt, info.preview))
            return super().encode(data, info)

        def decode(self, data, info):
            told.append((info.operation_id, info.attempt, info.preview))
            return super().decode(data, info)

    there_and_back(Json() | Preview("id") | Told(), {"id": 7})
    assert [(ID, 1, {"id": 7}), (ID, 0, {"id": 7})] == told


@pytest.mark.parametrize("text", ['{"a":1}', "[]", '"x"', '{"preview":1,"data":2}'])
def test_text_from_before_the_chain_then_it_is_read_as_it_is(text):
    """A codec can be added while executions go on: what they stored is plain."""
    assert json.loads(text) == (Json() | Zstd() | Reversed()).loads(text, READ)


def test_chain_has_grown_then_what_was_stored_before_is_read():
    """Reading follows what is stored, not the chain that reads."""
    text = (Json() | Zstd()).dumps(LONG, INFO)
    assert LONG == (Json() | Reversed() | Zstd() | Encrypt(KEY, required=False)).loads(text, READ)


def test_chain_has_another_order_then_what_was_stored_before_is_read():
    """The order in which a value is decoded is the one in which it was encoded, backwards."""
    text = (Json() | Zstd() | Reversed()).dumps(LONG, INFO)
    assert LONG == (Json() | Reversed() | Zstd()).loads(text, READ)


def test_codec_is_only_read_any_more_then_nothing_new_goes_through_it():
    """`ReadOnly` reads what a codec wrote, and writes nothing by it."""
    chain = Json() | ReadOnly(Reversed()) | Zstd()
    assert LONG == chain.loads((Json() | Reversed()).dumps(LONG, INFO), READ)
    assert ["zstd"] == json.loads(chain.dumps(LONG, INFO))["durable_gen.codecs"]


def test_codec_is_missing_then_the_text_says_which():
    """A value that cannot be decoded names what it needs, and how to have it back."""
    text = (Json() | Reversed() | Zstd() | Encrypt(KEY)).dumps(LONG, INFO)
    assert (
        "step 'charge': its stored value went through 'reversed', 'zstd', 'aes-gcm', and its serde "
        "is Json() | Zstd(): it needs 'reversed', 'aes-gcm' too. What is no longer written can still "
        "be read: serde=Json() | ReadOnly(codec) | ..."
    ) == misread(Json() | Zstd(), text)


@pytest.mark.parametrize(
    "text",
    [
        '{"durable_gen.codecs":"zstd","data":1}',
        '{"durable_gen.codecs":[1],"data":1}',
        '{"durable_gen.codecs":[]}',
        '{"durable_gen.codecs":[],"data":1,"base64":"AA=="}',
        '{"durable_gen.codecs":[],"data":1,"more":1}',
        '{"durable_gen.codecs":[],"base64":1}',
        '{"durable_gen.codecs":[],"base64":"AAA"}',
        '{"durable_gen.codecs":[],"base64":"AB=="}',
        '{"durable_gen.codecs":[],"base64":"/w=="}',
    ],
)
def test_text_of_a_chain_that_is_damaged_then_it_is_refused(text):
    """What only half looks like the text of a chain is never taken for a value."""
    assert misread(Json() | Zstd(), text).startswith("step 'charge': its stored value is damaged: ")


def test_text_by_another_serde_then_it_goes_through_a_chain_too():
    """A chain begins with any serde, a user's own as well."""
    assert "tea" == there_and_back(Upper() | Reversed(), "tea")
    assert "tea" == there_and_back(Text() | Zstd() | Reversed(), "tea")


def test_chain_then_it_tells_whether_it_writes_json():
    """Where its serde writes JSON, so does the chain: a batch embeds it as it is."""
    assert [True, False, False] == [
        chain.writes_json
        for chain in (Json() | Zstd(), Text() | Zstd(), Upper() | Zstd() | Reversed())
    ]


def test_chain_then_it_shows_no_key():
    """A chain prints as it was written, and keeps its secrets."""
    chain = Json() | Preview("id") | Zstd() | Encrypt(KEY) | Files("/mnt/values")
    assert "Json() | Preview('id') | Zstd() | Encrypt(...) | Files('/mnt/values')" == repr(chain)


WRONG = {
    "a serde's class": (
        lambda: Json | Zstd(),
        "a chain is made of instances: write Json() | ...",
    ),
    "no serde": (
        lambda: Reversed() | Zstd(),
        "a chain begins with a serde, as Json() | Zstd() does, not with",
    ),
    "no codec": (
        lambda: Chain(Json(), "zstd"),
        "a chain goes on with codecs, as Json() | Zstd() does, not with 'zstd' (str)",
    ),
    "a codec's class": (
        lambda: Chain(Json(), Reversed),
        "a chain goes on with codecs, as Json() | Zstd() does, not with",
    ),
    "twice": (
        lambda: Json() | Zstd() | Zstd(level=9),
        (
            "two codecs of a chain are named 'zstd', and values are read back by the name: give one of "
            "them another, as Files(..., name=...) does"
        ),
    ),
    "two previews": (
        lambda: Json() | Preview("a") | Zstd() | Preview("b"),
        "a chain has one Preview: give all the paths to Preview('a')",
    ),
    "after the end": (
        lambda: Json() | Files("/mnt/values") | Encrypt(KEY),
        (
            "Files('/mnt/values') stores the value elsewhere, so Encrypt(...) after it would only get the "
            "words where it lies:\n"
            "    wrong:  Json() | Files('/mnt/values') | Encrypt(...)\n"
            "    right:  Json() | Encrypt(...) | Files('/mnt/values')"
        ),
    ),
    "a codec as a serde": (
        lambda: durable(serde=Zstd()),
        "@durable(serde=...) must be a serde, and Zstd() is a codec: write Json() | Zstd()",
    ),
    "a class as a serde": (
        lambda: durable(serde=Json),
        "@durable(serde=...) must be an instance: write Json()",
    ),
    "something as a serde": (
        lambda: durable(serde="json"),
        "@durable(serde=...) must be a serde, with dumps() and loads(), or None, not 'json' (str)",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_chain_that_cannot_work_then_it_is_refused_where_it_is_made(case):
    """What does not go together is an error at once, with what to write instead."""
    make, text = WRONG[case]
    with pytest.raises(UsageError) as caught:
        make()
    assert str(caught.value).startswith(text)


def test_value_of_another_operation_by_an_open_chain_then_it_is_read():
    """Only what encrypts or stores elsewhere binds a value to its operation."""
    chain = Json() | Reversed()
    assert LONG == chain.loads(chain.dumps(LONG, INFO), OTHER)
