"""Places in the user's code: `orders.py:31, in payment`."""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice
from types import CodeType, GeneratorType
from typing import Any

from durable_gen._failure import LIBRARY

Site = tuple[CodeType, int]


def of_site(site: Site | None) -> str:
    """Name the place of an instruction: where an operation was created."""
    if site is None:
        return "an unknown place"
    code, offset = site
    line = next(islice(code.co_positions(), offset // 2, None), (None,))[0]
    return place(code, line or code.co_firstlineno)


def of_generator(generator: Generator[Any, Any, Any]) -> str:
    """Name the place where a generator is suspended, or its definition when it has not begun."""
    innermost = chain(generator)[-1]
    frame = innermost.gi_frame
    code = innermost.gi_code
    return place(code, frame.f_lineno if frame is not None else code.co_firstlineno)


def of_function(function: Any) -> str:
    """Name the place where a function is defined."""
    function = getattr(function, "func", function)
    code = getattr(function, "__code__", None)
    if code is None:
        return repr(function)
    return place(code, code.co_firstlineno)


def of_ours(code: CodeType) -> bool:
    """Tell whether code is the library's own, of which users know nothing."""
    return code.co_filename.startswith(LIBRARY)


def of_error(error: BaseException) -> str | None:
    """Name the innermost line of the user's that an exception was raised at."""
    found = None
    tb = error.__traceback__
    while tb is not None:
        code = tb.tb_frame.f_code
        if not of_ours(code):
            found = place(code, tb.tb_lineno)
        tb = tb.tb_next
    return found


def place(code: CodeType, line: int) -> str:
    """Name a line of a function."""
    from pathlib import PurePath

    return f"{PurePath(code.co_filename).name}:{line}, in {code.co_qualname}"


def chain(generator: Any) -> list[GeneratorType[Any, Any, Any]]:
    """List the user's generators that are suspended in one another, outermost first."""
    found = [generator]
    while isinstance(inner := found[-1].gi_yieldfrom, GeneratorType):
        if of_ours(inner.gi_code):
            break
        found.append(inner)
    return found
