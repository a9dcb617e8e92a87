"""Where keys come from: bytes, a function, or AWS KMS."""

from __future__ import annotations

import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from attrs import frozen

from durable_gen import _check, _faults
from durable_gen.codecs import _aws
from durable_gen.errors import UsageError

SIZES = (16, 24, 32)  # bytes of an AES key
FIXED, DATA_KEY = b"f", b"k"  # what the id of a key is: a fingerprint, or the key encrypted by KMS
USES = 1_000_000  # values that a data key encrypts; random nonces allow for 2**32 (NIST SP 800-38D, 8.3)
SECONDS = 300.0  # how long a data key is used, and kept
KEPT = 256  # data keys that are kept decrypted at most
OTHERS = ("IncorrectKeyException", "InvalidCiphertextException")  # the data key is of another key


class NoKey(Exception):  # noqa: N818 - named for what is the matter
    """A key cannot be had; the text says what to do."""


class Cipher(Protocol):
    """AES-GCM with a key, as cryptography has it."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Encrypt and authenticate."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Decrypt, or raise InvalidTag."""


class Keys(Protocol):
    """A source of keys."""

    def sealing(self) -> tuple[bytes, Cipher]:
        """Give the key to encrypt with, and the id to find it by; or raise NoKey."""

    def opening(self, id_: bytes) -> Cipher | None:
        """Give the key with an id, None when it is none of these; or raise NoKey."""


def keys_of(given: Any) -> Keys:
    """Make a source of what a user gives as a key.

    Raises:
        UsageError: it is none.
    """
    if isinstance(given, Kms):
        return given
    if callable(given) and not isinstance(given, type):
        return Called(given)
    return Fixed(_checked(given, "Encrypt(key)"))


def _checked(key: Any, what: str) -> bytes:
    if isinstance(key, bytearray):
        key = bytes(key)
    if not isinstance(key, bytes):  # the value is not shown: it may be the key
        msg = f"{what}: a key is 16, 24 or 32 bytes, a function, or a Kms, not {type(key).__name__}"
        if isinstance(key, str):
            msg += "; if it is in base64: base64.b64decode(key)"
        raise UsageError(msg)
    if len(key) not in SIZES:
        msg = f"{what}: a key has 16, 24 or 32 bytes, not {len(key)}; make one with os.urandom(32)"
        raise UsageError(msg)
    return key


def _cipher(key: bytes) -> Cipher:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


