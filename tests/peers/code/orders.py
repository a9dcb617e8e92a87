"""Workflows that AWS's Python SDK runs: every operation of it, alone and together."""

import os
from pathlib import Path

from aws_durable_execution_sdk_python import InvokeError, durable_execution
from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    CompletionConfig,
    Duration,
    JitterStrategy,
    MapConfig,
    ParallelBranch,
    StepConfig,
)
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitStrategyConfig,
    create_wait_strategy,
)

SECOND = Duration.from_seconds(1)
STUBBORN = StepConfig(
    create_retry_strategy(
        RetryStrategyConfig(
            max_attempts=3,
            initial_delay=SECOND,
            backoff_rate=1,
            jitter_strategy=JitterStrategy.NONE,
        )
    )
)


def third_time(step):
    """Succeed at the third attempt."""
    if step.attempt < 3:
        msg = "the shop is closed"
        raise ConnectionError(msg)
    return step.attempt


@durable_execution
def retry(event, context):
    """Try a step until it succeeds, then wait."""
    attempt = context.step(third_time, "reserve", STUBBORN)
    context.wait(SECOND, "cool down")
    return [event, attempt]


@durable_execution
def approve(event, context):
    """Ask for an answer, and say what it was."""
    callback = context.create_callback("approval", CallbackConfig(heartbeat_timeout=Duration(60)))
    context.step(lambda step: step.logger.warning("asked for %s", callback.callback_id), "ask")
    return callback.result()


def ship(context, item, _index, _items):
    """Ship an item; nobody ships cats."""
    if item == "cat":
        msg = "not a cat"
        raise ValueError(msg)
    return context.step(lambda _: f"{item} shipped", "ship")


@durable_execution
def fan_out(event, context):
    """Ship all items, and do two things side by side of which one takes its time."""
    shipped = context.map(
        event, ship, "ship all", MapConfig(completion_config=CompletionConfig.all_completed())
    )

    def slow(branch):
        branch.wait(SECOND, "paint dries")
        return "painted"

    both = context.parallel(
        [ParallelBranch(slow, "paint"), lambda branch: branch.step(lambda _: "wrapped", "wrap")],
        "finish",
    )
    return [shipped.get_results(), shipped.failure_count, both.get_results()]


@durable_execution
def compose(event, context):
    """Call a plain function, another workflow and one that fails, in a child; then poll."""

    def family(child):
        plain = child.invoke("plain", event, "ask the plain one")
        durable = child.invoke("echo:$LATEST", plain, "ask the durable one")
        try:
            child.invoke("plain", None, "ask for trouble")
        except InvokeError as error:
            return [durable, str(error)]
        return None

    answers = context.run_in_child_context(family, "family")
    strategy = WaitStrategyConfig(
        lambda state: state < 2,
        initial_delay=SECOND,
        backoff_rate=1,
        jitter_strategy=JitterStrategy.NONE,
    )
    polling = WaitForConditionConfig(create_wait_strategy(strategy), 0)
    return [*answers, context.wait_for_condition(lambda state, _: state + 1, polling, "arrive")]


@durable_execution
def echo(event, context):
    """Answer what was asked, after a while."""
    context.wait(SECOND, "think")
    return event


@durable_execution
def bulk(event, context):
    """Remember more than one event can carry, and count it after a wait."""
    kept = [context.step(lambda _, n=n: f"{n}" + event * 240_000, f"page {n}") for n in range(30)]
    context.wait(SECOND, "put it away")
    return sum(map(len, kept))


@durable_execution
def crash(event, context):
    """Die in the first attempt of a step."""

    def work(step):
        mark = Path(event)
        if not mark.exists():
            mark.touch()
            os._exit(7)
        return "done"

    return context.step(work, "work")


def plain(event, context):
    """Answer as functions do that know nothing of workflows."""
    if event is None:
        msg = "nothing asked"
        raise LookupError(msg)
    print("asked", event)
    return {"asked": event, "by": context.function_name}
