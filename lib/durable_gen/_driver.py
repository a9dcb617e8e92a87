"""The driver performs what the kernel asks for, in the time that its stage tells."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from math import inf

from durable_gen import _faults, _park
from durable_gen._channel import Channel
from durable_gen._effects import Calls, Done, Flush, Idle, Park
from durable_gen._kernel import Kernel
from durable_gen._model import MAX_UPDATES
from durable_gen._outcome import Outcome
from durable_gen._stage import Stage
from durable_gen._workers import Workers

LINGER = 0.001  # seconds that a checkpoint waits for calls that end just now


class Driver:
    """Drives a kernel against the service.

    Args:
        channel: the line to the service.
        stage: what has the time, and runs the calls.
    """

    def __init__(self, channel: Channel, stage: Stage) -> None:
        self.channel = channel
        self.stage = stage

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
            Exception: a fault of the service that did not pass in time, or one of a serde's store.
        """
        workers = self.stage.workers(max_workers)
        try:
            return self._drive(kernel, workers)
        except _faults.Passing as fault:
            with suppress(Exception):  # what has ended is recorded, as far as that goes now
                for flush in kernel.rest():
                    self.channel.checkpoint(flush.updates)
            raise fault.error from None
        finally:
            workers.close()
            _park.park(kernel.remains(), "its invocation has ended")
            kernel.forget()

    def _drive(self, kernel: Kernel, workers: Workers) -> Outcome | None:
        while True:
            if workers.in_flight:
                self._gather(kernel, workers)
            late = self.channel.deadline.left() <= 0
            effect = kernel.advance(self.stage.now(), late=late)
            for call in kernel.dropped():
                workers.drop(call)
            match effect:
                case Calls(calls, alone):
                    for call in calls:
                        self.stage.around(call)
                        if kernel.execution.hooks is not None:
                            kernel.execution.hooks.around(call)
                    if alone and not workers.in_flight:
                        kernel.resolve(calls[0], workers.inline(calls[0]), self.stage.draw())
                    else:
                        for call in calls:
                            workers.start(call)
                case Flush(updates):
                    kernel.absorb(self.channel.checkpoint(updates))
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
                kernel.resolve(call, outcome, self.stage.draw())

    def _wait(self, kernel: Kernel, workers: Workers, until: datetime | None) -> None:
        """Wait for a call to end, for one of the service's timers, or until time is running out."""
        timer = inf
        if until is not None:
            timer = max(1.0, (until - self.stage.now()).total_seconds())
        left = max(0.0, self.channel.deadline.left())
        seconds = min(timer, left)
        ended = workers.wait(None if seconds == inf else seconds)
        for call, outcome in ended:
            kernel.resolve(call, outcome, self.stage.draw())
        if not ended and timer <= left:
            kernel.absorb(self.channel.checkpoint(kernel.refresh().updates))
