"""Encrypt keeps values secret, and each in its place."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence

import orjson

from durable_gen._serde import SerdeInfo
from durable_gen.codecs._chain import Codec, installed
from durable_gen.codecs._keys import FIXED, Cipher, Keys, Kms, NoKey, keys_of
from durable_gen.errors import DeserializationError, SerializationError, UsageError

VERSION = 1
NONCE = 12  # bytes (NIST SP 800-38D, 5.2.1.1)
TAG = 16  # bytes, at the end of what is encrypted
HEAD = struct.Struct(">BH")  # the version; the length of the key's id, which follows


class Encrypt(Codec):
    """Encrypts values with AES-GCM, each bound to its operation, its execution and its preview.

    One that is changed, cut, or put in the place of another is refused when it is read.

    Args:
        *keys: the first encrypts, all decrypt, so that keys can be changed. Each is 16, 24 or 32
            bytes, a function that returns such a key or a list of them, or a `Kms`.
        required: whether a value that is not encrypted is refused. False is for the time in which
            executions from before go on.

    Raises:
        UsageError: these are no keys, or the extra `crypto` is not installed.
    """

    name = "aes-gcm"

    def __init__(
        self,
        *keys: bytes | Callable[[], bytes | Sequence[bytes]] | Kms,
        required: bool = True,
    ) -> None:
        self.required = required
        self.keys: list[Keys] = [keys_of(key) for key in keys]
        if not keys:
            msg = "Encrypt() needs a key: 32 bytes, a function that returns them, or a Kms"
            raise UsageError(msg)
        if not installed("cryptography"):
            msg = "Encrypt() needs a package: pip install 'durable_gen[crypto]'"
            raise UsageError(msg)

    def __repr__(self) -> str:
        return "Encrypt(...)"

    def encode(self, data: bytes, info: SerdeInfo) -> bytes:
        """Encrypt with the first key.

        Raises:
            SerializationError: the key cannot be had.
        """
        try:
            id_, cipher = self.keys[0].sealing()
        except NoKey as error:
            msg = f"{info.what}: its value cannot be encrypted: {error}"
            raise SerializationError(msg) from error
        head = HEAD.pack(VERSION, len(id_)) + id_
        nonce = os.urandom(NONCE)
        return head + nonce + cipher.encrypt(nonce, data, head + _place(info))

    def decode(self, data: bytes, info: SerdeInfo) -> bytes:
        """Decrypt with the key that was used.

        Raises:
            DeserializationError: there is no such key, or it is not what was encrypted here.
        """
        from cryptography.exceptions import InvalidTag

        why = "it is cut, or damaged"
        if len(data) >= HEAD.size and data[0] == VERSION:
            size = HEAD.size + HEAD.unpack_from(data)[1]
            head, nonce, rest = data[:size], data[size : size + NONCE], data[size + NONCE :]
            if len(rest) >= TAG:
                try:
                    cipher = self._opening(head[HEAD.size :])
                    return cipher.decrypt(nonce, rest, head + _place(info))
                except InvalidTag:
                    why = "it was changed, or is that of another operation or execution"
                except NoKey as error:
                    why = str(error)
        msg = f"{info.what}: its stored value cannot be decrypted: {why}"
        raise DeserializationError(msg)

    def _opening(self, id_: bytes) -> Cipher:
        refused: NoKey | None = None
        for keys in self.keys:
            try:
                cipher = keys.opening(id_)
            except NoKey as error:  # another one may still have it
                refused = refused or error
            else:
                if cipher is not None:
                    return cipher
        if refused is not None:
            raise refused
        given = f"none of the {len(self.keys)} given" if len(self.keys) > 1 else "not the one given"
        fixed = id_[:1] == FIXED
        what = (
            f"its key ({id_[1:].hex()})"
            if fixed
            else "the KMS key, or the context, of its data key"
        )
        msg = (
            f"{what} is {given}. Give old keys after the new one, "
            "for as long as executions need them: Encrypt(new, old)"
        )
        raise NoKey(msg)


def _place(info: SerdeInfo) -> bytes:
    """Say whose value it is, and what is shown of it: that is authenticated with it."""
    return orjson.dumps([info.execution_arn, info.operation_id, info.preview])
