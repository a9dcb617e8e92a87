"""The wire to the model and back: events, envelopes, and the values of operations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from attrs import field, frozen

from durable_gen._check import shown
from durable_gen._failure import describe
from durable_gen._faults import Passing, passes
from durable_gen._model import MAX_RESPONSE, MAX_RESULT, Raw, Type, length
from durable_gen._ops import (
    CallbackResult,
    Child,
    Condition,
    CreateCallback,
    Invoke,
    Op,
    Step,
    label,
)
from durable_gen._serde import Json, Serde, SerdeInfo, fits, json_of, returned, simple
from durable_gen.errors import (
    DeserializationError,
    PayloadTooLarge,
    SerializationError,
    UsageError,
)

JSON = Json()
FUNCTIONS = {Step: "fn", Condition: "check", Child: "flow"}  # whose annotation tells a value's type
UNKNOWN = object()
MEMO = 1_000  # functions in a memo: flows that make new ones all the time must not fill it
OUTSIDE = (CreateCallback, Invoke)  # who answers these knows no serde of ours
NAMES = {str: "text", list: "a list"}


@frozen
class Invocation:
    """What the service sends when it invokes the function.

    Attributes:
        arn: the execution's ARN.
        token: the first checkpoint token.
        operations: the first page of the log.
        next_marker: where the next page begins; None when there is none.
        updated: ids of operations that ended from outside since the last invocation.
    """

    arn: str
    token: str
    operations: Sequence[Raw]
    next_marker: str | None
    updated: Sequence[str] = ()


def decode(event: Any) -> Invocation:
    """Read the event that the service sends.

    Raises:
        UsageError: it is not a durable one.
    """
    if not isinstance(event, Mapping) or "DurableExecutionArn" not in event:
        has = f"it is {event!r:.80}"
        if isinstance(event, Mapping):
            has = f"it has: {', '.join(sorted(map(str, event))) or 'nothing'}"
        msg = (
            "this is not a durable invocation: the event has no DurableExecutionArn "
            f"({has}). Enable durable execution when the function is created "
            "(DurableConfig with an ExecutionTimeout), and invoke it with a qualifier: a version, "
            "an alias or $LATEST. To run it here: durable-gen run FILE.py:handler --event FILE"
        )
        raise UsageError(msg)
    state = event.get("InitialExecutionState")
    if "CheckpointToken" not in event or not isinstance(state, Mapping):
        missing = "CheckpointToken" if "CheckpointToken" not in event else "InitialExecutionState"
        msg = f"the event of {event['DurableExecutionArn']} has no {missing}"
        raise UsageError(msg)
    arn, token = event["DurableExecutionArn"], event["CheckpointToken"]
    operations = state.get("Operations") or []
    for what, value, kind in (
        ("DurableExecutionArn", arn, str),
        ("CheckpointToken", token, str),
        ("InitialExecutionState.Operations", operations, list),
    ):
        if not isinstance(value, kind):
            msg = f"the event's {what} is {value!r:.80}, not {NAMES[kind]}"
            raise UsageError(msg)
    updated = event.get("UpdatedOperationIds") or ()
    return Invocation(arn, token, operations, state.get("NextMarker") or None, updated)


def execution_record(operations: Sequence[Raw]) -> Raw:
    """Find the record of the execution itself, on whichever page it came."""
    return next((raw for raw in operations if raw.get("Type") == Type.EXECUTION), {})


def user_event(record: Raw) -> Any:
    """Read the event that the execution was started with; `{}` when there was none.

    Raises:
        DeserializationError: it is no JSON.
    """
    text = (record.get("ExecutionDetails") or {}).get("InputPayload")
    if text is None or not text.strip():
        return {}
    try:
        return json.loads(text, parse_constant=_no_constant)  # keeps numbers of any length
    except ValueError as error:
        msg = f"the execution's input is not JSON ({error}): {text!r:.120}"
        raise DeserializationError(msg) from error


def _no_constant(word: str) -> Any:
    msg = f"JSON has no {word}"
    raise ValueError(msg)


def succeeded(text: str) -> dict[str, Any]:
    """Make the envelope of a workflow that succeeded.

    Raises:
        PayloadTooLarge: the result is over the service's limit.
    """
    size = length(text)
    if size > MAX_RESULT:
        msg = (
            f"the handler's result takes {size} bytes as text, and the service takes at most "
            f"{MAX_RESULT}: keep it elsewhere (S3, a table) and return where"
        )
        raise PayloadTooLarge(msg)
    return {"Status": "SUCCEEDED", "Result": text}


def too_long(envelope: Mapping[str, Any]) -> bool:
    """Tell whether an envelope is longer than Lambda takes, though its result is not."""
    return len(envelope["Result"]) > MAX_RESULT // 6 and len(orjson.dumps(envelope)) > MAX_RESPONSE


def failed(error: BaseException, *, brief: bool = False) -> dict[str, Any]:
    """Make the envelope of a workflow that failed.

    Args:
        error: what it failed with.
        brief: whether an operation's failure has the message of its first cause alone.
    """
    described = describe(error)
    return {"Status": "FAILED", "Error": (described.shortened() if brief else described).to_wire()}


def pending() -> dict[str, Any]:
    """Make the envelope of a workflow that waits."""
    return {"Status": "PENDING"}


@frozen
class Values:
    """Turns the values of one execution's operations into text and back.

    Args:
        arn: the execution's ARN.
        default: the serde of operations that name none.
    """

    arn: str
    default: Serde = JSON
    memo: dict[Any, Any] = field(init=False, factory=dict, repr=False)

    def dumps(
        self, op: Op[Any], value: Any, operation_id: str, attempt: int, *, kept: bool = True
    ) -> str:
        """Encode what an operation gives."""
        if self._hint(op) is Any and (text := json_of(value)) is not None:
            return text
        info = self._info(op, operation_id, attempt, kept=kept)
        return _written(self._serde(op), value, info)

    def loads(self, op: Any, text: str, operation_id: str) -> Any:
        """Decode what an operation gives."""
        try:  # most are simple, and need to know nothing more
            plain = type(op) is Step and op.serde is None and op.returns is None
            if plain and self.memo.get(op.fn) is Any:
                return orjson.loads(text)
            if (hint := self._hint(op)) is not None and fits(value := orjson.loads(text), hint):
                return value
        except (ValueError, TypeError):
            pass  # then it is worth to say why
        info = self._info(op, operation_id)
        try:
            return self._serde(op).loads(text, info)
        except DeserializationError:
            raise
        except Exception as error:
            _let_pass(error, f"{info.what}: its value could not be read now")
            msg = f"{info.what}: its serde raised {type(error).__name__}: {error}"
            raise DeserializationError(msg) from error

    def dump_payload(self, op: Any, operation_id: str) -> str:
        """Encode what an operation sends."""
        info = SerdeInfo(f"the payload of {label(op)}", Any, operation_id, self.arn, hint="")
        return _written(op.payload_serde or JSON, op.payload, info)

    def plain(self, op: Op[Any]) -> bool:
        """Tell whether what an operation gives is encoded as JSON."""
        return getattr(self._serde(op), "writes_json", False)

    def result(self, flow: Any, value: Any) -> str:
        """Encode what the handler returns, as JSON."""
        return JSON.dumps(value, SerdeInfo("the handler's result", returned(flow), "", self.arn))

    def _hint(self, op: Any) -> Any:
        """Find how what an operation gives is checked, as `simple` says; None where it is not simple."""
        member = FUNCTIONS.get(type(op))
        if member is None or op.serde is not None or op.returns is not None:
            return None
        function = getattr(op, member)
        try:
            hint = self.memo.get(function, UNKNOWN)
            if hint is UNKNOWN:
                hint = simple(function) if self.default is JSON else None
                if len(self.memo) < MEMO:
                    self.memo[function] = hint
        except TypeError:  # a function that cannot be hashed
            return None
        return hint

    def _serde(self, op: Any) -> Serde:
        if type(op) is CallbackResult:
            op = op.callback.op
        outside = type(op) in OUTSIDE
        return getattr(op, "serde", None) or (JSON if outside else self.default)

    def _info(
        self, op: Op[Any], operation_id: str, attempt: int = 0, *, kept: bool = True
    ) -> SerdeInfo:
        what = label(op)
        return SerdeInfo(what, type_of(op), operation_id, self.arn, attempt, kept=kept)


def _written(serde: Serde, value: Any, info: SerdeInfo) -> str:
    try:
        text = serde.dumps(value, info)
    except SerializationError:
        raise
    except Exception as error:
        _let_pass(error, f"{info.what}: its value could not be stored now")
        msg = f"{info.what}: its serde raised {type(error).__name__}: {error}"
        raise SerializationError(msg) from error
    if not isinstance(text, str):
        msg = f"{info.what}: its serde's dumps() must return text, not {shown(text)}"
        raise SerializationError(msg)
    text = str.__str__(text)  # of a class of the user's only on the first run, otherwise
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            msg = f"{info.what}: its serde's text cannot be sent: {error}"
            raise SerializationError(msg) from error
    return text


def _let_pass(error: Exception, what: str) -> None:
    """Let a fault that may pass end the invocation, so that Lambda invokes again.

    The step whose value could not be stored then runs again, as after any crash; one that runs at
    most once does not.
    """
    if passes(error):
        error.add_note(f"{what}; Lambda is to invoke again")
        raise Passing(error)


def type_of(op: Op[Any]) -> Any:
    """Find the type that an operation's value is read back as."""
    if type(op) is CallbackResult:
        op = op.callback.op
    hint = getattr(op, "returns", None)
    if hint is not None:
        return hint
    member = FUNCTIONS.get(type(op))
    return Any if member is None else returned(getattr(op, member))
