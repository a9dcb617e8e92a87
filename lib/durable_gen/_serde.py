"""Values to text and back: the `Serde` protocol, and JSON, which is the default."""

from __future__ import annotations

import collections.abc
import math
import sys
import types
import typing
from collections.abc import Callable, Generator
from datetime import date
from datetime import time as clock_time
from enum import Enum
from functools import cache
from typing import Any, Protocol, get_args, get_origin
from weakref import WeakKeyDictionary

import orjson
from attrs import frozen

from durable_gen._check import is_awaitable, shown
from durable_gen.errors import DeserializationError, SerializationError

STRICT = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


ANNOTATE = (
    "annotate what the function returns, or pass returns=, so that it is read back as what it is"
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
        hint: what to do about a value that JSON has no word for.
        kept: whether the text is stored. That of a virtual child is not: it is found anew on every
            replay, so nothing should be left elsewhere for it.
        preview: what a chain shows of the value in the clear; codecs are told.
    """

    what: str
    type: Any
    operation_id: str
    execution_arn: str
    attempt: int = 0
    hint: str = ANNOTATE
    kept: bool = True
    preview: Any = None


class Serde(Protocol):
    """Writes values as text and reads them back."""

    def dumps(self, value: Any, info: SerdeInfo) -> str:
        """Write a value, or raise SerializationError."""

    def loads(self, text: str, info: SerdeInfo) -> Any:
        """Read a value, or raise DeserializationError."""


class Json:
    """JSON by orjson; values with a type annotation are structured by cattrs."""

    writes_json = True

    def dumps(self, value: Any, info: SerdeInfo) -> str:
        """Write a value as JSON, if it can be read back as what it is.

        Raises:
            SerializationError: it cannot; the text names the path in the value.
        """
        if plain(info.type):
            if not fits(value, info.type):
                msg = (
                    f"{info.what}: {shown(value)} cannot be stored as {_name(info.type)}, which its "
                    "annotation names"
                )
                raise SerializationError(msg)
            return _plain_json(value, info)
        try:
            text = _written(value, info.type).decode()
            again = converter().structure(orjson.loads(text), info.type)
        except Exception as error:
            why = _why(error)
        else:
            found = other(value, again)
            if found is None:
                return text
            why = f"it would come back as {found[1]!r:.60} @ {found[0]}"
        msg = (
            f"{info.what}: {shown(value)} cannot be stored as "
            f"{_name(info.type)}, which its annotation names: {why}"
        )
        raise SerializationError(msg)

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
        made: Any = value
        why = None
        if not plain(info.type):
            made, why = _structured(value, info.type)
        elif not fits(value, info.type):
            why = f"it is {shown(value)}"
        if why is not None:
            msg = f"{info.what}: the stored value does not fit {_name(info.type)}: {why}"
            raise DeserializationError(msg)
        return made


def fits(value: Any, hint: Any) -> bool:
    """Tell whether a value is of a scalar type that is asked for."""
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint) if hint in (str, bool) else True


def _written(value: Any, hint: Any) -> bytes:
    """Write a value of a type as JSON."""
    return orjson.dumps(converter().unstructure(value, unstructure_as=hint), default=_dated)


def _dated(value: Any) -> str:
    """Write what a library has made of datetimes, such as freezegun or pendulum."""
    if isinstance(value, date | clock_time):
        return value.isoformat()
    raise TypeError


def _structured(value: Any, hint: Any) -> tuple[Any, str | None]:
    """Structure a value; say why that cannot be done without changing what it says."""
    try:
        made = converter().structure(value, hint)
        again = orjson.loads(_written(made, hint))
    except Exception as error:
        return None, _why(error)
    found = coerced(value, again)
    return made, None if found is None else f"{found[1]} @ {found[0]}"


def coerced(stored: Any, again: Any, path: str = "$") -> tuple[str, str] | None:
    """Find where structuring took one kind of JSON value for another, as text for a truth value.

    Members that only one of them has do not count: classes grow, and have defaults.
    """
    if isinstance(stored, dict) and isinstance(again, dict):
        parts = [(f"{path}.{key}", stored[key], again[key]) for key in stored if key in again]
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        parts = [(f"{path}[{i}]", a, b) for i, (a, b) in enumerate(zip(stored, again, strict=True))]
    elif type(stored) is type(again) or (type(stored), type(again)) in ((int, float), (float, int)):
        return None
    else:
        return path, f"{shown(stored)} would be read as {shown(again)}"
    return next((found for at, a, b in parts if (found := coerced(a, b, at)) is not None), None)


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


def json_of(value: Any) -> str | None:
    """Write a value as JSON; None if it would not be read back as what it is."""
    try:
        text = orjson.dumps(value, option=STRICT)
        if orjson.loads(text) == value or problem(value) is None:
            return text.decode()
    except (TypeError, ValueError, RecursionError):
        pass
    return None


def _plain_json(value: Any, info: SerdeInfo) -> str:
    text = json_of(value)
    if text is not None:
        return text
    path, why, mendable = problem(value) or ("$", "it is nested too deeply or holds itself", False)
    hint = f"; {info.hint}" if mendable and info.hint else ""
    msg = f"{info.what}: its value cannot be stored as JSON: {why} @ {path}{hint}"
    raise SerializationError(msg)


Problem = tuple[str, str, bool]


def problem(value: Any, path: str = "$") -> Problem | None:
    """Find what in a value is no JSON.

    Returns:
        Its path, what is wrong with it, and whether an annotation would mend it; or None.
    """
    kind = type(value)
    if value is None or kind is bool or (isinstance(value, Enum) and isinstance(value, str)):
        return None
    if kind is str:
        return (path, "text with a lone surrogate", False) if _lone(value) else None
    if kind is int:
        small = -(2**63) <= value < 2**64
        return None if small else (path, f"{value!r:.30} is beyond 64 bits", False)
    if kind is float:
        return None if math.isfinite(value) else (path, f"JSON has no {value!r}", False)
    if kind in (list, tuple):
        members: Any = ((f"{path}[{i}]", member) for i, member in enumerate(value))
    elif kind is dict:
        for key in value:
            if type(key) is not str:
                return path, f"the key {key!r:.40} is {type(key).__name__}, not text", False
            if _lone(key):
                return path, "text with a lone surrogate", False
        members = ((f"{path}.{key}", member) for key, member in value.items())
    else:
        mendable = not callable(value) and not hasattr(value, "__next__")
        return path, shown(value), mendable and not is_awaitable(value)
    try:
        return next((found for at, one in members if (found := problem(one, at))), None)
    except RecursionError:
        return None


def _lone(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def other(one: Any, two: Any, path: str = "$") -> tuple[str, Any] | None:
    """Find where a value that was read back is another than the one that was written.

    Returns:
        The path, and what stands there; or None. Objects without an equality of their own are
        compared by their attributes.
    """
    if type(one) is not type(two):
        return path, two
    if isinstance(one, list | tuple) and len(one) == len(two):
        parts: Any = [(f"{path}[{i}]", a, b) for i, (a, b) in enumerate(zip(one, two, strict=True))]
    elif isinstance(one, dict) and one.keys() == two.keys():
        parts = [(f"{path}.{key}", one[key], two[key]) for key in one]
    elif hasattr(type(one), "__attrs_attrs__") or hasattr(type(one), "__dataclass_fields__"):
        names = [f.name for f in getattr(type(one), "__attrs_attrs__", ())]
        names = names or list(type(one).__dataclass_fields__)
        parts = [(f"{path}.{name}", getattr(one, name), getattr(two, name)) for name in names]
    else:
        return None if one == two else (path, two)
    return next((found for at, a, b in parts if (found := other(a, b, at))), None)


# --- types ---------------------------------------------------------------------------------------

ITERATORS = (collections.abc.Iterator, collections.abc.Iterable)
SCALARS = frozenset({Any, None, type(None), object, str, int, float, bool, dict, list})
CHECKED = (str, int, float, bool)
UNKNOWN = object()
_returns: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
_simple: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


@cache
def _plain(hint: Any) -> bool:
    if hint in SCALARS or isinstance(hint, typing.TypeVar):
        return True
    if typing.is_typeddict(hint):
        return all(plain(_bare(part)) for part in typing.get_type_hints(hint).values())
    origin, args = get_origin(hint), get_args(hint)
    if origin is dict:
        return args[0] in (str, Any) and plain(args[1])
    if origin in (list, typing.Union, types.UnionType):
        return all(plain(arg) for arg in args)
    return origin is typing.Literal


def _bare(hint: Any) -> Any:
    marked = get_origin(hint) in (typing.Required, typing.NotRequired)
    return get_args(hint)[0] if marked else hint


def plain(hint: Any) -> bool:
    """Tell whether a type is JSON's own, so that values of it need no structuring."""
    try:
        return hint is Any or _plain(hint)
    except (TypeError, NameError):  # a hint that cannot be hashed, or names what is not there
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


def simple(function: Callable[..., Any]) -> Any:
    """Find how what a function returns is checked when it is read back as JSON.

    Returns:
        Any where any JSON will do; str, int, float or bool; None where it takes a converter.
    """
    known = _simple.get(function, UNKNOWN)
    if known is UNKNOWN:
        hint = returned(function)
        known = (hint if hint in CHECKED else Any) if plain(hint) else None
        _simple[function] = known
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
    from uuid import UUID

    from cattrs.preconf.orjson import make_converter

    made = make_converter()
    made.register_unstructure_hook(Decimal, str)
    made.register_structure_hook(Decimal, lambda value, _: Decimal(value))
    made.register_unstructure_hook(timedelta, lambda value: value.total_seconds())
    made.register_structure_hook(timedelta, lambda value, _: timedelta(seconds=value))
    made.register_unstructure_hook(UUID, str)
    made.register_structure_hook(UUID, lambda value, _: UUID(value))
    made.register_unstructure_hook_factory(_enum_keys, lambda hint: _by_value(made, hint))
    made.register_structure_hook_func(_pydantic, lambda value, cls: cls.model_validate(value))
    made.register_unstructure_hook_func(_pydantic, lambda value: value.model_dump(mode="json"))
    return made


def _enum_keys(hint: Any) -> bool:
    args = get_args(hint)
    return get_origin(hint) is dict and isinstance(args[0], type) and issubclass(args[0], Enum)


def _by_value(made: Any, hint: Any) -> Callable[[Any], dict[str, Any]]:
    part = get_args(hint)[1]
    return lambda value: {
        str(key.value): made.unstructure(member, unstructure_as=part)
        for key, member in value.items()
    }


def _pydantic(cls: Any) -> bool:
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(cls, type) and issubclass(cls, pydantic.BaseModel)


def _name(hint: Any) -> str:
    return hint.__qualname__ if isinstance(hint, type) and not get_args(hint) else str(hint)


def _why(error: Exception) -> str:
    from cattrs import transform_error
    from cattrs.errors import BaseValidationError

    if isinstance(error, BaseValidationError):
        return "; ".join(transform_error(error))
    return f"{type(error).__name__}: {error}"
