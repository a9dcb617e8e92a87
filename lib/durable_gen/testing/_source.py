"""What the source of a flow tells: generators that are made and never run, and what stands in a `finally`."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import PurePath
from types import CodeType, GeneratorType
from typing import Any

from attrs import frozen

from durable_gen import _places
from durable_gen._ops import Op, Step, label
from durable_gen.context import Context

Function = ast.FunctionDef | ast.AsyncFunctionDef


@frozen
class Suspect:
    """A statement that calls something and does nothing with what it gives.

    Attributes:
        line: its line.
        names: what is called, as `self.notify` in parts.
        call: its source.
    """

    line: int
    names: tuple[str, ...]
    call: str


@lru_cache
def _tree(filename: str) -> ast.Module | None:
    try:
        return ast.parse("".join(linecache.getlines(filename)))
    except SyntaxError:  # no Python: a page of documentation, a shell
        return None


@lru_cache
def function(code: CodeType) -> Function | None:
    """Find the definition of a function in its file; None where there is none."""
    tree = _tree(code.co_filename)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, Function) and node.name == code.co_name:
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            if first == code.co_firstlineno:
                return node
    return None


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a function, but for the functions inside it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Function | ast.Lambda | ast.ClassDef):
            yield child
            yield from _own(child)


@lru_cache
def suspects(code: CodeType) -> tuple[Suspect, ...]:
    """List the statements of a function that call something and drop what it gives."""
    node = function(code)
    if node is None:
        return ()
    loaded = {
        one.id
        for one in ast.walk(node)
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load | ast.Del)
    }
    found = []
    for one in _own(node):
        match one:
            case ast.Expr(value=ast.Call() as call):
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call):
                if name in loaded:
                    continue
            case _:
                continue
        names = _names(call.func)
        if names:
            found.append(Suspect(call.lineno, names, ast.unparse(call)))
    return tuple(found)


def _names(node: ast.expr) -> tuple[str, ...]:
    match node:
        case ast.Name(id=name):
            return (name,)
        case ast.Attribute(value=inner, attr=name) if names := _names(inner):
            return (*names, name)
    return ()


def never_run(code: CodeType, variables: Mapping[str, Any]) -> str | None:
    """Find a generator that a function makes and never runs.

    Args:
        code: the function's.
        variables: its variables, and those of its module.

    Returns:
        What is wrong, where, and what to write instead; None where nothing is.
    """
    for one in suspects(code):
        made = variables.get(one.names[0])
        for name in one.names[1:]:
            made = inspect.getattr_static(made, name, None) if made is not None else None
        made = getattr(made, "__func__", made)
        if inspect.isgeneratorfunction(made):
            where = _places.place(code, one.line)
            return (
                f"{where}: {one.call} makes a generator and nobody runs it, so nothing in it happens:\n"
                f"    wrong:  {one.call}\n"
                f"    right:  yield from {one.call}"
            )
    return None


def given_unrun(op: Op[Any]) -> str | None:
    """Find a flow's generator that is given to a step instead of what it would return."""
    for one in op.args if isinstance(op, Step) else ():
        if not isinstance(one, GeneratorType) or inspect.getgeneratorstate(one) != "GEN_CREATED":
            continue
        frame = one.gi_frame
        if frame and any(isinstance(value, Context) for value in frame.f_locals.values()):
            name = one.gi_code.co_name
            return (
                f"{_places.of_site(op.site)}: {label(op)} is given the generator {name}(...), which "
                "nobody has run:\n"
                f"    wrong:  value = {name}(ctx)\n"
                f"    right:  value = yield from {name}(ctx)"
            )
    return None


def in_finally(code: CodeType, line: int) -> bool:
    """Tell whether a line of a function stands in a `finally`."""
    node = function(code)
    return node is not None and any(
        last.lineno <= line <= (last.end_lineno or last.lineno)
        for one in _own(node)
        if isinstance(one, ast.Try)
        for last in one.finalbody
    )


def statement(code: CodeType, line: int) -> str:
    """Give a line of a function's source, without its indentation."""
    return linecache.getline(code.co_filename, line).strip()


def cleanups(code: CodeType) -> list[str]:
    """List the calls in a function's `finally` that are no operations, each with its place."""
    node = function(code)
    found = []
    for one in _own(node) if node is not None else ():
        for last in one.finalbody if isinstance(one, ast.Try) else ():
            if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
                name = PurePath(code.co_filename).name
                where = f"{name}:{last.lineno}, in {code.co_qualname}"
                found.append(f"{where}: {ast.unparse(last)}")
    return found
