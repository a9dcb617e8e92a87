"""What tests of codecs share: whose values they are, and values of JSON."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import strategies as st

from durable_gen import DeserializationError, SerdeInfo, SerializationError

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:orders:1/durable-execution/order-7/run-1"
ID = "a" * 64
INFO = SerdeInfo("step 'charge'", dict | list | str | int | float | bool | None, ID, ARN, 1)
READ = evolve(INFO, attempt=0)
OTHER = evolve(READ, operation_id="b" * 64)
ELSEWHERE = evolve(READ, execution_arn=ARN.replace("run-1", "run-2"))
KEY = bytes(range(32))
OLD = bytes(range(16))

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text() | st.sampled_from(["durable_gen.codecs", "data", "base64", "preview"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def there_and_back(serde, value):
    return serde.loads(serde.dumps(value, INFO), READ)


def misread(serde, text, info=READ):
    """Read what cannot be read; give the error's text."""
    with pytest.raises(DeserializationError) as caught:
        serde.loads(text, info)
    return str(caught.value)


def refusal(serde, value, info=INFO):
    """Write what cannot be written; give the error's text."""
    with pytest.raises(SerializationError) as caught:
        serde.dumps(value, info)
    return str(caught.value)
