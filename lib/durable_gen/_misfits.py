"""A log that the code does not fit: what each of them has, by path, at the user's line."""

from __future__ import annotations

from collections.abc import Mapping

from durable_gen import _places
from durable_gen._fibers import Fiber, Task
from durable_gen._ids import operation_id
from durable_gen._log import around, title, titled
from durable_gen._outcome import Err, Outcome
from durable_gen._scope import Scope
from durable_gen.errors import NonDeterminismError

WHY = (
    "A flow must yield the same operations in the same order for as long as one of its executions "
    "runs. Was it changed and deployed over a running execution, or does it depend on the clock, "
    "random numbers, the environment or the order of a set outside a step?"
)


def mismatch(task: Task) -> NonDeterminismError:
    """Make the error for an operation whose record is of another one, or that should have one."""
    op, scope = task.op, task.scope
    assert task.kind is not None
    sub_type = task.kind.sub_type(op, scope.execution.dialect)
    path = scope.path_of(op.name)
    did = title(task.kind.type, sub_type, op.name)
    does = f"yields {title(task.kind.type, sub_type, op.name, path)} as"
    if task.fiber is None:  # a branch: its place is in the fan-out
        assert task.index is not None
        position = task.index + scope.execution.dialect.first
        return misfit(task.place, does, did, scope, scope.prefix, position, scope.path)
    return misfit(task.place, does, did, scope, scope.prefix, scope.position, scope.path)


def unread(
    fiber: Fiber, outcome: Outcome, closed: Mapping[str, object], *, last: bool
) -> NonDeterminismError | None:
    """Make the error for what the log still has of a flow that has ended, if it has something.

    Args:
        fiber: the flow's.
        outcome: how it ended.
        closed: ids of contexts whose insides need not be visited.
        last: whether the whole workflow has ended with it.
    """
    scope = fiber.scope
    log = scope.execution.log
    if not log.unread:
        return None
    flow = fiber.task.op.flow if fiber.task else scope.execution.flow
    where, does, did = _places.of_function(flow), "ends before", "ends here"
    if isinstance(outcome, Err):
        error = outcome.error
        where = _places.of_error(error) or where
        did = f"raises {type(error).__name__}: {error}"
        does = f"{did} before"
    position = scope.position + 1
    if operation_id(scope.prefix, position) in log.unread:
        return misfit(where, does, did, scope, scope.prefix, position, scope.path)
    left = next(log.leftovers(closed), None) if last else None
    if left is None:
        return None
    msg = (
        f"{where}: the code {does} it came to {titled(left)}, which the log of this execution has "
        f"({left.status}).\n{WHY}"
    )
    return NonDeterminismError(msg)


def fewer(task: Task, position: int, total: int) -> NonDeterminismError:
    """Make the error for a fan-out whose log has another number of branches."""
    op, scope = task.op, task.scope
    does = f"has {total} branches and none as"
    inside = scope.path_of(op.name)
    return misfit(task.place, does, f"ends after {total}", scope, task.id, position, inside)


def misfit(
    where: str, does: str, did: str, scope: Scope, prefix: str | None, position: int, path: str
) -> NonDeterminismError:
    """Make the error for a log that the code does not fit.

    Args:
        where: the user's line.
        does: what the code does, with the word that leads to its place.
        did: what the code does, for the drawing.
        scope: any scope of the execution.
        prefix: the id space.
        position: the operation in question.
        path: the names of the contexts around it.
    """
    log = scope.execution.log
    inside = f" of {path!r}" if path else ""
    record = log.current(operation_id(prefix, position))
    had = "nothing"
    if record is not None:
        whole = "/".join(part for part in (path, record.name) if part)
        had = titled(record, whole)
    msg = (
        f"{where}: the code {does} operation {position}{inside}, and the log of this execution has "
        f"{had} there:\n{around(log, prefix, position, did)}\n{WHY}"
    )
    return NonDeterminismError(msg)
