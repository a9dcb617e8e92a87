"""A log that the code does not fit: what each of them has, by path, at the user's line."""

from __future__ import annotations

from durable_gen import _places
from durable_gen._fibers import Fiber, Task
from durable_gen._ids import operation_id
from durable_gen._log import Log, around, noun, title
from durable_gen.errors import NonDeterminismError


def mismatch(task: Task, sub_type: str) -> NonDeterminismError:
    """Make the error for an operation whose record is of another one."""
    op, scope, fiber = task.op, task.scope, task.fiber
    log = scope.execution.log
    assert task.kind is not None
    word = noun(task.kind.type, sub_type)
    did = f"{word} {op.name!r}" if op.name else f"{word} without a name"
    if fiber is None:  # a branch: its place is in the fan-out
        position = scope.execution.dialect.first + (task.index or 0)
        where = _places.of_function(op.flow)
        return does_not_fit(where, scope.path, did, position, log, task.parent_id)
    return does_not_fit(fiber.place, scope.path, did, scope.position, log, scope.prefix)


def unread(fiber: Fiber, closed: dict[str, None], *, last: bool) -> NonDeterminismError | None:
    """Make the error for what the log still has of a flow that has ended, if it has something.

    Args:
        fiber: the flow's.
        closed: ids of contexts whose insides need not be visited.
        last: whether the whole workflow has ended with it.
    """
    scope = fiber.scope
    log = scope.execution.log
    if not log.unread:
        return None
    position = scope.position + 1
    if operation_id(scope.prefix, position) in log.unread:
        flow = fiber.task.op.flow if fiber.task else scope.execution.flow
        where = _places.of_function(flow)
        return does_not_fit(where, scope.path, None, position, log, scope.prefix)
    left = next(log.leftovers(closed), None) if last else None
    if left is None:
        return None
    msg = (
        f"the log of this execution has {title(left)}, {left.status}, and the code never came "
        "to it. Was the code changed and deployed over a running execution?"
    )
    return NonDeterminismError(msg)


def does_not_fit(
    where: str, path: str, did: str | None, position: int, log: Log, prefix: str | None
) -> NonDeterminismError:
    """Make the error for a log that the code does not fit.

    Args:
        where: the user's line.
        path: the names of the contexts around it.
        did: what the code did there; None when it ended.
        position: the operation in question.
        log: the log.
        prefix: the id space.
    """
    inside = f" of {path!r}" if path else ""
    doing = f"yields {did}" if did else "ends"
    msg = (
        f"{where}: the code {doing} as operation {position}{inside}, and the log of this "
        "execution has something else there:\n"
        f"{around(log, prefix, position, did)}\n"
        "A flow must yield the same operations in the same order for as long as one of its "
        "executions runs. Was it changed and deployed over a running execution, or does it depend "
        "on the clock, random numbers, the environment or the order of a set outside a step?"
    )
    return NonDeterminismError(msg)
