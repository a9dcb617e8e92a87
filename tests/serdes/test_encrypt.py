"""Encrypt: values are secret, cannot be changed or moved, and keys can be."""

from __future__ import annotations

import base64
import json

import pytest
from attrs import evolve
from hypothesis import given

from durable_gen import DeserializationError, Json, UsageError
from durable_gen.codecs import Encrypt, Preview, Zstd
from serdes.values import (
    ELSEWHERE,
    INFO,
    KEY,
    OLD,
    OTHER,
    READ,
    json_values,
    misread,
    refusal,
    there_and_back,
)

SECRET = Json() | Encrypt(KEY)
CARD = {"id": 7, "card": "4000 1234"}
MOVED = (
    "step 'charge': its stored value cannot be decrypted: it was changed, or is that of another "
    "operation or execution"
)


@pytest.mark.parametrize("size", [16, 24, 32])
def test_key_of_any_length_that_aes_has_then_it_encrypts(size):
    """Keys are of 128, 192 or 256 bits."""
    assert CARD == there_and_back(Json() | Encrypt(bytes(size)), CARD)


def test_same_value_twice_then_its_texts_differ():
    """A nonce is never used twice; replay needs no equal text, for the first one is recorded."""
    assert SECRET.dumps(CARD, INFO) != SECRET.dumps(CARD, INFO)


def test_encrypted_value_then_its_text_shows_nothing_of_it():
    """Nothing is in the clear but what the preview chose."""
    text = (Json() | Preview("id") | Encrypt(KEY)).dumps(CARD, INFO)
    assert {"id": 7} == json.loads(text)["preview"]
    assert b"4000" not in base64.b64decode(json.loads(text)["base64"])


def test_text_with_any_character_changed_then_it_is_refused_or_reads_the_same():
    """No change of what is stored, preview included, makes another value of it."""
    chain = Json() | Preview("id") | Encrypt(KEY)
    text = chain.dumps(CARD, INFO)
    read_the_same = []
    for place, character in enumerate(text):
        for bit in range(7):
            changed = text[:place] + chr(ord(character) ^ 1 << bit) + text[place + 1 :]
            try:
                found = chain.loads(changed, READ)
            except DeserializationError:
                continue
            assert CARD == found
            read_the_same.append(changed)
    assert [] == read_the_same


def test_text_cut_anywhere_then_it_is_refused():
    """Nothing is read of half a value."""
    text = SECRET.dumps(CARD, INFO)
    for end in range(len(text)):
        misread(SECRET, text[:end])


def test_bytes_cut_anywhere_then_they_are_refused():
    """What is encrypted is checked whole, whatever stands around it."""
    data = Encrypt(KEY).encode(b"secret", INFO)
    for end in range(len(data)):
        with pytest.raises(DeserializationError):
            Encrypt(KEY).decode(data[:end], READ)


@given(json_values)
def test_value_of_another_operation_or_execution_then_it_is_refused(value):
    """A value stands where it was put: two operations' values cannot be exchanged."""
    text = SECRET.dumps(value, INFO)
    assert [MOVED, MOVED] == [misread(SECRET, text, info) for info in (OTHER, ELSEWHERE)]


def test_value_of_another_attempt_then_it_is_read():
    """Which attempt made a value is not known when it is read, and is no part of its place."""
    assert CARD == SECRET.loads(SECRET.dumps(CARD, evolve(INFO, attempt=3)), READ)


def test_preview_was_changed_then_the_value_is_refused():
    """What people see of a value is what was stored with it."""
    chain = Json() | Preview("id") | Encrypt(KEY)
    stored = json.loads(chain.dumps(CARD, INFO))
    for preview in ({"id": 8}, {}, None):
        assert misread(chain, json.dumps({**stored, "preview": preview})) == MOVED


# --- values that are not encrypted ------------------------------------------------------------------

PLAIN = (
    "step 'charge': its stored value did not go through 'aes-gcm', which its serde requires: it was "
    "stored by other code, or changed. While executions from before go on, give Encrypt(...) "
    "required=False. Answers from outside are plain: callbacks and invokes take no such serde"
)


