"""Values to text and back: the `Serde` protocol, and JSON, which is the default."""

from __future__ import annotations

import collections.abc
import math
import sys
import types
import typing
from collections.abc import Callable, Generator
from functools import cache
from typing import Any, Protocol, get_args, get_origin
from weakref import WeakKeyDictionary

import orjson
from attrs import frozen

from durable_gen.errors import DeserializationError, SerializationError

STRICT = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


@frozen
class SerdeInfo:
    """What a serde may know of the value in hand.

    Attributes:
        what: the operation in words, for errors.
        type: the type that the value is read back as; Any when nothing says.
        operation_id: the operation's id.
        execution_arn: the execution's ARN.
        attempt: the attempt that made the value; 0 when it is read.
    """

    what: str
    type: Any
    operation_id: str
    execution_arn: str
    attempt: int = 0


class Serde(Protocol):
    """Writes values as text and reads them back."""

    def dumps(self, value: Any, info: SerdeInfo) -> str:
        """Write a value, or raise SerializationError."""

    def loads(self, text: str, info: SerdeInfo) -> Any:
        """Read a value, or raise DeserializationError."""


class Json:
    """JSON by orjson; values with a type annotation are structured by cattrs."""

    def dumps(self, value: Any, info: SerdeInfo) -> str:
        """Write a value as JSON, if it can be read back as what it is.

        Raises:
            SerializationError: it cannot; the text names the path in the value.
        """
        if plain(info.type):
            return _plain_json(value, info)
        try:
            text = orjson.dumps(converter().unstructure(value, unstructure_as=info.type)).decode()
            converter().structure(orjson.loads(text), info.type)
        except Exception as error:
            msg = (
                f"{info.what}: {value!r:.80} ({type(value).__name__}) cannot be stored as "
                f"{_name(info.type)}, which its annotation names: {_why(error)}"
            )
            raise SerializationError(msg) from error
        return text

    def loads(self, text: str, info: SerdeInfo) -> Any:
        """Read a value from JSON.

        Raises:
            DeserializationError: the text is no JSON, or does not fit the type.
        """
        try:
            value = orjson.loads(text)
        except ValueError as error:
            msg = (
                f"{info.what}: {text!r:.80} is not JSON ({error}); for text as it is, give the "
                "operation serde=Text()"
            )
            raise DeserializationError(msg) from error
        if plain(info.type):
            return value
        try:
            return converter().structure(value, info.type)
        except Exception as error:
            msg = f"{info.what}: the stored value does not fit {_name(info.type)}: {_why(error)}"
            raise DeserializationError(msg) from error


class Text:
    """Text as it is: for answers from outside that are no JSON."""

    def dumps(self, value: Any, info: SerdeInfo) -> str:
        """Write a text.

        Raises:
            SerializationError: the value is no text.
        """
        if not isinstance(value, str):
            msg = f"{info.what}: serde=Text() stores text, not {value!r:.80}"
            raise SerializationError(msg)
        return value

    def loads(self, text: str, info: SerdeInfo) -> Any:  # noqa: ARG002
        """Read a text."""
        return text


# --- JSON that reads back as what it was -----------------------------------------------------------


def _plain_json(value: Any, info: SerdeInfo) -> str:
    try:
        text = orjson.dumps(value, option=STRICT)
        if orjson.loads(text) == value or problem(value) is None:
            return text.decode()
    except (TypeError, ValueError, RecursionError):
        pass
    path, why = problem(value) or ("$", "it is nested too deeply or holds itself")
    msg = f"{info.what}: its value cannot be stored as JSON: {why} @ {path}"
    raise SerializationError(msg)