class Fixed:
    """A key that is given; its id is a fingerprint, which does not give it away."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.id = FIXED + hmac.digest(key, b"durable_gen: the id of a key", "sha256")[:8]
        self.cipher: Cipher | None = None

    def sealing(self) -> tuple[bytes, Cipher]:
        """Give the key."""
        if self.cipher is None:
            self.cipher = _cipher(self.key)
        return self.id, self.cipher

    def opening(self, id_: bytes) -> Cipher | None:
        """Give the key, if it is the one."""
        return self.sealing()[1] if id_ == self.id else None


class Called:
    """Keys that a function returns: asked when one is first needed, and when one is not among them."""

    def __init__(self, function: Callable[[], bytes | Sequence[bytes]]) -> None:
        self.function = function
        self.keys: list[Fixed] = []

    def sealing(self) -> tuple[bytes, Cipher]:
        """Give the first."""
        if not self.keys:
            self._ask()
        return self.keys[0].sealing()

    def opening(self, id_: bytes) -> Cipher | None:
        """Give the one that is meant; it may be newer than when the function was last asked."""
        if id_[:1] != FIXED:
            return None
        if not any(id_ == key.id for key in self.keys):
            self._ask()
        return next((key.sealing()[1] for key in self.keys if key.id == id_), None)

    def _ask(self) -> None:
        given = self.function()
        what = f"Encrypt({getattr(self.function, '__name__', 'function')})"
        many = given if isinstance(given, list | tuple) else [given]
        keys = [Fixed(_checked(key, what)) for key in many]
        if not keys:
            msg = f"{what}: it returned no key"
            raise NoKey(msg)
        self.keys = keys


@frozen
class DataKey:
    """A data key at hand."""

    id: bytes
    cipher: Cipher
    until: float


class Kms:
    """A key in AWS KMS: it encrypts data keys, and those the values.

    A data key is made once for a process and used for a while; so KMS is not asked for each value.
    The function needs kms:GenerateDataKey and kms:Decrypt on the key.

    Args:
        key_id: the key's id, ARN or alias ("alias/orders").
        context: KMS's encryption context, which CloudTrail shows and policies may ask for.
        uses: values that a data key encrypts at most.
        seconds: how long a data key is used, and kept decrypted.
        client: a botocore or boto3 KMS client; by default one is made when it is first needed.

    Raises:
        UsageError: an option is out of range.
    """

    def __init__(
        self,
        key_id: str,
        *,
        context: Mapping[str, str] | None = None,
        uses: int = USES,
        seconds: float = SECONDS,
        client: Any = None,
    ) -> None:
        if not isinstance(key_id, str) or not key_id:
            msg = f"Kms(key_id) is a key's id, ARN or alias, not {key_id!r}"
            raise UsageError(msg)
        self.key_id = key_id
        self.context = {"durable_gen": "value"} if context is None else dict(context)
        self.uses = _check.whole("Kms(uses=...)", uses)
        self.seconds = _check.duration("Kms(seconds=...)", seconds)
        self._client = client
        self._lock = threading.Lock()
        self._own: DataKey | None = None
        self._left = 0
        self._known: OrderedDict[bytes, DataKey] = OrderedDict()

    def __repr__(self) -> str:
        return f"Kms({self.key_id!r})"

    def sealing(self) -> tuple[bytes, Cipher]:
        """Give the data key at hand, or have one made."""
        with self._lock:
            own = self._own
            if own is None or not self._left or time.monotonic() >= own.until:
                answer = self._call("generate_data_key", KeyId=self.key_id, KeySpec="AES_256")
                own = self._own = self._keep(DATA_KEY + answer["CiphertextBlob"], answer)
                self._left = self.uses
            self._left -= 1
            return own.id, own.cipher

    def opening(self, id_: bytes) -> Cipher | None:
        """Give a data key, if this key has encrypted it."""
        if id_[:1] != DATA_KEY:
            return None
        with self._lock:
            known = self._known.get(id_)
            if known is None or time.monotonic() >= known.until:
                try:
                    # The key is named: a data key that another one has encrypted is not ours.
                    answer = self._call("decrypt", KeyId=self.key_id, CiphertextBlob=id_[1:])
                except Other:
                    return None
                known = self._keep(id_, answer)
            return known.cipher

    def _keep(self, id_: bytes, answer: Mapping[str, Any]) -> DataKey:
        key = DataKey(id_, _cipher(answer["Plaintext"]), time.monotonic() + self.seconds)
        self._known[id_] = key
        self._known.move_to_end(id_)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return key

    def _call(self, method: str, **request: Any) -> Mapping[str, Any]:
        if self._client is None:
            self._client = _aws.client("kms")
        try:
            answer: Mapping[str, Any] = getattr(self._client, method)(
                EncryptionContext=self.context, **request
            )
        except Exception as error:
            if _faults.passes(error):
                raise
            if _aws.code(error) in OTHERS and method == "decrypt":
                raise Other from error
            action = "".join(word.title() for word in method.split("_"))
            msg = (
                f"KMS refused {action} with {self.key_id!r}: {error}. The function's role needs "
                "kms:GenerateDataKey and kms:Decrypt on the key, and the key must be enabled"
            )
            raise NoKey(msg) from error
        return answer


class Other(Exception):  # noqa: N818
    """A data key is of another key."""