@pytest.mark.parametrize(
    "text",
    [
        '{"id":7}',
        (Json() | Zstd()).dumps("tea" * 100, INFO),
        '{"durable_gen.codecs":[],"data":{"id":7}}',
    ],
)
def test_value_that_is_not_encrypted_then_it_is_refused(text):
    """Who can write to the log cannot put a value of their own there."""
    assert PLAIN == misread(Json() | Zstd() | Encrypt(KEY), text)


def test_value_that_is_not_encrypted_and_need_not_be_then_it_is_read():
    """required=False is for the time in which executions from before go on."""
    assert {"id": 7} == (Json() | Encrypt(KEY, required=False)).loads('{"id":7}', READ)


# --- keys -------------------------------------------------------------------------------------------


def test_key_was_changed_then_old_values_are_read_and_new_ones_have_the_new_key():
    """The first key encrypts, all decrypt."""
    both = Json() | Encrypt(KEY, OLD)
    assert CARD == both.loads((Json() | Encrypt(OLD)).dumps(CARD, INFO), READ)
    assert CARD == SECRET.loads(both.dumps(CARD, INFO), READ)


@pytest.mark.parametrize(
    ("keys", "which"),
    [((KEY,), "not the one given"), ((KEY, bytes(32)), "none of the 2 given")],
)
def test_key_is_missing_then_the_text_says_what_to_do(keys, which):
    """A key that is gone is named by its fingerprint."""
    text = (Json() | Encrypt(OLD)).dumps(CARD, INFO)
    assert (
        f"step 'charge': its stored value cannot be decrypted: its key (FINGERPRINT) is {which}. Give "
        "old keys after the new one, for as long as executions need them: Encrypt(new, old)"
    ).replace("FINGERPRINT", Encrypt(OLD).keys[0].id[1:].hex()) == misread(
        Json() | Encrypt(*keys), text
    )


def test_key_by_a_function_then_it_is_asked_for_once_when_it_is_needed():
    """A function may fetch a secret: not before a value needs it, and once."""
    asked = []

    def fetch():
        asked.append(1)
        return KEY

    chain = Json() | Encrypt(fetch)
    assert [] == asked
    assert [CARD, CARD] == [there_and_back(chain, CARD), there_and_back(chain, CARD)]
    assert [1] == asked
    assert CARD == SECRET.loads(chain.dumps(CARD, INFO), READ)


def test_key_by_a_function_has_changed_then_it_is_asked_again():
    """A warm process reads what others write with a key that came after it began."""
    keys = [[OLD], [KEY, OLD]]
    chain = Json() | Encrypt(lambda: keys.pop(0))
    assert CARD == there_and_back(chain, CARD)
    assert CARD == chain.loads(SECRET.dumps(CARD, INFO), READ)
    assert CARD == SECRET.loads(chain.dumps(CARD, INFO), READ)


def test_function_returns_no_key_then_the_text_says_so():
    """What the function returned is not shown: it might be a key."""

    def fetch():
        return "hush"

    def nothing():
        return []

    text = refusal(Json() | Encrypt(nothing), 1)
    assert (
        "step 'charge': its value cannot be encrypted: Encrypt(nothing): it returned no key"
    ) == text
    with pytest.raises(UsageError) as caught:
        (Json() | Encrypt(fetch)).dumps(1, INFO)
    assert (
        "Encrypt(fetch): a key is 16, 24 or 32 bytes, a function, or a Kms, not str; if it is in "
        "base64: base64.b64decode(key)"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ((), "Encrypt() needs a key: 32 bytes, a function that returns them, or a Kms"),
        (
            (b"short",),
            "Encrypt(key): a key has 16, 24 or 32 bytes, not 5; make one with os.urandom(32)",
        ),
        (
            (KEY, None),
            "Encrypt(key): a key is 16, 24 or 32 bytes, a function, or a Kms, not NoneType",
        ),
    ],
)
def test_what_is_no_key_then_it_is_refused_at_once(keys, text):
    """A mistake in a key is found when the codec is made."""
    with pytest.raises(UsageError) as caught:
        Encrypt(*keys)
    assert text == str(caught.value)
