"""Functions and how they are called: names, the Lambda context, what becomes of a raised error."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from durable_gen.local._clock import Clock
from durable_gen.local._facts import ErrorObject

REGION = "us-east-1"
ACCOUNT = "123456789012"
FUNCTION_TIMEOUT = 900  # seconds: the longest that Lambda lets an invocation run
_NAME = re.compile(
    r"(?:arn:[a-zA-Z0-9-]+:lambda:)?(?:(?P<region>[a-z-]+-\d):)?(?:(?P<account>\d{12}):)?"
    r"(?:function:)?(?P<name>[a-zA-Z0-9_.-]+)(?::(?P<qualifier>[a-zA-Z0-9_$.-]+))?"
)


@frozen
class Name:
    """A function's name, taken apart: bare, name:qualifier, a partial or a full ARN."""

    name: str
    qualifier: str | None = None
    region: str | None = None
    account: str | None = None

    @classmethod
    def parse(cls, text: str) -> Name | None:
        """Take a name apart; None if it is malformed."""
        match = _NAME.fullmatch(text)
        return None if match is None else cls(**match.groupdict())


@frozen
class Function:
    """A registered function.

    Attributes:
        name: its name.
        version: "$LATEST" or a number.
        call: the handler itself; None if only a host knows how to run it.
        durable: whether invoking it starts an execution.
        timeout: seconds that one of its executions may take; None for no limit, as only tests have it.
        retention: days that one is kept after its end.
        handler: where the handler is, `module.attribute`.
        environment: variables that it runs with.
        seconds: how long one invocation may take.
        memory: how much it may use, in megabytes.
        log_format: of what it logs, Text or JSON.
        log_level: what it logs at least; as Lambda has it if None.
        retries: how often an asynchronous invocation is made again that failed.
        age: seconds after which one is not made again.
    """

    name: str
    version: str
    call: Callable[[Any, Any], Any] | None
    durable: bool
    timeout: int | None
    retention: int = 14
    handler: str = ""
    environment: Mapping[str, str] = field(factory=dict)
    seconds: int = FUNCTION_TIMEOUT
    memory: int = 128
    log_format: str = "Text"
    log_level: str | None = None
    retries: int = 2
    age: int = 21_600

    @property
    def arn(self) -> str:
        """Its ARN, qualified with the version."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}:{self.version}"


class LambdaContext:
    """What Lambda hands to a handler beside the event."""

    client_context = None
    identity = None

    def __init__(
        self,
        function: Function,
        request: str,
        tenant: str | None,
        clock: Clock,
        trace: str | None = None,
    ) -> None:
        self.memory_limit_in_mb = function.memory
        self.aws_request_id = request
        self.function_name = function.name
        self.function_version = function.version
        self.invoked_function_arn = function.arn
        self.tenant_id = tenant
        self.trace_id = trace  # on Lambda the environment has it: one invocation at a time
        self.log_group_name = f"/aws/lambda/{function.name}"
        self.log_stream_name = f"local/[{function.version}]{request.replace('-', '')}"
        self._clock = clock
        self._deadline = clock.now() + function.seconds * 1000

    def get_remaining_time_in_millis(self) -> int:
        """Tell how long the invocation may still run, in milliseconds."""
        return max(0, self._deadline - self._clock.now())


@frozen
class Answer:
    """What a call gave: JSON text, or the error that was raised; and the end of what it printed."""

    text: str = ""
    error: ErrorObject | None = None
    log: bytes = b""


def call(function: Function, event: Any, context: LambdaContext) -> Answer:
    """Call a function as Lambda's runtime does.

    Args:
        function: what to call.
        event: its first argument, shared with nobody.
        context: its second.

    Returns:
        The answer as JSON text, or the raised exception as an error. What is no Exception (Ctrl-C,
        an exit) passes through.
    """
    assert function.call is not None
    try:
        value = function.call(event, context)
    except Exception as error:
        return Answer(error=_described(error))
    try:
        return Answer(json.dumps(value))
    except (TypeError, ValueError) as error:
        text = f"Unable to marshal response: {error}"
        return Answer(error={"ErrorType": "Runtime.MarshalError", "ErrorMessage": text})


def _described(error: Exception) -> ErrorObject:
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is ours
    return {
        "ErrorType": type(error).__name__,
        "ErrorMessage": str(error),
        "StackTrace": traceback.format_list(frames),
    }
