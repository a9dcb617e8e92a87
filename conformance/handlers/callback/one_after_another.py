"""Requirement 4-17."""

from durable_gen import Context, Flow, durable


@durable
def handler(names: list[str], ctx: Context) -> Flow[list[str]]:
    """Wait for one answer, then for another."""
    answers = []
    for name in names:
        callback = yield from ctx.callback(name)
        answers.append((yield from callback.result()))
    return answers
