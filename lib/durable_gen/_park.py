"""Suspension runs none of the workflow's code: no `except`, `finally` or `with` exit, then or later.

A generator that is suspended outside every `try` and `with` is closed, which runs none of its code. One that
is suspended inside is kept, and never finalised, not even when the interpreter ends. What is kept is bounded:
past the bound the oldest are closed, innermost first, with a context whose operations are refused.
"""

from __future__ import annotations

import gc
import itertools
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from opcode import opmap
from types import CodeType, GeneratorType
from typing import Any

from durable_gen import _places
from durable_gen._fibers import Fiber

MOST_KEPT = 1_000  # stacks of generators; each holds what its variables refer to
PUSH_EXC_INFO = opmap["PUSH_EXC_INFO"]
MOST_YIELDS = 100  # a generator that goes on yielding when it is closed is left alone after these

# Iterators that go through others, and the tuple in which some have them.
THROUGH = {
    enumerate,
    filter,
    map,
    zip,
    tuple,
    *(one for one in vars(itertools).values() if isinstance(one, type)),
}

_kept: deque[list[GeneratorType[Any, Any, Any]]] = deque()


def park(fibers: Iterable[Fiber], why: str) -> None:
    """Let go of fibers that nobody will resume, without running any of their code.

    Args:
        fibers: the fibers.
        why: why their contexts may no longer be used.
    """
    for fiber in fibers:
        fiber.scope.over = fiber.scope.over or why
        for generator in reversed(fiber.stack):
            if guarded(generator):
                keep(every(generator))
            else:
                generator.close()
        fiber.stack = []
    while len(_kept) > MOST_KEPT:
        release(_kept.popleft())


def every(generator: Any) -> list[GeneratorType[Any, Any, Any]]:
    """List the generators that are suspended in one another, outermost first."""
    found = [generator]
    while isinstance(inner := found[-1].gi_yieldfrom, GeneratorType):
        found.append(inner)
    return found


def guarded(generator: GeneratorType[Any, Any, Any]) -> bool:
    """Tell whether a generator is suspended inside a `try` or `with`, or holds one that is.

    It holds the one that it yields from, and those that its frame refers to, as of a `for`, be it
    through an iterator of Python's own such as `enumerate`.
    """
    found: list[Any] = [generator]
    seen = {id(generator)}
    for one in found:  # it grows meanwhile
        if type(one) is GeneratorType and has_guards(one.gi_code) and inside(one):
            return True
        for held in gc.get_referents(one):
            kind = type(held)
            if kind is GeneratorType:
                holds = held.gi_suspended
            else:  # classes of users' metaclasses may have any `__hash__`, or none
                holds = type(kind) is type and kind in THROUGH
            if holds and id(held) not in seen:
                seen.add(id(held))
                found.append(held)
    return False


def inside(generator: GeneratorType[Any, Any, Any]) -> bool:
    """Tell whether a generator is suspended inside a `try` or `with` of its own.

    Its code's exception table tells: an entry that covers the current instruction and whose handler
    begins with PUSH_EXC_INFO. The table's other entries are the compiler's own; past one of those it
    is asked again, for an error goes on from the handler.
    """
    frame = generator.gi_frame
    if frame is None or frame.f_lasti < 0:
        return False
    at: int | None = frame.f_lasti
    seen: set[int] = set()
    while at is not None and at not in seen:
        seen.add(at)
        at, guard = handler(generator.gi_code, at)
        if guard:
            return True
    return False


def handler(code: CodeType, at: int) -> tuple[int | None, bool]:
    """Find the handler of an instruction, and whether it is one of the user's."""
    for start, end, target, guard in guards(code):
        if start <= at < end:
            return target, guard
    return None, False


@lru_cache(maxsize=512)
def has_guards(code: CodeType) -> bool:
    """Tell whether a function has a `try` or `with` at all; most have none."""
    return any(guard for *_, guard in guards(code))


@lru_cache(maxsize=512)
def guards(code: CodeType) -> tuple[tuple[int, int, int, bool], ...]:
    """Read a function's exception table: start, end, handler, and whether a `try` or `with` made it."""
    instructions = code.co_code
    return tuple(
        (start, end, target, instructions[target] == PUSH_EXC_INFO)
        for start, end, target in entries(code.co_exceptiontable)
    )


def entries(table: bytes) -> Iterator[tuple[int, int, int]]:
    """Read an exception table: where each entry starts, ends, and has its handler, in bytes.

    The table holds four numbers an entry (start, length, target, depth) in code units, each in groups
    of six bits, most significant first; a bit says that the number goes on.
    """
    numbers = []
    value = 0
    for byte in table:
        value = value << 6 | byte & 0x3F
        if not byte & 0x40:
            numbers.append(value)
            value = 0
    for i in range(0, len(numbers), 4):
        start, length, target = numbers[i : i + 3]
        yield start * 2, (start + length) * 2, target * 2


def keep(chain: list[GeneratorType[Any, Any, Any]]) -> None:
    """Keep generators from ever being finalised."""
    import ctypes

    for generator in chain:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(generator))
    _kept.append(chain)


def release(chain: list[GeneratorType[Any, Any, Any]]) -> None:
    """Close generators that were kept too long, innermost first, and name the line of it."""
    import ctypes

    where = _places.of_generator(chain[0])
    for generator in reversed(chain):
        for _ in range(MOST_YIELDS):
            try:
                generator.close()
            except RuntimeError:  # it yielded instead of ending
                continue
            except BaseException:  # noqa: S110 - what a dead workflow raises concerns nobody
                pass
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(generator))
            break
    warnings.warn(
        f"{where}: a workflow that was suspended inside a try or with was closed, because more than "
        f"{MOST_KEPT} of them are kept; its finally blocks ran, and operations that they yield did "
        "not",
        RuntimeWarning,
        stacklevel=2,
    )
