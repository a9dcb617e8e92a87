"""`@durable` makes a Lambda handler of a workflow: the service's event in, its envelope out."""

from __future__ import annotations

import functools
import inspect
import logging
import os
from collections.abc import Callable, Sequence
from contextvars import copy_context
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, overload

from attrs import evolve

from durable_gen import _check, _codec, _dialect, _places, backends
from durable_gen._budget import Budget, Meter
from durable_gen._channel import Channel, Deadline, TokenSpent
from durable_gen._driver import Driver
from durable_gen._effects import running
from durable_gen._failure import describe, story
from durable_gen._fibers import NO_ASYNC
from durable_gen._log import Log
from durable_gen._model import ErrorObject, Raw, instant
from durable_gen._outcome import Err
from durable_gen._schedule import Retry
from durable_gen._scope import Execution, invoked
from durable_gen._stage import staged
from durable_gen.backends import Backend
from durable_gen.context import Context
from durable_gen.errors import CheckpointFailed, DurableError, UsageError
from durable_gen.logging import Logs

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

LOGGER = logging.getLogger("durable_gen")
DEADLINE_MARGIN = 1.0  # seconds: one checkpoint, and one repetition of it
MAX_WORKERS = 32  # threads: enough for steps that wait on the network, far from Lambda's 1,024


class Handler(Generic[F]):
    """A Lambda handler that runs a workflow.

    Attributes:
        flow: the workflow that it wraps: `flow(event, ctx)`.
    """

    flow: F

    def __init__(self, flow: F, **options: Any) -> None:
        self.flow = flow
        self._options = options
        functools.update_wrapper(self, flow, updated=())

    def using(self, backend: Backend) -> Handler[F]:
        """Make the same handler with another backend.

        Args:
            backend: a botocore or boto3 Lambda client, or anything with its two methods.
        """
        return Handler(self.flow, **{**self._options, "backend": backend})

    def __repr__(self) -> str:
        return f"<durable handler {_places.of_function(self.flow)}>"

    def __call__(self, event: Any, lambda_context: Any = None) -> dict[str, Any]:
        """Run one invocation.

        Args:
            event: what the service sends.
            lambda_context: what Lambda gives with it.

        Returns:
            The envelope: SUCCEEDED with its Result, FAILED with its Error, or PENDING.

        Raises:
            UsageError: the event is not a durable one.
            Exception: a fault of the service that may pass; Lambda is to invoke again.
        """
        return copy_context().run(self._invoke, event, lambda_context)

    def _invoke(self, event: Any, lambda_context: Any) -> dict[str, Any]:
        """Run one invocation; the context variables that are set in it go with it."""
        invocation = _codec.decode(event)
        options = self._options
        stage = staged.get()
        backend = stage.backend or options["backend"] or backends.default()
        deadline = Deadline.of(lambda_context, options["deadline_margin"])
        meter = Meter(options["budget"])
        channel = Channel(backend, invocation.arn, invocation.token, deadline, meter, stage.sleep)
        try:
            records = [*invocation.operations, *channel.pages(invocation.next_marker)]
        except TokenSpent:
            return _codec.pending()
        except CheckpointFailed as error:
            return _failed(error)
        record = _codec.execution_record(records)
        log = Log(records)
        execution = Execution(
            invocation.arn,
            instant(record.get("StartTimestamp")) or datetime.now(UTC),
            log,
            _dialect.recorded(log.records) or options["dialect"] or _from_environment(),
            Logs(),
            options["retry"],
            lambda_context,
            self.flow,
            meter=meter,
            updated=frozenset(invocation.updated),
        )
        invoked.set(execution)
        running.set(None)  # inside a step it is no part of that
        if not options["plugins"]:
            return self._run(execution, record, channel)
        return self._watched(execution, record, channel)

    def _watched(self, execution: Execution, record: Raw, channel: Channel) -> dict[str, Any]:
        """Run the workflow, and tell the plugins."""
        from durable_gen._hooks import Hooks

        hooks = Hooks(
            self._options["plugins"],
            execution.arn,
            getattr(execution.lambda_context, "aws_request_id", None),
            execution.started,
            execution.log,
            execution.updated,
            execution.meter,
            getattr(execution.lambda_context, "trace_id", None)
            or os.environ.get("_X_AMZN_TRACE_ID"),
            evolve(channel.deadline, margin=0).left,
        )
        execution.hooks = hooks
        hooks.start()
        try:
            envelope = self._run(execution, record, channel)
        except Exception as error:
            hooks.end(None, describe(error))
            raise
        failure = envelope.get("Error")
        hooks.end(envelope["Status"], ErrorObject.from_wire(failure) if failure else None)
        return envelope

    def _run(self, execution: Execution, record: Raw, channel: Channel) -> dict[str, Any]:
        options = self._options
        values = _codec.Values(execution.arn, options["serde"] or _codec.JSON)
        try:
            event = _codec.user_event(record)
            flow = functools.partial(self.flow, event)
            stage = staged.get()
            kernel = stage.kernel(execution, flow, Context, values, batch=options["batch"])
            outcome = Driver(channel, stage).drive(kernel, options["max_workers"])
            if outcome is None:
                return _codec.pending()
            if isinstance(outcome, Err):
                return _failed(outcome.error, brief=execution.dialect.brief)
            text = values.result(self.flow, outcome.value)
            envelope = _codec.succeeded(text)
            if _codec.too_long(envelope):
                channel.close(record.get("Id", ""), text)
                envelope = _codec.succeeded("")
        except TokenSpent:
            return _codec.pending()
        except DurableError as error:
            return _failed(error)
        return envelope


