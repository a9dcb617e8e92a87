"""S3: objects are written once, with a checksum; what is missing or forbidden says what to do."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from attrs import evolve
from botocore.exceptions import ClientError
from hypothesis import given, settings

from durable_gen import Json, UsageError
from durable_gen.codecs import S3, Encrypt, Zstd
from serdes.aws import aws
from serdes.values import (
    ARN,
    ELSEWHERE,
    ID,
    INFO,
    KEY,
    OTHER,
    READ,
    json_values,
    misread,
    refusal,
    there_and_back,
)

REPORT = {"text": "a report " * 40}
DATA = json.dumps(REPORT, separators=(",", ":")).encode()
NAME = f"order-7-{sha256(ARN.encode()).hexdigest()[:16]}/{ID}-1-{sha256(DATA).hexdigest()[:32]}"
KEY_OF_IT = f"durable/{NAME}"
WHERE = f"s3://values/{KEY_OF_IT}"


@pytest.fixture(name="s3", scope="module")
def _server():
    with aws() as stand_in:
        yield stand_in


@pytest.fixture(name="bucket")
def _bucket(s3):
    s3.objects.clear()
    s3.calls.clear()
    s3.headers.clear()
    s3.faults.clear()
    return s3


def chain(aws_, *, attempts=1, bucket="values", prefix="/durable/", **options):
    client = aws_.client("s3", attempts)
    return Json() | S3(bucket, prefix, above=100, client=client, **options)


def test_value_over_the_threshold_then_it_lies_in_the_bucket(bucket):
    """The text has the object's address, its size and its digest; the object has the value."""
    serde = chain(bucket)
    text = serde.dumps(REPORT, INFO)
    at = {"at": WHERE, "bytes": len(DATA), "sha256": sha256(DATA).hexdigest()}
    assert {"durable_gen.codecs": ["s3"], "data": at} == json.loads(text)
    assert {KEY_OF_IT: DATA} == bucket.objects
    assert REPORT == serde.loads(text, READ)
    assert ["PutObject", "GetObject"] == bucket.calls


@given(json_values)
@settings(max_examples=20, deadline=None)
def test_any_json_value_then_it_comes_back_equal(s3, value):
    """Whatever a value is, it comes back from S3 as what it is."""
    client = s3.client("s3")
    assert value == there_and_back(
        Json() | Zstd() | Encrypt(KEY) | S3("values", above=60, client=client), value
    )


def test_small_value_then_s3_is_not_asked(bucket):
    """What is not over the threshold stays with its operation."""
    assert "1" == chain(bucket).dumps(1, INFO)
    assert [] == bucket.calls


def test_value_that_is_not_kept_then_s3_is_not_asked(bucket):
    """What each replay finds anew leaves no object each time."""
    assert DATA.decode() == chain(bucket).dumps(REPORT, evolve(INFO, kept=False))
    assert [] == bucket.calls


def test_answer_is_lost_then_the_object_that_is_there_will_do(bucket):
    """A write whose answer was lost is tried again: the object is there, and is the same."""
    serde = chain(bucket, attempts=2)
    bucket.faults.append("lost")
    assert REPORT == there_and_back(serde, REPORT)
    assert ["PutObject", "PutObject", "GetObject"] == bucket.calls


def test_object_is_written_then_it_is_never_overwritten(bucket):
    """Every write asks that no object has the name, and sends a checksum."""
    chain(bucket).dumps(REPORT, INFO)
    headers = bucket.headers[0]
    assert "*" == headers["If-None-Match"]
    assert "X-Amz-Checksum-Sha256" in headers
    bucket.objects[KEY_OF_IT] = b"another"
    chain(bucket).dumps(REPORT, INFO)
    assert b"another" == bucket.objects[KEY_OF_IT]


def test_somebody_writes_the_same_object_then_it_is_tried_again(bucket):
    """409 says that another write of the name is under way."""
    bucket.faults.append((409, "ConditionalRequestConflict"))
    assert REPORT == there_and_back(chain(bucket), REPORT)


def test_conflict_does_not_end_then_it_is_an_error(bucket):
    """It is tried three times."""
    bucket.faults.extend([(409, "ConditionalRequestConflict")] * 3)
    assert "ConditionalRequestConflict" in refusal(chain(bucket), REPORT)
    assert 3 == len(bucket.calls)


@pytest.mark.parametrize("fault", [(503, "SlowDown"), (500, "InternalError"), (429, "Slow")])
def test_fault_that_passes_then_its_own_error_is_raised(bucket, fault):
    """What may pass stays what it is, so that Lambda invokes again."""
    serde = chain(bucket)
    bucket.faults.append(fault)
    with pytest.raises(ClientError):
        serde.dumps(REPORT, INFO)
    text = serde.dumps(REPORT, INFO)
    bucket.faults.append(fault)
    with pytest.raises(ClientError):
        serde.loads(text, READ)


