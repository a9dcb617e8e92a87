"""What is shown of a run when its test has failed: the tree, and the errors with their stacks."""

from __future__ import annotations

from collections.abc import Iterator

from durable_gen._model import ErrorObject
from durable_gen.testing._history import History


def told(run: History) -> str:
    """Draw a run, and write every error that was recorded in it, whole.

    Args:
        run: the run.
    """
    return "\n".join([str(run), *_errors(run)])


def _errors(run: History) -> Iterator[str]:
    for one in run:
        for attempt in one.attempts:
            if attempt.error is not None:
                nth = f" at attempt {attempt.number}" if len(one.attempts) > 1 else ""
                yield from _error(f"{one.kind} {one.path}{nth}", attempt.error)
        if one.failure is not None and one.type != "STEP":
            yield from _error(f"{one.kind} {one.path}", one.failure)
    if run.failure is not None:
        yield from _error("the execution", run.failure)


def _error(what: str, error: ErrorObject) -> Iterator[str]:
    yield ""
    yield f"{what} failed:"
    yield from (line.rstrip() for frame in error.stack_trace or () for line in frame.splitlines())
    yield (
        ": ".join(part for part in (error.type, error.message) if part) or "an error without a word"
    )
