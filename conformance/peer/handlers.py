"""The requirements that AWS's local runner fails, answered with AWS's Python SDK, to show that it fails them too."""

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

from aws_durable_execution_sdk_python import (
    CallbackTimeoutError,
    DurableContext,
    InvokeError,
    StepContext,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    Duration,
    InvokeConfig,
    JitterStrategy,
    StepConfig,
    StepSemantics,
    WaitForCallbackConfig,
)
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy
from aws_durable_execution_sdk_python.serdes import SerDes
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitStrategyConfig,
    create_wait_strategy,
)

ECHO, FAILING, TENANT = (
    f"{os.environ.get(name)}:$LATEST" for name in ("ECHO_TARGET", "FAILING_TARGET", "TENANT_TARGET")
)


class TransientError(Exception):
    """It may pass."""


def retry(initial: int = 1, backoff: float = 1, **options: Any) -> StepConfig:
    """Make a policy without jitter."""
    delay, none = Duration.from_seconds(initial), JitterStrategy.NONE
    how = RetryStrategyConfig(
        max_attempts=5,
        initial_delay=delay,
        backoff_rate=backoff,
        jitter_strategy=none,
        retryable_error_types=[Exception],
    )
    return StepConfig(retry_strategy=create_retry_strategy(how), **options)


def succeed_at(attempt: int, value: Any) -> Any:
    """Make a step that fails before an attempt."""

    def step(context: StepContext) -> Any:
        if context.attempt < attempt:
            msg = "not yet"
            raise TransientError(msg)
        return value

    return step


# --- steps ---------------------------------------------------------------------------------------


@durable_execution
def retried(_event: Any, context: DurableContext) -> str:
    """Try a step again that failed: 1-11 and 1-15."""
    return context.step(succeed_at(2, "Operation succeeded"), config=retry())


@durable_execution
def backoff(_event: Any, context: DurableContext) -> int:
    """Try a step again after 2 seconds, then after 6: 1-14."""
    return context.step(succeed_at(3, 3), config=retry(2, 3))


@durable_execution
def at_most_once(event: Any, context: DurableContext) -> None:
    """Do not run a step again that was cut off: 1-17."""

    def crash(step: StepContext) -> None:
        step.logger.info(event)
        os._exit(1)

    once = StepSemantics.AT_MOST_ONCE_PER_RETRY
    never = create_retry_strategy(RetryStrategyConfig(max_attempts=1))
    config = StepConfig(retry_strategy=never, step_semantics=once)
    context.step(crash, "at_most_once_flaky_step", config)


@durable_execution
def at_most_once_retried(event: Any, context: DurableContext) -> str:
    """Make another attempt of a step that was cut off: 1-18."""

    def crash(step: StepContext) -> str:
        step.logger.info(event)
        if step.attempt == 1:
            os._exit(1)
        return "succeeded on second attempt"

    once = StepSemantics.AT_MOST_ONCE_PER_RETRY
    return context.step(crash, config=retry(step_semantics=once))


# --- child contexts ------------------------------------------------------------------------------


@durable_execution
def child_retried(event: Any, context: DurableContext) -> str:
    """Come back into a child for the second attempt of its step: 3-7."""
    return context.run_in_child_context(
        lambda child: child.step(succeed_at(2, event), config=retry()), "work"
    )


@durable_execution
def child_crashed(event: Any, context: DurableContext) -> str:
    """Run a step of a child again that was cut off: 3-12."""
    arn = context.execution_context.durable_execution_arn
    mark = Path(tempfile.gettempdir(), arn.rpartition("/")[2])

    def crash_once(_step: StepContext) -> str:
        if not mark.exists():
            mark.touch()
            time.sleep(0.5)  # long enough for the start of it all to be recorded
            os._exit(1)
        mark.unlink()
        return event

    return context.run_in_child_context(lambda child: child.step(crash_once), "work")


# --- callbacks -----------------------------------------------------------------------------------


def seconds(number: int) -> Duration:
    """Make a duration."""
    return Duration.from_seconds(number)


@durable_execution
def callback_heartbeat(event: Any, context: DurableContext) -> Any:
    """Wait for an answer for as long as there are heartbeats: 4-5."""
    return context.create_callback(event, CallbackConfig(heartbeat_timeout=seconds(10))).result()


@durable_execution
def callback_step(event: Any, context: DurableContext) -> Any:
    """Run a step, and wait for an answer that does not come: 4-8."""
    callback = context.create_callback(event, CallbackConfig(timeout=seconds(5)))
    context.step(lambda _: callback.callback_id)
    return callback.result()


@durable_execution
def callback_wait(event: Any, context: DurableContext) -> Any:
    """Wait, and find that the time for an answer is over: 4-11."""
    callback = context.create_callback(event, CallbackConfig(timeout=seconds(3)))
    context.wait(seconds(6))
    return callback.result()


def ask(_callback_id: str, _context: Any) -> None:
    """Tell nobody."""


@durable_execution
def asked_timeout(event: Any, context: DurableContext) -> Any:
    """Fail when nobody answers in three seconds: 7-5."""
    return context.wait_for_callback(ask, event, WaitForCallbackConfig(timeout=seconds(3)))


