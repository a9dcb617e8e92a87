"""KMS: data keys are made once, used for a while, and only opened by the key that is named."""

from __future__ import annotations

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from durable_gen import Json, UsageError
from durable_gen.codecs import Encrypt, Kms
from serdes.aws import aws
from serdes.values import INFO, KEY, READ, misread, refusal, there_and_back

CARD = {"id": 7, "card": "4000 1234"}


@pytest.fixture(name="server", scope="module")
def _server():
    with aws() as stand_in:
        yield stand_in


@pytest.fixture(name="kms")
def _kms(server):
    server.calls.clear()
    server.headers.clear()
    server.faults.clear()
    return server


def chain(kms, key_id="alias/one", *, attempts=1, **options):
    return Json() | Encrypt(Kms(key_id, client=kms.client("kms", attempts), **options))


def test_many_values_then_one_data_key_is_made(kms):
    """KMS is asked once for a process, and not at all to read what the process wrote."""
    serde = chain(kms)
    assert [CARD] * 5 == [there_and_back(serde, CARD) for _ in range(5)]
    assert ["GenerateDataKey"] == kms.calls


def test_values_of_another_process_then_each_data_key_is_decrypted_once(kms):
    """A data key travels with its values, encrypted; it is kept for the next."""
    one, two = chain(kms), chain(kms)
    texts = [one.dumps(CARD, INFO) for _ in range(3)]
    assert [CARD] * 3 == [two.loads(text, READ) for text in texts]
    assert ["GenerateDataKey", "Decrypt"] == kms.calls


def test_data_key_has_encrypted_enough_then_another_is_made(kms):
    """A data key encrypts a bounded number of values."""
    serde = chain(kms, uses=2)
    for _ in range(5):
        serde.dumps(CARD, INFO)
    assert ["GenerateDataKey"] * 3 == kms.calls


def test_data_key_is_old_then_another_is_made_and_it_is_decrypted_again(kms):
    """A data key is used for a bounded time; so what is revoked in KMS soon ends here."""
    serde = chain(kms, seconds=0)
    texts = [serde.dumps(CARD, INFO) for _ in range(2)]
    assert [CARD] * 2 == [serde.loads(text, READ) for text in texts]
    assert ["GenerateDataKey"] * 2 + ["Decrypt"] * 2 == kms.calls


def test_key_in_kms_was_changed_then_old_values_are_read(kms):
    """The first key encrypts, all decrypt; bytes may stand beside KMS."""
    old, bytes_ = chain(kms, "alias/one"), Json() | Encrypt(KEY)
    client = kms.client("kms")
    new = Json() | Encrypt(Kms("alias/two", client=client), Kms("alias/one", client=client), KEY)
    texts = [serde.dumps(CARD, INFO) for serde in (old, bytes_, new)]
    assert [CARD] * 3 == [new.loads(text, READ) for text in texts]
    assert CARD == chain(kms, "alias/two").loads(texts[2], READ)


def test_data_key_of_another_key_then_it_is_not_used(kms):
    """Who may encrypt with some key of theirs cannot make values for us: the key is named to KMS."""
    text = chain(kms, "alias/two").dumps(CARD, INFO)
    assert (
        "step 'charge': its stored value cannot be decrypted: the KMS key, or the context, of its data "
        "key is not the one given. Give old keys after the new one, for as long as executions need "
        "them: Encrypt(new, old)"
    ) == misread(chain(kms, "alias/one"), text)


def test_one_of_several_keys_is_refused_then_the_others_are_tried(kms):
    """A key that the role may no longer use does not stand before one that it may."""
    text = chain(kms, "alias/two").dumps(CARD, INFO)
    client = kms.client("kms")
    both = Json() | Encrypt(Kms("alias/one", client=client), Kms("alias/two", client=client))
    kms.faults.append((400, "AccessDeniedException"))
    assert CARD == both.loads(text, READ)


def test_another_context_then_it_is_not_decrypted(kms):
    """The encryption context is part of the data key."""
    text = chain(kms, context={"team": "orders"}).dumps(CARD, INFO)
    assert CARD == chain(kms, context={"team": "orders"}).loads(text, READ)
    assert "is not the one given" in misread(chain(kms), text)


REFUSED = (
    "An error occurred (AccessDeniedException) when calling the {0} operation (reached max retries: 0): no. The function's "
    "role needs kms:GenerateDataKey and kms:Decrypt on the key, and the key must be enabled"
)


def test_kms_refuses_then_the_text_says_what_it_needs(kms):
    """A refusal is no fault that passes: it names the key and what the role needs."""
    text = chain(kms).dumps(CARD, INFO)
    kms.faults.extend([(400, "AccessDeniedException")] * 2)
    assert (
        "step 'charge': its value cannot be encrypted: KMS refused GenerateDataKey with 'alias/one': "
        + REFUSED.format("GenerateDataKey")
    ) == refusal(chain(kms), CARD)
    assert (
        "step 'charge': its stored value cannot be decrypted: KMS refused Decrypt with 'alias/one': "
        + REFUSED.format("Decrypt")
    ) == misread(chain(kms), text)


def test_kms_throttles_for_a_moment_then_nobody_notices(kms):
    """botocore tries again, with backoff."""
    kms.faults.append((400, "ThrottlingException"))
    assert CARD == there_and_back(chain(kms, attempts=2), CARD)


def test_kms_throttles_for_long_then_its_own_error_is_raised(kms):
    """What may pass stays what it is, so that Lambda invokes again."""
    kms.faults.append((400, "ThrottlingException"))
    with pytest.raises(ClientError):
        chain(kms).dumps(CARD, INFO)


def test_client_that_is_not_given_then_it_is_made_when_a_value_needs_it(kms, monkeypatch):
    """The default client comes from the environment, and not before it is needed."""
    serde = Json() | Encrypt(Kms("alias/one"))
    for name, value in (
        ("AWS_ENDPOINT_URL_KMS", kms.endpoint),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
    ):
        monkeypatch.setenv(name, value)
    assert CARD == there_and_back(serde, CARD)
    assert "durable-gen/" in kms.headers[0]["User-Agent"]


def test_kms_is_not_there_then_its_own_error_is_raised(kms):
    """A connection that cannot be made is a fault that may pass."""
    nowhere = kms.session.create_client(
        "kms",
        endpoint_url="http://127.0.0.1:9",
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(EndpointConnectionError):
        (Json() | Encrypt(Kms("alias/one", client=nowhere))).dumps(CARD, INFO)


@pytest.mark.parametrize(
    "options", [{"key_id": ""}, {"key_id": None}, {"uses": 0}, {"seconds": "long"}]
)
def test_option_out_of_range_then_it_is_refused(options):
    """Bad options are refused at once."""
    with pytest.raises(UsageError):
        Kms(**{"key_id": "alias/one", **options})