def problem(value: Any, path: str = "$") -> tuple[str, str] | None:
    """Find what in a value is no JSON.

    Returns:
        Its path and what is wrong with it, or None.
    """
    kind = type(value)
    if value is None or kind in (str, bool):
        if kind is str and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                return path, "text with a lone surrogate"
        return None
    if kind is int:
        return None if -(2**63) <= value < 2**64 else (path, f"{value!r:.30} is beyond 64 bits")
    if kind is float:
        return None if math.isfinite(value) else (path, f"JSON has no {value!r}")
    if kind in (list, tuple):
        members: Any = ((f"{path}[{i}]", member) for i, member in enumerate(value))
    elif kind is dict:
        for key in value:
            if not isinstance(key, str):
                return path, f"the key {key!r:.40} is {type(key).__name__}, not text"
        members = ((f"{path}.{key}", member) for key, member in value.items())
    elif isinstance(value, str):  # a StrEnum: its text is equal to it
        return None
    else:
        hint = (
            "annotate what the function returns, or pass returns=, so that it is read back as one"
        )
        return path, f"{value!r:.60} is {_name(kind)}; {hint}"
    try:
        return next((found for at, one in members if (found := problem(one, at))), None)
    except RecursionError:
        return None


# --- types ---------------------------------------------------------------------------------------

ITERATORS = (collections.abc.Iterator, collections.abc.Iterable)
SCALARS = frozenset({Any, None, type(None), object, str, int, float, bool, dict, list})
_returns: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


@cache
def _plain(hint: Any) -> bool:
    if hint in SCALARS or typing.is_typeddict(hint) or isinstance(hint, typing.TypeVar):
        return True
    origin, args = get_origin(hint), get_args(hint)
    if origin is dict:
        return args[0] in (str, Any) and plain(args[1])
    if origin in (list, typing.Union, types.UnionType):
        return all(plain(arg) for arg in args)
    return origin is typing.Literal


def plain(hint: Any) -> bool:
    """Tell whether a type is JSON's own, so that values of it need no structuring."""
    try:
        return hint is Any or _plain(hint)
    except TypeError:  # a hint that cannot be hashed
        return False


def returned(function: Callable[..., Any]) -> Any:
    """Find the type that a function is annotated to return; Any where nothing says.

    Of a generator function it is what its generator returns in the end.
    """
    try:
        known = _returns.get(function)
    except TypeError:
        return Any
    if known is None:
        known = _returned(function)
        _returns[function] = known
    return known


def _returned(function: Callable[..., Any]) -> Any:
    target = function
    while hasattr(target, "func"):  # functools.partial
        target = target.func
    if not hasattr(target, "__annotations__") or isinstance(target, type):
        return Any
    if "return" not in target.__annotations__:
        return Any
    try:
        hint = typing.get_type_hints(target)["return"]
    except Exception:  # a name that exists for type checkers only
        return Any
    if get_origin(hint) in (Generator, typing.Generator):
        hint = get_args(hint)[2]
    elif get_origin(hint) in ITERATORS:  # of a generator, which tells nothing of its value
        return Any
    if hint is None or isinstance(hint, typing.TypeVar) or hint is typing.NoReturn:
        return Any
    return hint


@cache
def converter() -> Any:
    """Make the cattrs converter, when a type first needs it."""
    from datetime import timedelta
    from decimal import Decimal

    from cattrs.preconf.orjson import make_converter

    made = make_converter()
    made.register_unstructure_hook(Decimal, str)
    made.register_structure_hook(Decimal, lambda value, _: Decimal(value))
    made.register_unstructure_hook(timedelta, lambda value: value.total_seconds())
    made.register_structure_hook(timedelta, lambda value, _: timedelta(seconds=value))
    made.register_structure_hook_func(_pydantic, lambda value, cls: cls.model_validate(value))
    made.register_unstructure_hook_func(_pydantic, lambda value: value.model_dump(mode="json"))
    return made


def _pydantic(cls: Any) -> bool:
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(cls, type) and issubclass(cls, pydantic.BaseModel)


def _name(hint: Any) -> str:
    return getattr(hint, "__qualname__", None) or str(hint)


def _why(error: Exception) -> str:
    from cattrs import transform_error
    from cattrs.errors import BaseValidationError

    if isinstance(error, BaseValidationError):
        return "; ".join(transform_error(error))
    return f"{type(error).__name__}: {error}"
