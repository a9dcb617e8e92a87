"""What the tests of child contexts share: ids by position, records of a child, a flow that keeps its end."""

from __future__ import annotations

from hashlib import blake2b

from durable_gen import DurableError
from stub import logged


def id_of(*path):
    """Name the operation at a path of positions, as durable-lambda-core's and AWS's Python SDK do."""
    name = None
    for n in path:
        text = str(n) if name is None else f"{name}-{n}"
        name = blake2b(text.encode()).hexdigest()[:64]
    return name


ROOT_1 = "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"


def never(ctx):
    raise AssertionError("the body must not run")


def child_record(status, name="x", **details):
    update = {"Id": ROOT_1, "Type": "CONTEXT", "SubType": "Context", "Name": name}
    return logged(update, status, **details)


def reading(seen):
    """Make a handler's flow that keeps how the child `x` ended."""

    def flow(event, ctx):
        try:
            seen.append((yield ctx.child("x", never)))
        except DurableError as error:
            seen.append(error)

    return flow
