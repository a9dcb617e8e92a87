"""The embedded service: AWS Lambda's durable execution service, played inside a process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from durable_gen.local import _lives
from durable_gen.local._client import Client
from durable_gen.local._clock import Clock, RealClock, to_datetime
from durable_gen.local._engine import Engine, Limits
from durable_gen.local._functions import Function
from durable_gen.local._loop import Loop
from durable_gen.local._reports import Idle, Notice, PendingCallback, Step
from durable_gen.local._rules import MIB, PAYLOAD_LIMIT, SYNC_LIMIT, size
from durable_gen.local._store import MemoryStore, Store
from durable_gen.local._wire import check, fault

LONGEST = 31_622_400  # seconds that an execution may take: 366 days


class Service:
    """The durable execution service of one process, over one store.

    Args:
        store: where executions are kept; a new MemoryStore if left out. Open executions that it
            holds go on: one whose invocation was cut short is invoked again.
        clock: the time; a RealClock if left out.
        observer: told of every event and every invocation as it happens; what it raises is logged.
        attempts: failed invocations in a row that fail an execution; None for no limit.
        retry_delays: seconds before each further attempt; the last one repeats.
        max_operations: operations that an execution may have.
        page_size: bytes of a page of the state.
    """

    def __init__(
        self,
        store: Store | None = None,
        clock: Clock | None = None,
        *,
        observer: Callable[[Notice], object] | None = None,
        attempts: int | None = 5,
        retry_delays: tuple[float, ...] = (1, 2, 4, 8),
        max_operations: int = 30_000,
        page_size: int = 5 * MIB,
    ) -> None:
        limits = Limits(
            attempts=attempts, delays=retry_delays, operations=max_operations, page=page_size
        )
        self._engine = Engine(
            MemoryStore() if store is None else store,
            RealClock() if clock is None else clock,
            limits,
            observer,
        )
        self.client = Client(self._engine)
        self._loop = Loop(self._engine)

    def register(
        self,
        name: str,
        function: Any,
        *,
        durable: bool = True,
        execution_timeout: int = LONGEST,
        version: str = "$LATEST",
    ) -> None:
        """Register a function; one of the same name and version is replaced.

        Args:
            name: what it is invoked by.
            function: a Lambda handler, `function(event, context)`. One that has a method
                `using(backend)` is given the service's client by it.
            durable: whether invoking it starts an execution; if not, it is a plain function.
            execution_timeout: seconds that one of its executions may take.
            version: what its executions are pinned to, "$LATEST" or a number.

        Raises:
            ValueError: the name, the version or the timeout is not one that Lambda takes.
        """
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
            msg = f"expected a function's name of 1 to 64 letters, digits, - and _, got {name!r}"
            raise ValueError(msg)
        if not re.fullmatch(r"\$LATEST|[0-9]+", version):
            msg = f'expected version "$LATEST" or a number, got {version!r}'
            raise ValueError(msg)
        if not 1 <= execution_timeout <= LONGEST:
            msg = f"expected an execution_timeout of 1 to {LONGEST} seconds, got {execution_timeout!r}"
            raise ValueError(msg)
        using = getattr(function, "using", None)
        handler = function if using is None else using(self.client)
        versions = self._engine.functions.setdefault(name, {})
        versions.pop(version, None)  # the version registered last stands last
        versions[version] = Function(name, version, handler, durable, execution_timeout)
        self._engine.gone.discard(name)
        self._loop.unpark()

    def unregister(self, name: str) -> None:
        """Delete a function: its open executions fail when their next invocation is due.

        Args:
            name: as it was registered.
        """
        self._engine.functions.pop(name, None)
        self._engine.gone.add(name)
        self._loop.unpark()

    def start(
        self,
        name: str,
        payload_text: str | None = None,
        execution_name: str | None = None,
        tenant_id: str | None = None,
        *,
        asynchronous: bool = False,
    ) -> str:
        """Start an execution, or find the one that has the name and the same payload.

        Args:
            name: of a registered durable function; a version may follow, `name:3`.
            payload_text: JSON text.
            execution_name: 1 to 64 letters, digits, - and _; made up if left out.
            tenant_id: tenant id.
            asynchronous: whether payload and result are held to 1 MiB instead of 6.

        Returns:
            The execution's ARN.

        Raises:
            ClientError: DurableExecutionAlreadyStartedException if the name is taken by another
                payload or version, ResourceNotFoundException, RequestTooLargeException,
                InvalidRequestContentException, InvalidParameterValueException.
        """
        request = {"FunctionName": name}
        optional = {"DurableExecutionName": execution_name, "TenantId": tenant_id}
        check("Invoke", request | {k: v for k, v in optional.items() if v is not None})
        function = self._engine.function(name)
        if function is None:
            raise fault(
                code="ResourceNotFoundException",
                message=f"Function not found: {name}",
                operation="Invoke",
            )
        if not function.durable:
            text = f"{name} is no durable function: it has no executions to start"
            raise fault(code="InvalidParameterValueException", message=text, operation="Invoke")
        limit = PAYLOAD_LIMIT if asynchronous else SYNC_LIMIT
        self._judge(payload_text, limit)
        with self._engine.transaction() as now:
            if execution_name is not None:
                known = self._engine.find_name(function.name, execution_name)
                if known is not None:
                    row = known.row
                    if (row.input, row.version) == (payload_text, function.version):
                        return row.arn
                    text = f"The execution {execution_name} has been started with another payload or version: {row.arn}"
                    raise fault(
                        code="DurableExecutionAlreadyStartedException",
                        message=text,
                        operation="Invoke",
                    )
            journal = _lives.start(
                self._engine,
                function,
                now,
                payload=payload_text,
                name=execution_name,
                tenant=tenant_id,
                limit=limit,
            )
            return journal.row.arn

    @staticmethod
    def _judge(payload: str | None, limit: int) -> None:
        if size(payload) > limit:
            text = f"The payload has {size(payload)} bytes, the limit is {limit}"
            raise fault(code="RequestTooLargeException", message=text, operation="Invoke")
        try:
            json.loads(payload or "{}")
        except ValueError as error:
            text = f"Could not parse request body into json: {error}"
            raise fault(
                code="InvalidRequestContentException", message=text, operation="Invoke"
            ) from None

    def step(self) -> Step:
        """Do one thing that is due: fire timers, or run one invocation. It never waits.

        Returns:
            What was done, or Idle with what there is to wait for.

        Raises:
            BaseException: what is no Exception and leaves a function (Ctrl-C, an exit) passes
                through. The invocation counts as cut short: the next step goes on from there.
        """
        return self._loop.step()

    def run(self, arn: str, on_idle: Callable[[Idle], bool | None] | None = None) -> str:
        """Run until an execution closes, or until nothing but an answer from outside can move it.

        Everything else that is due in the service runs too. With a RealClock it sleeps between
        timers; with a VirtualClock it jumps. An execution's timeout is not waited for: if only
        callbacks without a deadline are left, it returns.

        Args:
            arn: the execution.
            on_idle: called before each wait and before giving up; it may answer callbacks. True
                says that it did something, so that the service looks again instead of waiting.

        Returns:
            The execution's status; RUNNING if it can only be moved from outside.

        Raises:
            LookupError: there is no such execution, or its function is not registered.
            BaseException: Ctrl-C and exits pass through; the execution goes on with the next run.
        """
        return self._loop.run(arn, on_idle)

    def status(self, arn: str) -> str:
        """Tell an execution's status.

        Args:
            arn: the execution.
        """
        return str(self.describe(arn)["Status"])

    def describe(self, arn: str) -> dict[str, Any]:
        """Describe an execution, as GetDurableExecution does.

        Args:
            arn: the execution.
        """
        return self.client.get_durable_execution(DurableExecutionArn=arn)

    def history(self, arn: str) -> list[dict[str, Any]]:
        """Give an execution's whole history, oldest first, in botocore's shape.

        Args:
            arn: the execution.
        """
        request: dict[str, Any] = {"DurableExecutionArn": arn, "MaxItems": 1000}
        events: list[dict[str, Any]] = []
        while True:
            page = self.client.get_durable_execution_history(**request)
            events += page["Events"]
            if "NextMarker" not in page:
                return events
            request["Marker"] = page["NextMarker"]

    def executions(self) -> list[str]:
        """List the ARNs of all executions, oldest first."""
        return [row.arn for row in self._engine.store.executions()]

    def pending_callbacks(self, arn: str) -> tuple[PendingCallback, ...]:
        """List an execution's open callbacks, in the order in which they were created.

        Args:
            arn: the execution; a closed one has none.
        """
        return self._loop.callbacks(arn)

    def now(self) -> datetime:
        """Tell the service's time."""
        return to_datetime(self._engine.now())

    def close(self) -> None:
        """Close the store."""
        self._engine.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
