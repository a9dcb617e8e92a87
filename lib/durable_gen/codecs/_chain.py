"""A chain is a serde and the codecs that its text goes through, and back by what was stored.

Reading follows what the stored text says, and not the chain that reads. A text that says nothing went
through no codec.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Protocol

from attrs import evolve

from durable_gen._check import shown
from durable_gen._serde import Serde, SerdeInfo
from durable_gen.codecs._envelope import closed, envelope, opened, text_of
from durable_gen.codecs._preview import Preview
from durable_gen.errors import DeserializationError, UsageError


class Codec(Protocol):
    """Turns bytes into bytes and back: one stage of a `Chain`. Subclass it, then `serde | codec` works.

    Attributes:
        name: what a stored value says that it went through. Keep it: it is how values are read back.
        required: whether a value that did not go through it is refused.
        last: whether no codec may follow, because what it gives only says where the value lies.
    """

    name: str
    required: bool = False
    last: bool = False

    def encode(self, data: bytes, info: SerdeInfo) -> bytes | None:
        """Encode bytes.

        Args:
            data: what the serde, or the codec before, has made.
            info: whose value it is.

        Returns:
            Other bytes; None to leave these as they are, as if the codec were not in the chain.

        Raises:
            SerializationError: it cannot be done.
            ConnectionError: or TimeoutError: not now. Lambda is to invoke again.
        """

    def decode(self, data: bytes, info: SerdeInfo) -> bytes:
        """Decode what `encode` made.

        Raises:
            DeserializationError: it cannot be done.
            ConnectionError: or TimeoutError: not now. Lambda is to invoke again.
        """

    def __ror__(self, serde: Serde) -> Chain:
        return Chain(serde, self)


class Chain:
    """A serde whose text goes through codecs; `Json() | Zstd()` makes one.

    Args:
        serde: writes a value as text. A chain goes on with its own codecs.
        *codecs: each gets what the one before has made.
        preview: what of a value is shown in the clear; nothing by default.

    Raises:
        UsageError: these do not go together.
    """

    serde: Serde
    codecs: tuple[Codec, ...]
    preview: Preview | None

    def __init__(self, serde: Serde, *codecs: Codec, preview: Preview | None = None) -> None:
        if isinstance(serde, Chain):
            codecs = (*serde.codecs, *codecs)
            if preview is not None and serde.preview is not None:
                msg = f"a chain has one Preview: give all the paths to {serde.preview!r}"
                raise UsageError(msg)
            preview = preview or serde.preview
            serde = serde.serde
        _begins(serde)
        for codec in codecs:
            _goes_on(codec)
        names = [codec.name for codec in codecs]
        for place, codec in enumerate(codecs, 1):
            if codec.name in names[place:]:
                msg = (
                    f"two codecs of a chain are named {codec.name!r}, and values are read back by "
                    "the name: give one of them another, as Files(..., name=...) does"
                )
                raise UsageError(msg)
            if codec.last and place < len(codecs):
                msg = (
                    f"{codec!r} stores the value elsewhere, so {codecs[place]!r} after it would "
                    "only get the words where it lies:\n"
                    f"    wrong:  Json() | {codec!r} | {codecs[place]!r}\n"
                    f"    right:  Json() | {codecs[place]!r} | {codec!r}"
                )
                raise UsageError(msg)
        self.serde = serde
        self.codecs = codecs
        self.preview = preview

    @property
    def writes_json(self) -> bool:
        """Whether what is stored is always JSON, so that it can be embedded as it is."""
        return getattr(self.serde, "writes_json", False)

    def __repr__(self) -> str:
        shown = () if self.preview is None else (self.preview,)
        return " | ".join(map(_named, (self.serde, *shown, *self.codecs)))

    def dumps(self, value: Any, info: SerdeInfo) -> str:
        """Write a value, and send its text through the codecs.

        Raises:
            SerializationError: the serde or a codec cannot.
        """
        text = self.serde.dumps(value, info)
        if self.preview is not None:
            info = evolve(info, preview=self.preview.of(text))
        data, names = text.encode(), []
        for codec in self.codecs:
            encoded = codec.encode(data, info)
            if encoded is not None:
                data = encoded
                names.append(codec.name)
        if not names and envelope(text) is None:
            return text
        return closed(names, info.preview, data)

    def loads(self, text: str, info: SerdeInfo) -> Any:
        """Read a value: by what its text says that it went through, backwards.

        Raises:
            DeserializationError: a codec is missing or cannot, or a required one was not used.
        """
        found = envelope(text)
        if found is None:
            self._complete([], info)
            return self.serde.loads(text, info)
        names, preview, data = opened(found, info)
        self._complete(names, info)
        known = {codec.name: codec for codec in self.codecs}
        through = evolve(info, preview=preview)
        for name in reversed(names):
            data = known[name].decode(data, through)
        return self.serde.loads(text_of(data, info), info)

    def _complete(self, names: list[str], info: SerdeInfo) -> None:
        known = {codec.name for codec in self.codecs}
        missing = [name for name in names if name not in known]
        if missing:
            msg = (
                f"{info.what}: its stored value went through {_listed(names)}, and its serde is "
                f"{self!r}: it needs {_listed(missing)} too. What is no longer written can still be "
                "read: serde=Json() | ReadOnly(codec) | ..."
            )
            raise DeserializationError(msg)
        for codec in self.codecs:
            if codec.required and codec.name not in names:
                msg = (
                    f"{info.what}: its stored value did not go through {codec.name!r}, which its "
                    f"serde requires: it was stored by other code, or changed. While executions "
                    f"from before go on, give {codec!r} required=False. Answers from outside are plain: "
                    "callbacks and invokes take no such serde"
                )
                raise DeserializationError(msg)


class ReadOnly(Codec):
    """Reads what a codec wrote, and writes nothing by it: for what a chain used to have.

    Args:
        codec: the codec.
    """

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.name = codec.name

    def __repr__(self) -> str:
        return f"ReadOnly({self.codec!r})"

    def encode(self, data: bytes, info: SerdeInfo) -> bytes | None:  # noqa: ARG002
        """Leave everything as it is."""
        return None

    def decode(self, data: bytes, info: SerdeInfo) -> bytes:
        """Decode as the codec does."""
        return self.codec.decode(data, info)


def _begins(serde: Any) -> None:
    """Refuse what no chain can begin with."""
    if isinstance(serde, type):
        msg = f"a chain is made of instances: write {serde.__name__}() | ..."
        raise UsageError(msg)
    if not (hasattr(serde, "dumps") and hasattr(serde, "loads")):
        msg = f"a chain begins with a serde, as Json() | Zstd() does, not with {shown(serde)}"
        raise UsageError(msg)


def _goes_on(codec: Any) -> None:
    """Refuse what is no codec."""
    if isinstance(codec, type) or not all(
        hasattr(codec, it) for it in ("name", "encode", "decode")
    ):
        msg = f"a chain goes on with codecs, as Json() | Zstd() does, not with {shown(codec)}"
        raise UsageError(msg)


def installed(module: str) -> bool:
    """Tell whether a module can be imported, without importing it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # nor can its parent
        return False


def _named(part: Any) -> str:
    plain = "__repr__" not in {name for cls in type(part).__mro__[:-1] for name in vars(cls)}
    return f"{type(part).__name__}()" if plain else repr(part)


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names)) or "no codec"
