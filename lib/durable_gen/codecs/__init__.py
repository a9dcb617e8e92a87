"""Codecs: what becomes of stored values beyond JSON. Small, secret, or elsewhere.

    serde = Json() | Preview("order_id", "total") | Zstd() | Encrypt(key) | S3("my-bucket")

Nothing that costs a cold start is imported before a value needs it.
"""

from durable_gen.codecs._chain import Chain, Codec, ReadOnly
from durable_gen.codecs._encrypt import Encrypt
from durable_gen.codecs._files import Files
from durable_gen.codecs._keys import Kms
from durable_gen.codecs._preview import Preview
from durable_gen.codecs._s3 import S3
from durable_gen.codecs._zstd import Zstd

__all__ = ["S3", "Chain", "Codec", "Encrypt", "Files", "Kms", "Preview", "ReadOnly", "Zstd"]
