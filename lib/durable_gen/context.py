"""What a workflow receives: its methods make operations, which do nothing until they are yielded."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, TypeVar, TypeVarTuple, overload

from durable_gen import _check, recipes
from durable_gen._branches import Branching
from durable_gen._budget import Usage
from durable_gen._messages import ContextLog
from durable_gen._model import MAX_DURATION
from durable_gen._ops import (
    DEFAULT,
    Callback,
    Child,
    Condition,
    CreateCallback,
    Flush,
    Inline,
    Invoke,
    Op,
    RetryOption,
    Semantics,
    Step,
    Wait,
)
from durable_gen._results import CompensationResult
from durable_gen._schedule import Poll, Retry
from durable_gen._scope import Scope
from durable_gen.errors import UsageError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Duration = float | timedelta
AT_LEAST_ONCE = Semantics.AT_LEAST_ONCE
MISSING = object()  # instead of a function that was left out


class Context(Branching):
    """One flow's view of its execution. Every method that makes an operation is to be yielded."""

    __slots__ = ()

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __repr__(self) -> str:
        return f"<Context of {self._scope.path or 'the handler'}>"

    # --- facts -----------------------------------------------------------------------------------

    @property
    def log(self) -> ContextLog:
        """Logs with structured data; silent while the flow replays."""
        return ContextLog(self._scope)

    @property
    def execution_arn(self) -> str:
        """The execution's ARN."""
        return self._scope.execution.arn

    @property
    def lambda_context(self) -> Any:
        """What Lambda gave the handler in this invocation."""
        return self._scope.execution.lambda_context

    @property
    def state(self) -> Mapping[str, Any]:
        """The records of all operations, by id; Powertools for AWS Lambda knows a durable context by it."""
        return self._scope.execution.log.records

    @property
    def is_replaying(self) -> bool:
        """Whether the operation that comes next was come to before."""
        return self._scope.replaying()

    @property
    def name(self) -> str | None:
        """The name of this child context, branch or item; None at the root."""
        return self._scope.name

    @property
    def index(self) -> int | None:
        """The place of this branch or item in its batch, from 0; None elsewhere."""
        scope: Scope | None = self._scope
        while scope is not None and scope.index is None:
            scope = scope.outer
        return None if scope is None else scope.index

    @property
    def usage(self) -> Usage:
        """What the execution has used of what the service allows.

        It may differ between invocations: to decide by it, read it in a step.
        """
        return self._scope.execution.usage()

    def now(self) -> datetime:
        """Read the execution's clock.

        Returns:
            When the last operation ended that this flow waited for, in UTC: the same on every
            replay. Between operations it stands still.
        """
        return self._scope.now()

    def uuid4(self) -> uuid.UUID:
        """Draw a UUID that is the same on every replay."""
        return uuid.UUID(bytes=self._draw(16), version=4)

    def random(self) -> float:
        """Draw a number from 0 to 1 that is the same on every replay."""
        return int.from_bytes(self._draw(8)) / 2**64

    def _draw(self, size: int) -> bytes:
        return blake2b(self._scope.draw().encode(), digest_size=size).digest()

    # --- operations ------------------------------------------------------------------------------

    @overload
    def step(
        self,
        name: str | None,
        fn: Callable[[*Ts], Coroutine[Any, Any, T]],
        /,
        *args: *Ts,
        retry: RetryOption = ...,
        timeout: Duration | None = ...,
        semantics: Semantics = ...,
        serde: Any = ...,
        returns: Any = ...,
        compensate: Callable[..., Any] | None = ...,
    ) -> Op[T]: ...
    @overload
    def step(
        self,
        name: str | None,
        fn: Callable[[*Ts], T],
        /,
        *args: *Ts,
        retry: RetryOption = ...,
        timeout: Duration | None = ...,
        semantics: Semantics = ...,
        serde: Any = ...,
        returns: Any = ...,
        compensate: Callable[..., Any] | None = ...,
    ) -> Op[T]: ...
    @overload
    def step(
        self,
        fn: Callable[[*Ts], Coroutine[Any, Any, T]],
        /,
        *args: *Ts,
        retry: RetryOption = ...,
        timeout: Duration | None = ...,
        semantics: Semantics = ...,
        serde: Any = ...,
        returns: Any = ...,
        compensate: Callable[..., Any] | None = ...,
    ) -> Op[T]: ...
    @overload
    def step(
        self,
        fn: Callable[[*Ts], T],
        /,
        *args: *Ts,
        retry: RetryOption = ...,
        timeout: Duration | None = ...,
        semantics: Semantics = ...,
        serde: Any = ...,
        returns: Any = ...,
        compensate: Callable[..., Any] | None = ...,
    ) -> Op[T]: ...
    def step(  # type: ignore[misc]  # mypy holds no implementation for one of *Ts
        self,
        name: Any,
        fn: Any = MISSING,
        /,
        *args: Any,
        retry: RetryOption = DEFAULT,
        timeout: Duration | None = None,
        semantics: Semantics = AT_LEAST_ONCE,
        serde: Any = None,
        returns: Any = None,
        compensate: Callable[..., Any] | None = None,
    ) -> Op[Any]:
        """Run a function once and keep what it returns.

        Args:
            name: the step's name, or None for no name. It may be left out: then the function's
                own name is taken.
            fn: the function, perhaps `async def`.
            *args: its arguments.
            retry: when it is tried again after it raised; None for never. By default the handler's
                policy: 6 attempts, 5 s doubling to 60 s, full jitter. A step that is to run at most
                once has none unless it names one.
            timeout: seconds that one attempt may take; then it is given up and counts as failed
                with StepTimedOut. A plain function goes on in its thread, unheard.
            semantics: whether an attempt that was cut off is run again; AT_MOST_ONCE: it failed
                with StepInterrupted.
            serde: how its value is stored; by default the handler's, JSON.
            returns: the type that its value is read back as; by default its annotation.
            compensate: undoes it: called with the step's arguments and its value by
                `ctx.compensate()`. A generator function gets a context first.

        Returns:
            An operation that gives what the function returns.

        Raises:
            StepFailed: it raised and no attempt is left; its class is as it was raised where that is
                marked with `@durable_error`.
            UsageError: an option is out of range.
        """
        if type(name) is not str and callable(name):
            args = args if fn is MISSING else (fn, *args)
            fn, name = name, getattr(name, "__name__", None)
            name = None if name == "<lambda>" else name
        if not callable(fn):
            raise _check.no_function(None if fn is MISSING else fn)
        scope = self._scope
        if retry is DEFAULT:
            retry = scope.execution.retry if semantics is AT_LEAST_ONCE else None
        elif retry is not None:
            _check.one_of("ctx.step(retry=...)", retry, Retry, "a Retry or None")
        if compensate is not None:
            _check.function("ctx.step(compensate=...)", compensate)
        if semantics is not AT_LEAST_ONCE and not isinstance(semantics, Semantics):
            expected = "Semantics.AT_LEAST_ONCE or Semantics.AT_MOST_ONCE"
            _check.one_of("ctx.step(semantics=...)", semantics, Semantics, expected)
        if timeout is not None:
            timeout = _check.timeout("ctx.step(timeout=...)", timeout)
        if serde is not None:
            _check.serde("ctx.step(serde=...)", serde)
        name = _check.name(name)
        op: Op[Any] = Step(name, fn, args, retry, timeout, semantics, serde, returns, compensate)
        scope.made(op)
        return op

    def wait(
        self,
        name: str | None = None,
        duration: Duration | None = None,
        *,
        seconds: float = 0,
        minutes: float = 0,
        hours: float = 0,
        days: float = 0,
        until: datetime | None = None,
    ) -> Op[None]:
        """Wait, without being billed for it.

        Args:
            name: the wait's name.
            duration: how long, in seconds or as a timedelta.
            seconds: how long; added to the other units.
            minutes: how long.
            hours: how long.
            days: how long.
            until: an instant with its time zone, instead; one that is past is 1 second ahead.

        Returns:
            An operation that gives None when the time is over.

        Raises:
            UsageError: it is under 1 second or over 366 days.
        """
        if type(name) is not str and isinstance(name, int | float | timedelta):
            msg = f"ctx.wait({name!r}): the name comes first; write ctx.wait(None, {name!r})"
            raise UsageError(msg)
        name = _check.name(name)
        if duration is None and type(seconds) is type(minutes) is type(hours) is type(days) is int:
            total: float = seconds + minutes * 60 + hours * 3600 + days * 86400
        elif type(duration) is int and not (seconds or minutes or hours or days):
            total = duration
        else:
            total = 0
            units = ((duration, 1), (seconds, 1), (minutes, 60), (hours, 3600), (days, 86400))
            for amount, unit in units:
                if amount:
                    total += _check.duration(_wait(name), amount) * unit
        if until is not None:
            what = _wait(name)
            if total:
                msg = f"{what}: write either until= or a duration"
                raise UsageError(msg)
            _check.instant(f"{what} until", until)
            ahead = (until - self.now()).total_seconds()
            _check.wait(f"{what} until={until.isoformat()}", max(1, ahead))
            return self._make(Wait(name, 0, until))
        if type(total) is not int or not 1 <= total <= MAX_DURATION:
            total = _check.wait(_wait(name), total)
        op: Op[None] = Wait(name, total)
        self._scope.made(op)
        return op

    @overload
    def wait_for_condition(
        self,
        name: str | None,
        check: Callable[[T], Coroutine[Any, Any, T]],
        initial: T,
        *,
        poll: Poll | None = ...,
        serde: Any = ...,
        returns: Any = ...,
    ) -> Op[T]: ...
    @overload
    def wait_for_condition(
        self,
        name: str | None,
        check: Callable[[T], T],
        initial: T,
        *,
        poll: Poll | None = ...,
        serde: Any = ...,
        returns: Any = ...,
    ) -> Op[T]: ...
    @overload
    def wait_for_condition(
        self,
        name: str | None,
        check: Callable[[Any], T],
        *,
        poll: Poll | None = ...,
        serde: Any = ...,
        returns: Any = ...,
    ) -> Op[T]: ...
    def wait_for_condition(
        self,
        name: str | None,
        check: Callable[[Any], Any],
        initial: Any = None,
        *,
        poll: Poll | None = None,
        serde: Any = None,
        returns: Any = None,
    ) -> Op[Any]:
        """Look at something again and again until a state of it is reached.

        Args:
            name: the wait's name.
            check: gets the last state and returns the next one; perhaps `async def`.
            initial: the state that the first check gets.
            poll: when the wait is over and how long to wait between checks; by default until the
                state is truthy, at most 60 checks, 5 s growing by half to 300 s, full jitter.
            serde: how the state is stored; by default the handler's, JSON.
            returns: the type that the state is read back as; by default the check's annotation.

        Returns:
            An operation that gives the last state.

        Raises:
            ConditionFailed: the check raised, or `poll` allows no more checks.
        """
        _check.function("ctx.wait_for_condition(name, check): check", check)
        if poll is None:
            poll = Poll()
        _check.one_of("ctx.wait_for_condition(poll=...)", poll, Poll, "a Poll or None")
        _check.serde("ctx.wait_for_condition(serde=...)", serde)
        return self._make(Condition(_check.name(name), check, initial, poll, serde, returns))

    def callback(
        self,
        name: str | None = None,
        *,
        timeout: Duration | None = None,
        heartbeat: Duration | None = None,
        serde: Any = None,
        returns: Any = None,
    ) -> Op[Callback[Any]]:
        """Make an id by which the outside can answer.

        Args:
            name: the callback's name.
            timeout: seconds after which it fails with CallbackTimedOut; None for no limit.
            heartbeat: seconds without a heartbeat after which it does; None for no limit.
            serde: how the answer is read; by default as JSON, whatever the handler's.
            returns: the type that the answer is read as.

        Returns:
            An operation that gives a `Callback`: hand out its `id`, then yield its `result()`.
        """
        return self._make(
            CreateCallback(
                _check.name(name),
                _check.deadline("ctx.callback(timeout=...)", timeout),
                _check.deadline("ctx.callback(heartbeat=...)", heartbeat),
                _check.serde("ctx.callback(serde=...)", serde),
                returns,
            )
        )

    def wait_for_callback(
        self,
        name: str | None,
        submit: Callable[[str], Any],
        *,
        timeout: Duration | None = None,
        heartbeat: Duration | None = None,
        retry: RetryOption = DEFAULT,
        serde: Any = None,
        returns: Any = None,
    ) -> Op[Any]:
        """Hand out an id by which the outside can answer, and wait for the answer.

        Args:
            name: the name of it all.
            submit: gets the callback's id and sends it to whoever will answer; runs as a step.
            timeout: seconds after which it fails with CallbackTimedOut; None for no limit.
            heartbeat: seconds without a heartbeat after which it does; None for no limit.
            retry: when `submit` is tried again.
            serde: how the answer is read; by default as JSON, whatever the handler's.
            returns: the type that the answer is read as.

        Returns:
            An operation that gives the answer.

        Raises:
            CallbackFailed: it was answered with a failure.
            CallbackTimedOut: nobody answered, or sent a heartbeat, in time.
            CallbackSubmitFailed: `submit` failed.
        """
        _check.function("ctx.wait_for_callback(name, submit): submit", submit)
        _check.deadline("ctx.wait_for_callback(timeout=...)", timeout)
        _check.deadline("ctx.wait_for_callback(heartbeat=...)", heartbeat)
        _check.serde("ctx.wait_for_callback(serde=...)", serde)
        how = {"timeout": timeout, "heartbeat": heartbeat, "serde": serde, "returns": returns}
        args = (_check.name(name), submit, how, retry)
        return self._make(
            Child(
                name,
                recipes.wait_for_callback,
                args,
                serde,
                returns or Any,
                sub_type="WaitForCallback",
                transparent=True,
                call=f"ctx.wait_for_callback({name!r})" if name else "",
            )
        )

    def invoke(
        self,
        name: str | None,
        function: str,
        payload: Any = None,
        *,
        tenant_id: str | None = None,
        serde: Any = None,
        payload_serde: Any = None,
        returns: Any = None,
    ) -> Op[Any]:
        """Run another Lambda function and keep what it answers.

        Args:
            name: the invocation's name.
            function: the function's name or ARN; a durable one with its qualifier.
            payload: what it is sent, as JSON.
            tenant_id: the tenant that it runs for.
            serde: how the answer is read; by default as JSON, whatever the handler's.
            payload_serde: how the payload is written; by default as JSON.
            returns: the type that the answer is read as.

        Returns:
            An operation that gives the answer.

        Raises:
            InvokeFailed: the function failed; InvokeTimedOut and InvokeStopped are kinds of it.
        """
        if not isinstance(function, str) or not function:
            msg = f"ctx.invoke(name, function): function must be a name or ARN, not {function!r}"
            raise UsageError(msg)
        _check.serde("ctx.invoke(serde=...)", serde)
        _check.serde("ctx.invoke(payload_serde=...)", payload_serde)
        return self._make(
            Invoke(_check.name(name), function, payload, tenant_id, serde, payload_serde, returns)
        )

    @overload
    def child(
        self,
        name: str | None,
        flow: Callable[[Context, *Ts], Generator[Op[Any], Any, T]],
        /,
        *args: *Ts,
        serde: Any = ...,
        returns: Any = ...,
        sub_type: str | None = ...,
        virtual: bool = ...,
    ) -> Op[T]: ...
    @overload
    def child(
        self,
        name: str | None,
        flow: Callable[[Context, *Ts], T],
        /,
        *args: *Ts,
        serde: Any = ...,
        returns: Any = ...,
        sub_type: str | None = ...,
        virtual: bool = ...,
    ) -> Op[T]: ...
    def child(  # type: ignore[misc]  # mypy holds no implementation for one of *Ts
        self,
        name: str | None,
        flow: Callable[..., Any],
        /,
        *args: Any,
        serde: Any = None,
        returns: Any = None,
        sub_type: str | None = None,
        virtual: bool = False,
    ) -> Op[Any]:
        """Run a flow in an id space of its own, and keep what it returns.

        Args:
            name: the child context's name.
            flow: called with a context of its own and `args`; a plain function is a flow that
                yields nothing.
            *args: its other arguments.
            serde: how its value is stored; by default the handler's, JSON.
            returns: the type that its value is read back as; by default its annotation.
            sub_type: the wire's word for it, 1 to 32 of `[a-zA-Z0-9-_]`; by default the dialect's.
            virtual: whether it is kept off the wire: only its operations are recorded, and its
                flow runs again on every replay.

        Returns:
            An operation that gives what the flow returns.

        Raises:
            ChildContextFailed: the flow raised; its class is as it was raised where that is marked
                with `@durable_error`.
        """
        _check.function("ctx.child(name, flow, *args): flow", flow)
        _check.serde("ctx.child(serde=...)", serde)
        return self._make(
            Child(_check.name(name), flow, args, serde, returns, _check.sub_type(sub_type), virtual)
        )

    # --- the rest --------------------------------------------------------------------------------

    def compensate(self) -> Op[CompensationResult]:
        """Run what `compensate=` registered in this flow, the last step's first.

        Returns:
            An operation that gives a `CompensationResult`; a compensation that fails does not stop
            the others, and does not raise: see `CompensationResult.raise_if_failed`.
        """
        return self._make(Inline(None, recipes.compensate, (self,), call="ctx.compensate()"))

    def flush(self) -> Op[None]:
        """Wait until everything before is acknowledged by the service."""
        return self._make(Flush(None, call="ctx.flush()"))

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Let the operations inside go on before they are acknowledged.

        Several steps then share one checkpoint. When the invocation is cut off, steps that were
        not yet acknowledged run again.
        """
        self._scope.batch += 1
        try:
            yield
        finally:
            self._scope.batch -= 1


def _wait(name: str | None) -> str:
    """Write the call that makes a wait, for an error."""
    return f"ctx.wait({name!r})" if name else "ctx.wait(...)"
