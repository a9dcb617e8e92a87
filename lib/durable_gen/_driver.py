"""The driver performs what the kernel asks for. It alone holds the checkpoint token, and the clock."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from durable_gen import _faults, _park
from durable_gen._effects import Calls, Done, Flush, Idle, Park, running
from durable_gen._kernel import Kernel
from durable_gen._model import MAX_UPDATES, Action, Change, Raw, Type, Update
from durable_gen._outcome import Outcome
from durable_gen._workers import Workers
from durable_gen.backends import Backend

PAGE = 1_000  # operations in a page of the log (service model: ItemCount, at most)
LINGER = 0.001  # seconds that a checkpoint waits for calls that end just now


class TokenSpent(Exception):  # noqa: N818
    """Another invocation goes on with this execution, or it has ended: nothing is left to do."""


class Driver:
    """Drives a kernel against the service.

    Args:
        backend: the service.
        arn: the execution's ARN.
        token: the first checkpoint token.
    """

    def __init__(self, backend: Backend, arn: str, token: str) -> None:
        self.backend = backend
        self.arn = arn
        self.token = token

    def pages(self, marker: str | None) -> list[Raw]:
        """Fetch the pages of the log from a marker on."""
        records: list[Raw] = []
        while marker:
            page = self._call(
                "get_durable_execution_state",
                DurableExecutionArn=self.arn,
                CheckpointToken=self.token,
                Marker=marker,
                MaxItems=PAGE,
            )
            records += page.get("Operations") or ()
            marker = page.get("NextMarker")
        return records

    def drive(self, kernel: Kernel, max_workers: int) -> Outcome | None:
        """Drive a kernel until its workflow ends or is parked.

        Args:
            kernel: the kernel.
            max_workers: threads at most, for steps that run at once.

        Returns:
            How the workflow ended; None when it is parked.

        Raises:
            TokenSpent: the token is no longer valid.
            CheckpointFailed: the service refused a checkpoint.
        """
        workers = Workers(max_workers)
        outer = running.set(None)  # a workflow that is run inside a step is no part of it
        try:
            return self._drive(kernel, workers)
        finally:
            running.reset(outer)
            workers.close()
            _park.park(kernel.remains(), "its invocation has ended")
            kernel.forget()

    def close(self, execution_id: str, text: str) -> None:
        """End the execution with a result that the envelope has no room for."""
        change = Change(Action.SUCCEED, text)
        id_ = f"execution-result-{execution_id}"[:64]
        with suppress(TokenSpent):  # an execution that is over has no further token
            self._checkpoint([Update(id_, Type.EXECUTION, None, None, None, change)])

    def _drive(self, kernel: Kernel, workers: Workers) -> Outcome | None:
        while True:
            if workers.in_flight:
                self._gather(kernel, workers)
            effect = kernel.advance(datetime.now(UTC))
            for call in kernel.dropped():
                workers.drop(call)
            match effect:
                case Calls(calls, alone):
                    if kernel.execution.hooks is not None:
                        for call in calls:
                            kernel.execution.hooks.around(call)
                    if alone and not workers.in_flight:
                        kernel.resolve(calls[0], workers.inline(calls[0]), random.random())
                    else:
                        for call in calls:
                            workers.start(call)
                case Flush(updates):
                    kernel.absorb(self._checkpoint(updates))
                case Idle(until):
                    self._wait(kernel, workers, until)
                case Park():
                    return None
                case Done(outcome):
                    return outcome

    def _gather(self, kernel: Kernel, workers: Workers) -> None:
        """Take in calls that end just now, so that their updates share a checkpoint."""
        taken = 0
        while taken < MAX_UPDATES and (ended := workers.wait(LINGER)):
            taken += len(ended)
            for call, outcome in ended:
                kernel.resolve(call, outcome, random.random())

    def _wait(self, kernel: Kernel, workers: Workers, until: datetime | None) -> None:
        """Wait for a call to end, or for one of the service's timers; then ask what it did."""
        seconds = None
        if until is not None:
            seconds = max(1.0, (until - datetime.now(UTC)).total_seconds())
        ended = workers.wait(seconds)
        for call, outcome in ended:
            kernel.resolve(call, outcome, random.random())
        if not ended:
            kernel.absorb(self._checkpoint(kernel.refresh().updates))

    def _checkpoint(self, updates: Iterable[Update]) -> list[Raw]:
        wire = [update.to_wire() for update in updates]
        answer = self._call(
            "checkpoint_durable_execution",
            DurableExecutionArn=self.arn,
            CheckpointToken=self.token,
            Updates=wire,
            ClientToken=client_token(self.token, wire),
        )
        token = answer.get("CheckpointToken")
        if not token:
            raise TokenSpent
        self.token = token
        state = answer.get("NewExecutionState") or {}
        return [*(state.get("Operations") or ()), *self.pages(state.get("NextMarker"))]

    def _call(self, method: str, **request: Any) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = getattr(self.backend, method)(**request)
        except Exception as error:
            match _faults.meaning(error):
                case "over":
                    raise TokenSpent from error
                case "refused":
                    raise _faults.refused(error) from error
                case "passing":
                    raise
        return answer


def client_token(token: str, updates: Iterable[Mapping[str, Any]]) -> str:
    """Name one logical checkpoint, so that the service knows a repetition of it."""
    digest = blake2b(token.encode(), digest_size=32)
    for update in updates:
        digest.update(f"|{update['Id']}|{update['Action']}|{update.get('Payload')}".encode())
    return digest.hexdigest()
