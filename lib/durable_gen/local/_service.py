"""The embedded service: AWS Lambda's durable execution service, played inside a process."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from durable_gen.local import _starts
from durable_gen.local._client import Client
from durable_gen.local._clock import Clock, RealClock, to_datetime
from durable_gen.local._engine import Engine
from durable_gen.local._facts import LONGEST
from durable_gen.local._front import Front
from durable_gen.local._functions import Function
from durable_gen.local._host import Host
from durable_gen.local._limits import Limits
from durable_gen.local._loop import Loop
from durable_gen.local._reports import Idle, Notice, PendingCallback, Step
from durable_gen.local._rules import MIB, PAYLOAD_LIMIT, SYNC_LIMIT
from durable_gen.local._scheduler import Scheduler
from durable_gen.local._store import MemoryStore, Store
from durable_gen.local._work import Work


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
        retention: whether closed executions are forgotten when their days are over.
        event_delays: seconds before an asynchronous invocation of a plain function that failed is
            made again, the first and the second time.
        ids: makes the ids of executions and invocations, each a UUID of its own; random if left out.
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
        retention: bool = True,
        event_delays: tuple[float, float] = (60, 120),
        ids: Callable[[], str] | None = None,
    ) -> None:
        limits = Limits(
            attempts=attempts,
            delays=retry_delays,
            operations=max_operations,
            page=page_size,
            retention=retention,
            again=event_delays,
        )
        self._engine = Engine(
            MemoryStore() if store is None else store,
            RealClock() if clock is None else clock,
            limits,
            observer,
            _random if ids is None else ids,
        )
        self.clock = self._engine.clock
        self.client = Client(self._engine)
        self._work = Work(self._engine)
        self._loop = Loop(self._engine, self._work)

    def register(
        self,
        name: str,
        function: Any,
        *,
        durable: bool = True,
        execution_timeout: int | None = LONGEST,
        version: str = "$LATEST",
        retention_days: int = 14,
    ) -> None:
        """Register a function; one of the same name and version is replaced.

        Args:
            name: what it is invoked by.
            function: a Lambda handler, `function(event, context)`. One that has a method
                `using(backend)` is given the service's client by it.
            durable: whether invoking it starts an execution; if not, it is a plain function.
            execution_timeout: seconds that one of its executions may take; None for no limit, as
                AWS has it for nobody.
            version: what its executions are pinned to, "$LATEST" or a number.
            retention_days: how long one is kept after its end.

        Raises:
            ValueError: the name, the version, the timeout or the retention is not one that Lambda
                takes.
        """
        using = getattr(function, "using", None)
        handler = function if using is None else using(self.client)
        self.deploy(Function(name, version, handler, durable, execution_timeout, retention_days))

    def deploy(self, function: Function) -> None:
        """Register a function with all that Lambda knows of one.

        Args:
            function: it; one of the same name and version is replaced.

        Raises:
            ValueError: it is not one that Lambda takes.
        """
        name, version = function.name, function.version
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
            msg = f"expected a function's name of 1 to 64 letters, digits, - and _, got {name!r}"
            raise ValueError(msg)
        if not re.fullmatch(r"\$LATEST|[0-9]+", version):
            msg = f'expected version "$LATEST" or a number, got {version!r}'
            raise ValueError(msg)
        if function.timeout is not None and not 1 <= function.timeout <= LONGEST:
            msg = (
                f"expected an execution_timeout of 1 to {LONGEST} seconds, got {function.timeout!r}"
            )
            raise ValueError(msg)
        if not 1 <= function.retention <= 90:
            msg = f"expected a retention of 1 to 90 days, got {function.retention!r}"
            raise ValueError(msg)
        if not 0 <= function.retries <= 2 or not 60 <= function.age <= 21_600:
            msg = (
                "expected MaximumRetryAttempts of 0 to 2 and MaximumEventAgeInSeconds of 60 to "
                f"21600, got {function.retries!r} and {function.age!r}"
            )
            raise ValueError(msg)
        versions = self._engine.functions.setdefault(name, {})
        versions.pop(version, None)  # the version registered last stands last
        versions[version] = function
        self._engine.gone.discard(name)
        self._work.unpark()

    def scheduler(self, host: Host, *, most: int = 64, skip: bool = False) -> Scheduler:
        """Make what drives this service from threads, instead of `run` and `step`.

        Args:
            host: where functions run.
            most: invocations that may run at once.
            skip: whether to jump to the next timer when none runs.
        """
        return Scheduler(self._engine, self._work, host, most=most, skip=skip)

    def front(self, host: Host) -> Front:
        """Make what answers Invoke and the other operations of functions.

        Args:
            host: where plain functions run.
        """
        return Front(self._engine, host)

    def unregister(self, name: str) -> None:
        """Delete a function: its open executions fail when their next invocation is due.

        Args:
            name: as it was registered.
        """
        self._engine.functions.pop(name, None)
        self._engine.gone.add(name)
        self._work.unpark()

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
        return _starts.start(
            self._engine,
            name,
            payload_text,
            execution_name,
            tenant_id,
            limit=PAYLOAD_LIMIT if asynchronous else SYNC_LIMIT,
        )

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
        with self._engine.transaction():  # what is known to be kept is listed
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
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _random() -> str:
    return str(uuid.uuid4())