def _from_environment() -> _dialect.Dialect:
    name = os.environ.get("DURABLE_GEN_DIALECT") or _dialect.CORE.name
    if name not in _dialect.DIALECTS:
        msg = f"DURABLE_GEN_DIALECT={name!r} is unknown: set it to core or aws"
        raise UsageError(msg)
    return _dialect.named(name)


def _failed(error: BaseException, *, brief: bool = False) -> dict[str, Any]:
    LOGGER.error("the workflow failed\n%s", story(error))
    return _codec.failed(error, brief=brief)


@overload
def durable(flow: F, /) -> Handler[F]: ...
@overload
def durable(
    *,
    dialect: str | None = ...,
    retry: Retry | None = ...,
    serde: Any = ...,
    plugins: Sequence[Any] = ...,
    backend: Any = ...,
    batch: bool = ...,
    max_workers: int = ...,
    deadline_margin: float = ...,
    budget: Budget = ...,
) -> Callable[[F], Handler[F]]: ...
def durable(
    flow: Any = None,
    /,
    *,
    dialect: str | None = None,
    retry: Retry | None = Retry(),  # noqa: B008 - it is frozen
    serde: Any = None,
    plugins: Sequence[Any] = (),
    backend: Any = None,
    batch: bool = False,
    max_workers: int = MAX_WORKERS,
    deadline_margin: float = DEADLINE_MARGIN,
    budget: Budget = Budget(),  # noqa: B008 - it is frozen
) -> Any:
    """Make a Lambda handler of a workflow.

    Args:
        flow: a generator function of (event, ctx).
        dialect: the wire's words, "core" or "aws"; by default what the environment's
            DURABLE_GEN_DIALECT says, else "core". An execution keeps the one that it began with.
        retry: the policy of steps that name none; None for no retry.
        serde: how the values of operations are stored; JSON by default.
        plugins: what watches the workflow, see `Plugin`.
        backend: a botocore or boto3 Lambda client, or anything with its two methods; by default a
            botocore client, made once.
        batch: whether all operations go on before they are acknowledged, as in `ctx.batch()`.
        max_workers: threads at most, for steps of branches that run at once.
        deadline_margin: seconds before the function's timeout, a quarter of it at most, from which
            on nothing more is begun: what is done is recorded, and the service asked to call again
            in a second. A step that is still running then counts as cut off. An invocation that has
            ended no step yet goes on.
        budget: when to warn that an execution comes near to what the service allows.

    Returns:
        A `Handler`: call it with (event, lambda_context); its `flow` is the function that it wraps.

    Raises:
        UsageError: it cannot be a workflow, or an option is out of range.
    """
    options = {
        "dialect": _dialect.named(dialect) if dialect is not None else None,
        "retry": retry,
        "serde": serde,
        "plugins": tuple(plugins),
        "backend": backend,
        "batch": batch,
        "max_workers": max_workers,
        "deadline_margin": deadline_margin,
        "budget": budget,
    }
    _check.whole("@durable(max_workers=...)", max_workers)
    _check.seconds("@durable(deadline_margin=...)", deadline_margin)
    _check.one_of("@durable(budget=...)", budget, Budget, "a Budget")
    _check.serde("@durable(serde=...)", serde)
    if retry is not None:
        _check.one_of("@durable(retry=...)", retry, Retry, "a Retry or None")
    if flow is None:
        return functools.partial(_handler, options=options)
    return _handler(flow, options=options)


def _handler(flow: Any, options: dict[str, Any]) -> Handler[Any]:
    if isinstance(flow, Handler):
        msg = f"{_places.of_function(flow.flow)}: @durable was applied twice"
        raise UsageError(msg)
    if not callable(flow):
        msg = f"@durable decorates a function, not {flow!r:.80}"
        raise UsageError(msg)
    if _check.is_async(flow) or inspect.isasyncgenfunction(flow):
        msg = f"{_places.of_function(flow)}: @durable on an async function; {NO_ASYNC}"
        raise UsageError(msg)
    if options["backend"] is None:
        backends.prepare()
    return Handler(flow, **options)
