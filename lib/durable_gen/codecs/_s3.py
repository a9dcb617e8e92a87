"""S3 holds large values."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from durable_gen import _faults
from durable_gen._serde import SerdeInfo
from durable_gen.codecs import _aws
from durable_gen.codecs._offload import ABOVE, Offload
from durable_gen.errors import DeserializationError, SerializationError, UsageError

CONFLICTS = 3  # tries while somebody else writes the same object (409 ConditionalRequestConflict)


class S3(Offload):
    """Stores large values in a bucket.

    The function needs s3:PutObject and s3:GetObject below the prefix. Nothing is deleted: see the docs.

    Args:
        bucket: the bucket's name.
        prefix: what the names of all objects begin with.
        above: bytes: a value that takes no more is stored with its operation as usual.
        owner: the id of the account that must own the bucket.
        put: further members of PutObject, such as {"ServerSideEncryption": "aws:kms"}.
        client: a botocore or boto3 S3 client; by default one is made when it is first needed.
        name: what stored values call it; another one for a second bucket.

    Raises:
        UsageError: an option is out of range.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        above: int = ABOVE,
        *,
        owner: str | None = None,
        put: Mapping[str, Any] | None = None,
        client: Any = None,
        name: str = "s3",
    ) -> None:
        super().__init__("S3", above, name)
        if not isinstance(bucket, str) or not bucket or "/" in bucket:
            msg = f"S3(bucket) must be a bucket's name, not {bucket!r}"
            raise UsageError(msg)
        if not isinstance(prefix, str):
            msg = f"S3(prefix=...) must be text, not {prefix!r}"
            raise UsageError(msg)
        self.bucket = bucket
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.put = dict(put or {})
        self._owner = {} if owner is None else {"ExpectedBucketOwner": owner}
        self._client = client

    def __repr__(self) -> str:
        return f"S3({self.bucket!r})"

    def where(self, name: str) -> str:
        """Name an object as AWS's tools do."""
        return f"s3://{self.bucket}/{self.prefix}{name}"

    def write(self, name: str, data: bytes, digest: bytes, info: SerdeInfo) -> None:
        """Put an object, if none has its name; one that has is the same, by its digest."""
        checksum = base64.b64encode(digest).decode()
        request = {**self.put, **self._at(name), "ChecksumSHA256": checksum, "IfNoneMatch": "*"}
        for left in reversed(range(CONFLICTS)):
            try:
                self._s3().put_object(**request, Body=data)
            except Exception as error:
                if _faults.passes(error):
                    raise
                code = _aws.code(error)
                if code == "ConditionalRequestConflict" and left:
                    continue
                if code != "PreconditionFailed":  # then it is there
                    msg = (
                        f"{info.what}: its value cannot be written to {self.where(name)}: {error}. "
                        "The function's role needs s3:PutObject there"
                    )
                    raise SerializationError(msg) from error
            return

    def read(self, name: str, size: int, info: SerdeInfo) -> bytes:
        """Get an object."""
        try:
            answer = self._s3().get_object(**self._at(name))
            with answer["Body"] as body:
                found: bytes = body.read(size + 1)
        except Exception as error:
            if _faults.passes(error):
                raise
            hint = {
                "NoSuchKey": "was it deleted before the execution was over, by a lifecycle rule?",
                "AccessDenied": "the function's role needs s3:GetObject there (without "
                "s3:ListBucket, S3 says so of objects that are missing, too)",
            }.get(_aws.code(error), "")
            msg = f"{info.what}: its stored value at {self.where(name)} cannot be read: {error}"
            raise DeserializationError(f"{msg}: {hint}" if hint else msg) from error
        return found

    def _at(self, name: str) -> dict[str, Any]:
        return {"Bucket": self.bucket, "Key": self.prefix + name, **self._owner}

    def _s3(self) -> Any:
        if self._client is None:
            self._client = _aws.client("s3")
        return self._client
