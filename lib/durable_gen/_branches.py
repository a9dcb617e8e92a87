"""The methods of a context that run several flows or operations at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from durable_gen import _check, recipes
from durable_gen._ops import Child, CreateCallback, FanOut, Flow, Flush, Inline, Map, Op
from durable_gen._policy import Completion, Progress
from durable_gen._results import Batch, BatchItem
from durable_gen._scope import Scope
from durable_gen.errors import UsageError

if TYPE_CHECKING:
    from durable_gen.context import Context

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")
W = TypeVar("W")
X = TypeVar("X")

Nesting = Literal["nested", "flat"]
Branches = Sequence[Callable[["Context"], Any]] | Mapping[str, Callable[["Context"], Any]]
Runnable = Op[T] | Flow[T] | Callable[["Context"], Flow[T]]

ALL = Completion(tolerated_failures=0)
ANY = Completion(min_successful=1)
ONE = Completion(predicate=lambda progress: progress.completed >= 1)


class Branching:
    """Makes the operations that run several flows or operations at once."""

    __slots__ = ("_scope",)

    _scope: Scope

    def _make(self, op: Op[T]) -> Op[T]:
        self._scope.made(op, 3)
        return op

    def parallel(
        self,
        name: str | None,
        flows: Branches,
        *,
        max_concurrency: int | None = None,
        completion: Completion | Callable[[Progress], bool] | None = None,
        nesting: Nesting = "nested",
        serde: Any = None,
        returns: Any = None,
    ) -> Op[Batch[Any]]:
        """Run several flows at once.

        Args:
            name: the name of it all.
            flows: each is called with a context of its own; a mapping names them.
            max_concurrency: how many may be under way at once; one that waits keeps its place.
            completion: when it is over before all have ended; by default it never is.
            nesting: "flat" keeps the branches themselves off the wire.
            serde: how their values are stored; by default the handler's, JSON.
            returns: the type that their values are read back as; by default their annotations.

        Returns:
            An operation that gives a `Batch`; a branch that fails does not raise, see
            `Batch.raise_if_failed`.
        """
        named: Iterable[tuple[str, Callable[..., Any]]]
        _check.iterable("ctx.parallel(name, flows): flows", flows)
        _check.serde("ctx.parallel(serde=...)", serde)
        if isinstance(flows, Mapping):
            named = flows.items()
        else:
            named = ((f"parallel-branch-{i}", flow) for i, flow in enumerate(flows))
        children: list[Child[Any]] = [
            Child(
                _check.name(branch),
                _check.function("ctx.parallel(name, flows): each flow", flow),
                (),
                serde,
                returns,
                "ParallelBranch",
                _virtual(nesting),
            )
            for branch, flow in named
        ]
        many = _check.bound("ctx.parallel(max_concurrency=...)", max_concurrency)
        over = _completion("parallel", completion, len(children))
        return self._make(FanOut(_check.name(name), children, _same, many, None, over))

    @overload
    def map(
        self,
        name: str | None,
        items: Iterable[U],
        flow: Callable[[Context, U], Generator[Op[Any], Any, T]],
        *,
        max_concurrency: int | None = ...,
        batch_size: int | None = ...,
        completion: Completion | Callable[[Progress], bool] | None = ...,
        item_name: Callable[[U, int], str] | None = ...,
        nesting: Nesting = ...,
        serde: Any = ...,
        returns: Any = ...,
    ) -> Op[Batch[T]]: ...
    @overload
    def map(
        self,
        name: str | None,
        items: Iterable[U],
        flow: Callable[[Context, U], T],
        *,
        max_concurrency: int | None = ...,
        batch_size: int | None = ...,
        completion: Completion | Callable[[Progress], bool] | None = ...,
        item_name: Callable[[U, int], str] | None = ...,
        nesting: Nesting = ...,
        serde: Any = ...,
        returns: Any = ...,
    ) -> Op[Batch[T]]: ...
    def map(
        self,
        name: str | None,
        items: Iterable[Any],
        flow: Callable[..., Any],
        *,
        max_concurrency: int | None = None,
        batch_size: int | None = None,
        completion: Completion | Callable[[Progress], bool] | None = None,
        item_name: Callable[[Any, int], str] | None = None,
        nesting: Nesting = "nested",
        serde: Any = None,
        returns: Any = None,
    ) -> Op[Batch[Any]]:
        """Run a flow for each of several items.

        Args:
            name: the name of it all.
            items: what the flow is run for, in an order that is the same on every replay.
            flow: called with a context of its own, whose `index` is the item's, and the item.
            max_concurrency: how many may be under way at once; one that waits keeps its place.
            batch_size: items in a wave; a wave begins when the one before has ended.
            completion: when it is over before all have ended; by default it never is.
            item_name: names an item, given the item and its index; by default `map-item-{index}`.
            nesting: "flat" keeps the items themselves off the wire.
            serde: how their values are stored; by default the handler's, JSON.
            returns: the type that their values are read back as; by default the flow's annotation.

        Returns:
            An operation that gives a `Batch`; an item that fails does not raise, see
            `Batch.raise_if_failed`.
        """
        _check.iterable("ctx.map(name, items, flow): items", items)
        _check.function("ctx.map(name, items, flow): flow", flow)
        _check.serde("ctx.map(serde=...)", serde)
        virtual = _virtual(nesting)
        children: list[Child[Any]] = [
            Child(
                f"map-item-{i}" if item_name is None else _check.name(item_name(item, i)),
                flow,
                (item,),
                serde,
                returns,
                "MapItem",
                virtual,
            )
            for i, item in enumerate(items)
        ]
        many = _check.bound("ctx.map(max_concurrency=...)", max_concurrency)
        wave = _check.bound("ctx.map(batch_size=...)", batch_size)
        over = _completion("map", completion, len(children))
        return self._make(Map(_check.name(name), children, _same, many, wave, over, "Map"))

    # --- combinators -----------------------------------------------------------------------------

    @overload
    def all(self, a: Runnable[T], /, *, name: str | None = ...) -> Op[tuple[T]]: ...
    @overload
    def all(
        self, a: Runnable[T], b: Runnable[U], /, *, name: str | None = ...
    ) -> Op[tuple[T, U]]: ...
    @overload
    def all(
        self, a: Runnable[T], b: Runnable[U], c: Runnable[V], /, *, name: str | None = ...
    ) -> Op[tuple[T, U, V]]: ...
    @overload
    def all(
        self,
        a: Runnable[T],
        b: Runnable[U],
        c: Runnable[V],
        d: Runnable[W],
        /,
        *,
        name: str | None = ...,
    ) -> Op[tuple[T, U, V, W]]: ...
    @overload
    def all(
        self,
        a: Runnable[T],
        b: Runnable[U],
        c: Runnable[V],
        d: Runnable[W],
        e: Runnable[X],
        /,
        *,
        name: str | None = ...,
    ) -> Op[tuple[T, U, V, W, X]]: ...
    @overload
    def all(self, *ops: Runnable[T], name: str | None = ...) -> Op[tuple[T, ...]]: ...
    def all(self, *ops: Any, name: str | None = "all") -> Op[Any]:
        """Run operations or flows at once, and give all their values.

        Args:
            *ops: operations, flows, or generators made from flows.
            name: the name of it all.

        Returns:
            An operation that gives a tuple of their values, in the order of `ops`. It raises the
            first error as soon as one fails; the others are given up.
        """
        return self._make(self._combine("all", name, ops, ALL, recipes.every))

    def settled(
        self, *ops: Runnable[T], name: str | None = "settled"
    ) -> Op[tuple[BatchItem[T], ...]]:
        """Run operations or flows at once, and give what became of each.

        Args:
            *ops: operations, flows, or generators made from flows.
            name: the name of it all.

        Returns:
            An operation that gives a tuple of `BatchItem`, in the order of `ops`; it never raises.
        """
        return self._make(self._combine("settled", name, ops, Completion(), recipes.outcomes))

    def any(self, *ops: Runnable[T], name: str | None = "any") -> Op[T]:
        """Run operations or flows at once, and give the first success.

        Args:
            *ops: operations, flows, or generators made from flows; at least one.
            name: the name of it all.

        Returns:
            An operation that gives the value of the first that succeeds; the others are given up.
            When all fail it raises BatchFailed.

        Raises:
            UsageError: there are none.
        """
        _some("any", ops)
        return self._make(self._combine("any", name, ops, ANY, recipes.first_success))

    def race(self, *ops: Runnable[T], name: str | None = "race") -> Op[T]:
        """Run operations or flows at once, and give how the first of them ends.

        Args:
            *ops: operations, flows, or generators made from flows; at least one. Of several that
                have ended when the invocation begins, the first in this order wins.
            name: the name of it all.

        Returns:
            An operation that gives the value, or raises the error, of the first that ends. The
            winner is recorded before anyone sees it; the others are given up.

        Raises:
            UsageError: there are none.
        """
        _some("race", ops)
        return self._make(self._combine("race", name, ops, ONE, recipes.first_end))

    def _combine(
        self,
        word: str,
        name: str | None,
        ops: Sequence[Any],
        completion: Completion,
        pick: Callable[[Batch[Any]], Any],
    ) -> Op[Any]:
        children: list[Child[Any]] = []
        for op in ops:
            how: dict[str, Any] = {"virtual": True, "transparent": True}
            if isinstance(op, Inline | Flush):
                msg = (
                    f"ctx.{word}(...) takes operations that give a value; yield {op.call} by itself"
                )
                raise UsageError(msg)
            if isinstance(op, CreateCallback):
                msg = (
                    f"ctx.{word}(...) cannot make callbacks, whose records go when it is over. Make "
                    "them first, and give it their results:\n"
                    f'    wrong:  yield ctx.{word}(ctx.callback("a"), ctx.callback("b"))\n'
                    '    right:  a = yield ctx.callback("a")\n'
                    '            b = yield ctx.callback("b")\n'
                    f"            yield ctx.{word}(a.result(), b.result())"
                )
                raise UsageError(msg)
            if isinstance(op, Op):
                children.append(Child(op.name, recipes.once, (op,), **how))
            elif isinstance(op, GeneratorType):
                if sum(op is one for one in ops) > 1:
                    flow = op.gi_code.co_name
                    msg = (
                        f"ctx.{word}(...) was given the generator {flow}(...) twice; a generator runs "
                        "once:\n"
                        f"    wrong:  one = {flow}(ctx); yield ctx.{word}(one, one)\n"
                        f"    right:  yield ctx.{word}({flow}(ctx), {flow}(ctx))"
                    )
                    raise UsageError(msg)
                children.append(Child(op.gi_code.co_name, _same, (self,), borrowed=op, **how))
            elif callable(op):
                children.append(Child(getattr(op, "__name__", None), op, (), **how))
            else:
                msg = (
                    f"ctx.{word}(...) takes operations and flows, "
                    f"not {op!r:.80} ({type(op).__name__})"
                )
                raise UsageError(msg)
        call = f"ctx.{word}(...)"
        return FanOut(_check.name(name), children, pick, None, None, completion, call=call)


def _same(value: Any) -> Any:
    return value


def _virtual(nesting: Nesting) -> bool:
    if nesting not in ("nested", "flat"):
        msg = f"nesting must be 'nested' or 'flat', not {nesting!r}"
        raise UsageError(msg)
    return nesting == "flat"


def _some(word: str, ops: Sequence[Any]) -> None:
    if not ops:
        msg = f"ctx.{word}() of nothing would never end: give it at least one operation"
        raise UsageError(msg)


def _completion(
    word: str, completion: Completion | Callable[[Progress], bool] | None, total: int
) -> Completion:
    if completion is None:
        return Completion()
    if not isinstance(completion, Completion):
        what = f"ctx.{word}(completion=...)"
        predicate = _check.function(what, completion, "a Completion or a function")
        return Completion(predicate=predicate)
    least = completion.min_successful
    if least is not None and total and least > total:
        one, many = ("item", "items") if word == "map" else ("branch", "branches")
        there = f"there is 1 {one}" if total == 1 else f"there are {total} {many}"
        msg = f"ctx.{word}(completion=Completion(min_successful={least})) can never be reached: {there}"
        raise UsageError(msg)
    return completion