def said(operation, code):
    return (
        f"An error occurred ({code}) when calling the {operation} operation "
        f"(reached max retries: 0): it is {code}"
    )


def test_s3_refuses_to_write_then_the_text_says_what_it_needs(bucket):
    """A refusal names the object and what the role needs."""
    bucket.faults.append((403, "AccessDenied"))
    assert (
        f"step 'charge': its value cannot be written to {WHERE}: {said('PutObject', 'AccessDenied')}. "
        "The function's role needs s3:PutObject there"
    ) == refusal(chain(bucket), REPORT)


@pytest.mark.parametrize(
    ("fault", "hint"),
    [
        (
            (404, "NoSuchKey"),
            ": was it deleted before the execution was over, by a lifecycle rule?",
        ),
        (
            (403, "AccessDenied"),
            (
                ": the function's role needs s3:GetObject there (without s3:ListBucket, S3 says so of "
                "objects that are missing, too)"
            ),
        ),
        ((403, "InvalidObjectState"), ""),
    ],
)
def test_object_cannot_be_read_then_the_text_says_where_it_looked(bucket, fault, hint):
    """An object that is missing, or forbidden, is named with what to do."""
    text = chain(bucket).dumps(REPORT, INFO)
    bucket.faults.append(fault)
    assert (
        f"step 'charge': its stored value at {WHERE} cannot be read: {said('GetObject', fault[1])}{hint}"
    ) == misread(chain(bucket), text)


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"x", DATA.replace(b"a", b"e"), b""])
def test_object_that_was_changed_then_it_is_refused(bucket, data):
    """Size and digest are checked on every reading."""
    text = chain(bucket).dumps(REPORT, INFO)
    bucket.objects[KEY_OF_IT] = data
    assert misread(chain(bucket), text).startswith(
        f"step 'charge': its stored value at {WHERE} is damaged: "
    )


@pytest.mark.parametrize("info", [OTHER, ELSEWHERE])
def test_value_of_another_operation_or_execution_then_it_is_refused(bucket, info):
    """A reference stands where it was put."""
    text = chain(bucket).dumps(REPORT, INFO)
    assert (
        f"step 'charge': its stored value lies at '{WHERE}', and that is the place of another "
        "operation or execution"
    ) == misread(chain(bucket), text, info)


@pytest.mark.parametrize(
    ("place", "where"),
    [
        ({"bucket": "others"}, f"s3://others/{KEY_OF_IT}"),
        ({"prefix": ""}, f"s3://values/{NAME}"),
    ],
)
def test_bucket_or_prefix_was_changed_then_the_text_says_how_to_read_both(bucket, place, where):
    """Only the bucket that is given is read; a move needs a name for each place."""
    text = chain(bucket).dumps(REPORT, INFO)
    serde = chain(bucket, **place)
    assert (
        f"step 'charge': its stored value lies at '{WHERE}', and S3('{place.get('bucket', 'values')}') "
        f"would look at '{where}'. To read what was stored before a move: serde=Json() | "
        "ReadOnly(the old one) | the new one with another name="
    ) == misread(serde, text)


def test_owner_and_further_members_then_they_are_sent(bucket):
    """Who must own the bucket is asked of every call; put= adds to PutObject."""
    put = {"ServerSideEncryption": "aws:kms"}
    assert REPORT == there_and_back(chain(bucket, owner="111122223333", put=put), REPORT)
    assert ["111122223333"] * 2 == [
        headers["X-Amz-Expected-Bucket-Owner"] for headers in bucket.headers
    ]
    assert "aws:kms" == bucket.headers[0]["X-Amz-Server-Side-Encryption"]
    assert "AccessDenied" in refusal(chain(bucket, owner="444455556666"), REPORT)


def test_client_that_is_not_given_then_it_is_made_when_a_value_needs_it(bucket, monkeypatch):
    """The default client comes from the environment, and not before it is needed."""
    serde = Json() | S3("values", above=100)
    for name, value in (
        ("AWS_ENDPOINT_URL_S3", bucket.endpoint),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
    ):
        monkeypatch.setenv(name, value)
    assert REPORT == there_and_back(serde, REPORT)
    assert "durable-gen/" in bucket.headers[0]["User-Agent"]


@pytest.mark.parametrize(
    "options",
    [{"bucket": ""}, {"bucket": "a/b"}, {"bucket": None}, {"prefix": None}, {"above": -1}],
)
def test_option_out_of_range_then_it_is_refused(options):
    """Bad options are refused when the codec is made."""
    with pytest.raises(UsageError):
        S3(**{"bucket": "values", **options})
