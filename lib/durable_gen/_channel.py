"""The line to the service: it alone holds the checkpoint token, and repeats a call that may yet pass."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from math import inf
from typing import Any

from attrs import frozen

from durable_gen import _faults
from durable_gen._budget import Meter
from durable_gen._model import Action, Change, Raw, Type, Update
from durable_gen.backends import Backend

PAGE = 1_000  # operations in a page of the log (service model: ItemCount, at most)
FIRST_DELAY = 0.1  # seconds before a call is repeated for the first time; doubled each time
LONGEST_DELAY = 5.0  # seconds between two repetitions
PATIENCE = 60.0  # seconds of delays after which Lambda is left to invoke again: they are billed


class TokenSpent(Exception):  # noqa: N818
    """Another invocation goes on with this execution, or it has ended: nothing is left to do."""


@frozen
class Deadline:
    """When Lambda ends the invocation, less a margin to leave in good order.

    Args:
        remaining: tells the milliseconds that Lambda gives the invocation; None if nothing does.
        margin: seconds.
    """

    remaining: Callable[[], float] | None = None
    margin: float = 0.0

    @classmethod
    def of(cls, lambda_context: Any, margin: float) -> Deadline:
        """Read the deadline from Lambda's context; the margin is at most a quarter of the time."""
        remaining = getattr(lambda_context, "get_remaining_time_in_millis", None)
        if remaining is None:
            return cls()
        return cls(remaining, min(margin, remaining() / 4000))

    def left(self) -> float:
        """Tell the seconds that are left before the margin; infinite if nothing limits them."""
        return inf if self.remaining is None else self.remaining() / 1000 - self.margin


class Channel:
    """Calls the service for one invocation.

    Args:
        backend: the service.
        arn: the execution's ARN.
        token: the first checkpoint token.
        deadline: when the invocation ends.
        meter: counts the calls and what they send.
        sleep: waits for so many seconds, before a call is made again.
    """

    def __init__(
        self,
        backend: Backend,
        arn: str,
        token: str,
        deadline: Deadline,
        meter: Meter,
        sleep: Callable[[float], object],
    ) -> None:
        self.backend = backend
        self.arn = arn
        self.token = token
        self.deadline = deadline
        self.meter = meter
        self.sleep = sleep

    def pages(self, marker: str | None) -> list[Raw]:
        """Fetch the pages of the log from a marker on.

        Raises:
            TokenSpent: the token is no longer valid.
            CheckpointFailed: the service refused the call.
        """
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

    def checkpoint(self, updates: Sequence[Update]) -> list[Raw]:
        """Send updates.

        Returns:
            What the service says of operations that changed.

        Raises:
            TokenSpent: the token is no longer valid.
            CheckpointFailed: the service refused the call.
        """
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

    def close(self, execution_id: str, text: str) -> None:
        """End the execution with a result that the envelope has no room for."""
        change = Change(Action.SUCCEED, text)
        id_ = f"execution-result-{execution_id}"[:64]
        with suppress(TokenSpent):  # an execution that is over has no further token
            self.checkpoint([Update(id_, Type.EXECUTION, None, None, None, change)])

    def _call(self, method: str, **request: Any) -> Mapping[str, Any]:
        waited, delay = 0.0, FIRST_DELAY
        while True:
            self.meter.calls += 1
            try:
                answer: Mapping[str, Any] = getattr(self.backend, method)(**request)
            except Exception as error:
                match _faults.meaning(error):
                    case "over":
                        raise TokenSpent from error
                    case "refused":
                        raise _faults.refused(error) from error
                    case "broken":
                        raise
                pause = max(delay * random.uniform(0.5, 1), _faults.retry_after(error))
                waited += pause
                if waited > PATIENCE or pause >= self.deadline.left():
                    raise  # Lambda is to invoke again
            else:
                return answer
            self.sleep(pause)
            delay = min(2 * delay, LONGEST_DELAY)


def client_token(token: str, updates: Iterable[Mapping[str, Any]]) -> str:
    """Name one logical checkpoint, so that the service knows a repetition of it."""
    parts = [token]
    for update in updates:
        parts += update["Id"], update["Action"], str(update.get("Payload"))
    return blake2b("|".join(parts).encode(), digest_size=32).hexdigest()