@durable_execution
def asked_heartbeat_timeout(event: Any, context: DurableContext) -> Any:
    """Fail when five seconds pass without a heartbeat: 7-12."""
    config = WaitForCallbackConfig(heartbeat_timeout=seconds(5))
    return context.wait_for_callback(ask, event, config)


@durable_execution
def asked_heartbeat(event: Any, context: DurableContext) -> Any:
    """Wait for an answer for as long as there are heartbeats: 7-13."""
    config = WaitForCallbackConfig(heartbeat_timeout=seconds(10))
    return context.wait_for_callback(ask, event, config)


@durable_execution
def asked_timeout_caught(event: Any, context: DurableContext) -> Any:
    """Go on when nobody answers in three seconds: 7-14."""
    try:
        return context.wait_for_callback(ask, event, WaitForCallbackConfig(timeout=seconds(3)))
    except CallbackTimeoutError:
        return "timed-out-handled"


# --- invokes -------------------------------------------------------------------------------------


@durable_execution
def echo(event: Any, _context: DurableContext) -> Any:
    """Give back what it is given."""
    return event


@durable_execution
def fail(_event: Any, _context: DurableContext) -> NoReturn:
    """Fail, whatever it is given."""
    msg = "no funds"
    raise ValueError(msg)


@durable_execution
def invoke(event: Any, context: DurableContext) -> Any:
    """Invoke another function: 5-1 and 5-4."""
    return context.invoke(ECHO, event)


@durable_execution
def invoke_caught(_event: Any, context: DurableContext) -> str:
    """Catch the failure of another function: 5-6."""
    try:
        context.invoke(FAILING, None)
    except InvokeError:
        return "fallback"
    return "invoked"


@durable_execution
def invoke_large(_event: Any, context: DurableContext) -> int:
    """Hand over nearly as much as another function takes: 5-7."""
    return len(context.invoke(ECHO, "x" * 900_000))


@durable_execution
def invoke_tenant(event: Any, context: DurableContext) -> Any:
    """Invoke another function for a tenant: 5-8."""
    config = InvokeConfig(tenant_id=event["tenantId"])
    return context.invoke(TENANT, event["payload"], config=config)


@durable_execution
def invoke_replayed(_event: Any, context: DurableContext) -> Any:
    """Do not invoke again when the flow is replayed: 5-9."""
    answer = context.invoke(ECHO, "once")
    context.wait(seconds(1))
    return answer


@durable_execution
def invoke_caught_again(_event: Any, context: DurableContext) -> str:
    """Catch a failure again when the flow is replayed: 5-10."""
    try:
        context.invoke(FAILING, None)
    except InvokeError:
        context.wait(seconds(1))
    return "fallback"


@durable_execution
def invoke_step(_event: Any, context: DurableContext) -> Any:
    """Run a step on what another function answered: 5-12."""
    answer = context.invoke(ECHO, "parcel")
    return context.step(lambda _: answer)


@durable_execution
def invoke_child(_event: Any, context: DurableContext) -> Any:
    """Invoke another function in a child: 5-13."""
    return context.run_in_child_context(lambda child: child.invoke(ECHO, "parcel"), "ask")


class Loud(SerDes):
    """Reads text aloud."""

    def serialize(self, value: Any, _context: Any) -> str:
        """Write JSON."""
        return json.dumps(value)

    def deserialize(self, data: str, _context: Any) -> str:
        """Read text in capitals."""
        return data.upper()


@durable_execution
def invoke_serde(event: Any, context: DurableContext) -> Any:
    """Read an answer in a format of one's own: 5-16."""
    return context.invoke(ECHO, event, config=InvokeConfig(serdes_result=Loud()))


# --- conditions ----------------------------------------------------------------------------------


def polling(threshold: int, initial: int = 0, delay: int = 1) -> WaitForConditionConfig:
    """Look until a threshold is reached."""
    how = WaitStrategyConfig(
        should_continue_polling=lambda state: state < threshold,
        initial_delay=seconds(delay),
        backoff_rate=1,
        jitter_strategy=JitterStrategy.NONE,
    )
    return WaitForConditionConfig(create_wait_strategy(how), initial)


def count(state: int, _context: Any) -> int:
    """Look once more."""
    return state + 1


@durable_execution
def condition(event: Any, context: DurableContext) -> int:
    """Look until a threshold is reached: 6-1 and 6-3."""
    return context.wait_for_condition(count, polling(event), "poll-status")


@durable_execution
def condition_initial(event: Any, context: DurableContext) -> int:
    """Begin to look with a state of one's own: 6-4."""
    return context.wait_for_condition(count, polling(event, 5))


@durable_execution
def condition_fixed(event: Any, context: DurableContext) -> int:
    """Look every two seconds: 6-5."""
    return context.wait_for_condition(count, polling(event, delay=2))


@durable_execution
def condition_step(event: Any, context: DurableContext) -> int:
    """Run a step on the state that was reached: 6-12."""
    state = context.wait_for_condition(count, polling(event))
    return context.step(lambda _: 10 * state)
