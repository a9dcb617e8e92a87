"""Dialects: the wire's words and branch ids, and that an execution keeps its own."""

from __future__ import annotations

from hashlib import blake2b

import pytest

from durable_gen import durable
from replays import log
from stub import Stub, event, logged, result

ROOT_1 = "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"


def id_of(*path):
    name = None
    for n in path:
        name = blake2b((str(n) if name is None else f"{name}-{n}").encode()).hexdigest()[:64]
    return name


def both(event, ctx):
    yield ctx.child("c", lambda child: 1)
    yield ctx.map("m", [1, 2], lambda child, item: item)
    yield ctx.wait("nap", 30)
    yield ctx.child("d", lambda child: 1)
    yield ctx.map("n", [1], lambda child, item: item)


WORDS = {
    "core": (["Context", "Map", "MapItem"], [id_of(2, 1), id_of(2, 2)]),
    "aws": (["RunInChildContext", "Map", "MapIteration"], [id_of(2, 0), id_of(2, 1)]),
}


@pytest.mark.parametrize("dialect", ["core", "aws"])
def test_dialect_says_the_words_and_the_first_branch(dialect):
    """The dialects differ in sub types and in whether branches are counted from 0 or 1."""
    stub = Stub()
    durable(backend=stub, dialect=dialect)(both)(event())
    words, ids = WORDS[dialect]
    assert words == list(
        dict.fromkeys(u["SubType"] for u in stub.updates if u["Type"] == "CONTEXT")
    )
    assert ids == [
        u["Id"] for u in stub.updates if u["Action"] == "START" and "map-item" in u["Name"]
    ]


@pytest.mark.parametrize(("began", "now"), [("core", "aws"), ("aws", "core")])
def test_execution_keeps_the_dialect_that_it_began_with(began, now):
    """Whatever the handler is set to now, the log decides."""
    first, second = Stub(), Stub()
    durable(backend=first, dialect=began)(both)(event())
    records = log(first, "nap")
    assert result(durable(backend=second, dialect=now)(both)(event(*records))) is None
    words = {u["SubType"] for u in second.updates}
    context, _, item = WORDS[began][0]
    assert {context, "Map", item} == words


@pytest.mark.parametrize("nesting", ["nested", "flat"])
@pytest.mark.parametrize(("began", "now"), [("core", "aws"), ("aws", "core")])
def test_execution_of_branches_only_keeps_its_dialect_too(began, now, nesting):
    """The ids of branches tell, where no sub type does."""
    first, second = Stub(), Stub()

    def flow(event, ctx):
        nap = lambda child: (yield child.wait("nap", 30))  # noqa: E731
        yield ctx.parallel("p", [nap, nap], nesting=nesting)
        return "over"

    durable(backend=first, dialect=began)(flow)(event())
    handler = durable(backend=second, dialect=now)(flow)
    assert "over" == result(handler(event(*log(first, "nap"))))


@pytest.mark.parametrize("sub_type", ["Context", "RunInChildContext"])
@pytest.mark.parametrize("dialect", ["core", "aws"])
def test_either_vocabulary_is_read(dialect, sub_type):
    """A record in either dialect's words fits."""
    update = {"Id": ROOT_1, "Type": "CONTEXT", "SubType": sub_type, "Name": "c"}

    @durable(backend=Stub(), dialect=dialect)
    def handler(event, ctx):
        return (yield ctx.child("c", lambda child: 0))

    assert 7 == result(handler(event(logged(update, "SUCCEEDED", Result="7"))))


def test_environment_chooses_the_dialect(monkeypatch):
    """DURABLE_GEN_DIALECT=aws writes AWS's words where the handler names none."""
    monkeypatch.setenv("DURABLE_GEN_DIALECT", "aws")
    stub = Stub()
    durable(backend=stub)(both)(event())
    assert "RunInChildContext" == stub.updates[0]["SubType"]
