"""Calls the plugins' hooks; what one of them raises disturbs neither the workflow nor another plugin."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Any

from attrs import evolve

from durable_gen._budget import Meter
from durable_gen._check import is_async, is_awaitable
from durable_gen._effects import Call
from durable_gen._failure import describe
from durable_gen._fibers import Task
from durable_gen._log import Log, is_over
from durable_gen._model import ErrorObject, Raw, Record
from durable_gen._outcome import Err, Outcome
from durable_gen.plugins import (
    AttemptInfo,
    BudgetWarning,
    FunctionInfo,
    InvocationEnd,
    InvocationStart,
    OperationChange,
    OperationInfo,
)

LOGGER = logging.getLogger("durable_gen.plugins")


class Hooks:
    """Calls the plugins of one invocation.

    Args:
        plugins: the plugins, called in this order.
        arn: the execution's ARN.
        request_id: Lambda's id of the invocation.
        started: when the execution was started.
        log: what earlier invocations did.
        updated: ids of operations that ended from outside since the last invocation.
        meter: counts what the execution uses.
        trace_header: X-Ray's trace header of the invocation.
        seconds_left: tells the seconds until Lambda ends the function.
    """

    def __init__(
        self,
        plugins: Sequence[Any],
        arn: str,
        request_id: str | None,
        started: datetime,
        log: Log,
        updated: Iterable[str],
        meter: Meter,
        trace_header: str | None = None,
        seconds_left: Callable[[], float] = lambda: inf,
    ) -> None:
        self.meter = meter
        self.plugins = plugins
        self.arn = arn
        self.log = log
        self.updated = frozenset(updated)
        self.trace_header = trace_header
        self.seconds_left = seconds_left
        self.earlier = frozenset(log.records)  # what earlier invocations had come to
        self.told: set[str] = set()  # operations whose end was told
        self.flows: dict[str, FunctionInfo] = {}
        self.common: dict[str, Any] = {
            "execution_arn": arn,
            "request_id": request_id,
            "is_first": not log.records,
            "started": started,
        }

    def _call(self, hook: str, info: Any) -> list[Any]:
        answers = []
        for plugin in self.plugins:
            try:
                method = getattr(plugin, hook, None)
                if method is not None:
                    answers.append(method(info))
            except Exception:
                LOGGER.exception("plugin %s: %s raised", type(plugin).__name__, hook)
        return answers

    # --- the invocation ------------------------------------------------------------------------

    def start(self) -> None:
        """Tell that the invocation begins."""
        known = self._operations()
        updated = {id_: known[id_] for id_ in known if id_ in self.updated}
        info = InvocationStart(
            **self.common,
            operations=known,
            updated=updated,
            is_retry=not (self.common["is_first"] or self.updated),
            trace_header=self.trace_header,
        )
        self._call("on_invocation_start", info)

    def end(self, status: str | None, error: ErrorObject | None = None) -> None:
        """Tell that the invocation has ended."""
        info = InvocationEnd(
            **self.common,
            operations=self._operations(),
            status=status,
            error=error,
            usage=self.meter.usage(self.log),
            seconds_left=self.seconds_left(),
        )
        self._call("on_invocation_end", info)

    # --- what the kernel tells -----------------------------------------------------------------

    def began(self, task: Task, sub_type: str) -> None:
        """Tell of an operation that is come to for the first time."""
        self._call("on_operation_start", self._new(task, sub_type))

    def invoking(self, task: Task, sub_type: str) -> str | None:
        """Ask for the trace header that goes with an invoke; the first plugin's that has one."""
        answers = self._call("on_invoke", self._new(task, sub_type))
        return next((header for header in answers if isinstance(header, str)), None)

    def _new(self, task: Task, sub_type: str) -> OperationInfo:
        assert task.kind is not None
        return OperationInfo(
            execution_arn=self.arn,
            id=task.id,
            name=task.op.name,
            type=str(task.kind.type),
            sub_type=sub_type,
            parent_id=task.parent_id,
        )

    def found(self, record: Record) -> None:
        """Tell of an operation that an earlier invocation had come to."""
        if not is_over(record):
            self._call("on_operation_start", self._info(record.raw))
        elif record.id in self.updated:
            self._over(record)

    def sending(self, ids: Iterable[str]) -> None:
        """Tell of what the service is about to be told."""
        self._change("on_checkpoint", ids)

    def changed(self, ids: Iterable[str]) -> None:
        """Tell of what the service has acknowledged; of what has ended, once."""
        records = self._change("on_operation_change", ids)
        for raw in records.values():
            if is_over(Record(raw)):
                self._over(Record(raw))

    def entered(self, task: Task, *, again: bool) -> None:
        """Tell that the flow of a context begins."""
        raw = self.log.records.get(task.id)
        if raw is not None:
            info = FunctionInfo(
                operation=self._info(raw), is_replaying_children=again, started=datetime.now(UTC)
            )
            self.flows[task.id] = info
            self._call("on_function_start", info)

    def left(self, task: Task, outcome: Outcome) -> None:
        """Tell that the flow of a context has ended."""
        info = self.flows.pop(task.id, None)
        if info is not None:
            self._call("on_function_end", evolve(info, **_ended(outcome)))

    def budget(self, arn: str, what: str, used: int, limit: int, share: float, path: str) -> None:
        """Tell that the execution comes near to a limit."""
        info = BudgetWarning(
            execution_arn=arn, what=what, used=used, limit=limit, share=share, path=path
        )
        self._call("on_budget_warning", info)

    # --- what the driver tells -----------------------------------------------------------------

    def around(self, call: Call) -> None:
        """Wrap a call's function so that its attempt is told of where it runs."""
        raw, fn, attempt = self.log.records.get(call.info.operation_id), call.fn, call.info.attempt
        if raw is None:
            return
        operation = self._info(raw)

        def begin() -> AttemptInfo:
            info = AttemptInfo(operation=operation, attempt=attempt, started=datetime.now(UTC))
            self._call("on_attempt_start", info)
            return info

        def end(info: AttemptInfo, error: BaseException | None = None) -> None:
            ended = _ended(None if error is None else Err(error))
            self._call("on_attempt_end", evolve(info, **ended))

        call.fn = _around(fn, begin, end)

    def _change(self, hook: str, ids: Iterable[str]) -> dict[str, Raw]:
        known = self.log.records
        records = {id_: known[id_] for id_ in ids if id_ in known and id_ not in self.told}
        if records:
            updated = {id_: self._info(raw) for id_, raw in records.items()}
            change = OperationChange(
                execution_arn=self.arn, updated=updated, operations=self._operations()
            )
            self._call(hook, change)
        return records

    def _over(self, record: Record) -> None:
        if record.id not in self.told:
            self.told.add(record.id)
            self._call("on_operation_end", self._info(record.raw))

    def _operations(self) -> Mapping[str, OperationInfo]:
        return _Operations(dict(self.log.records), self._info)

    def _info(self, raw: Raw) -> OperationInfo:
        record = Record(raw)
        return OperationInfo(
            execution_arn=self.arn,
            id=record.id,
            name=record.name,
            type=record.type,
            sub_type=record.sub_type,
            parent_id=record.parent_id,
            status=record.status,
            started=record.started,
            ended=record.ended,
            attempt=record.attempt,
            result=record.result,
            error=record.error,
            is_replay=record.id in self.earlier,
        )


class _Operations(Mapping[str, OperationInfo]):
    """What the log held at one moment; an operation is read when it is asked for."""

    def __init__(self, records: dict[str, Raw], read: Callable[[Raw], OperationInfo]) -> None:
        self._records = records
        self._read = read

    def __getitem__(self, id: str) -> OperationInfo:  # noqa: A002
        return self._read(self._records[id])

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)


def _ended(outcome: Outcome | None) -> dict[str, Any]:
    failed = isinstance(outcome, Err)
    return {
        "ended": datetime.now(UTC),
        "outcome": "FAILED" if failed else "SUCCEEDED",
        "error": describe(outcome.error) if isinstance(outcome, Err) else None,
    }


def _around(
    fn: Callable[..., Any], begin: Callable[[], AttemptInfo], end: Callable[..., None]
) -> Callable[..., Any]:
    async def awaited(info: AttemptInfo, awaitable: Awaitable[Any]) -> Any:
        try:
            value = await awaitable
        except Exception as error:
            end(info, error)
            raise
        end(info)
        return value

    def run(*args: Any) -> Any:
        info = begin()
        try:
            value = fn(*args)
        except Exception as error:
            end(info, error)
            raise
        if is_awaitable(value):  # a plain function that made a coroutine
            return awaited(info, value)
        end(info)
        return value

    async def watched(*args: Any) -> Any:
        return await awaited(begin(), fn(*args))

    return watched if is_async(fn) else run
