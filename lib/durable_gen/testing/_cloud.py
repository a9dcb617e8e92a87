"""Runs a deployed function: executions on AWS, or wherever an endpoint leads."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from attrs import define, field

from durable_gen.errors import UsageError
from durable_gen.testing._cues import Cues
from durable_gen.testing._execution import Execution, Sent, missed
from durable_gen.testing._history import ENDS
from durable_gen.testing._run import Run
from durable_gen.testing._script import matches, script
from durable_gen.testing._tree import Event, named, tree, walk

FIRST_PAUSE = 0.1  # seconds before the history is read again; half as much more each time
LONGEST_PAUSE = 5.0  # seconds
PATIENCE = 300.0  # seconds
PAGE = 1_000  # events (service model: ItemCount, at most)


@define
class Remote:
    """One execution that is reached through a client.

    Args:
        client: a botocore client for Lambda.
        arn: its ARN.
        cues: how its callbacks are answered.
        patience: seconds of real time that going on may take.
    """

    client: Any
    arn: str
    cues: Cues
    patience: float
    _events: list[Event] = field(factory=list, init=False)

    def events(self) -> Sequence[Event]:
        """Read its history."""
        if not self._over():
            self._read()
        return self._events

    def _over(self) -> bool:
        return any(event["EventType"] in ENDS for event in self._events[-2:])

    def _read(self) -> None:
        request = {"DurableExecutionArn": self.arn, "IncludeExecutionData": True, "MaxItems": PAGE}
        events: list[Event] = []
        while True:
            page = self.client.get_durable_execution_history(**request)
            events += page["Events"]
            if not page.get("NextMarker"):
                break
            request["Marker"] = page["NextMarker"]
        self._events = events

    def sent(self) -> Sent | None:
        """Say that nobody sees what it sends."""
        return None

    def now(self) -> datetime:
        """Tell the time."""
        return datetime.now(UTC)

    def other(self, arn: str) -> Execution:
        """Give an execution that it has invoked."""
        return Remote(self.client, arn, self.cues, self.patience)

    def notes(self) -> Sequence[str]:
        """Say what the script has that was not used."""
        unused = self.cues.callbacks.unused()
        return [f"unused in the script: {', '.join(unused)}"] if unused else []

    def go_on(self, until: str | datetime | None) -> None:
        """Wait until it is over, or nothing but a test can bring it further.

        Args:
            until: the path of an operation, to stop when it is waited for; or an instant.

        Raises:
            LookupError: it ended, and the operation was never waited for.
            TimeoutError: it took too long.
        """
        end, pause = time.monotonic() + self.patience, FIRST_PAUSE
        while True:
            count = len(self._events)
            self._read()
            opened = [one for one in walk(tree(self._events)) if one.ended is None]
            if isinstance(until, str) and any(matches(one.path, until) for one in opened):
                return
            if self._over():
                break
            for one in opened:
                if one.kind == "callback" and one.callback_id:
                    self.cues.meet(one.callback_id, named(one), self.now())
            if self.cues.send(self.client, self.now()):
                pause = FIRST_PAUSE
                continue
            if isinstance(until, datetime) and self.now() >= until:
                return
            if until is None and self._rests(opened):
                return
            if time.monotonic() >= end:
                msg = f"{self.arn} is not over after {self.patience:g} s:\n{Run(self)}"
                raise TimeoutError(msg)
            pause = FIRST_PAUSE if len(self._events) > count else min(1.5 * pause, LONGEST_PAUSE)
            time.sleep(self._until(pause, until))
        if isinstance(until, str):
            raise missed(Run(self).status, self._events, until)

    def _until(self, pause: float, until: str | datetime | None) -> float:
        moments = [until] if isinstance(until, datetime) else []
        moments += [self.cues.next] if self.cues.next else []
        return max(0.0, min([pause, *((at - self.now()).total_seconds() for at in moments)]))

    def _rests(self, opened: Sequence[Any]) -> bool:
        """Tell whether it only waits for callbacks that nobody is to answer and nothing bounds."""
        if self.cues.due or self._events[-1]["EventType"] != "InvocationCompleted":
            return False
        leaves = [one for one in opened if not any(child.ended is None for child in one.children)]
        callbacks = [one for one in leaves if one.kind == "callback"]
        bounded = any(
            one.details.get("Timeout") or one.details.get("HeartbeatTimeout") for one in callbacks
        )
        return bool(callbacks) and len(callbacks) == len(leaves) and not bounded


class DurableCloud:
    """Runs a deployed function.

    Args:
        client: a botocore client for Lambda.
        function: the name or ARN of the function, with its version or alias.

    Attributes:
        runs: the runs that it made, oldest first.
    """

    def __init__(self, client: Any, function: str) -> None:
        self.client, self.function = client, function
        self.runs: list[Run] = []

    @classmethod
    def connect(
        cls, function: str, *, endpoint: str | None = None, region: str | None = None
    ) -> DurableCloud:
        """Make it with a client of its own, and the credentials that botocore finds.

        Args:
            function: the name or ARN of the function, with its version or alias.
            endpoint: where Lambda is; AWS if left out.
            region: the region; the session's if left out.
        """
        from botocore.session import get_session

        client = get_session().create_client("lambda", endpoint_url=endpoint, region_name=region)
        return cls(client, function)

    def close(self) -> None:
        """Close the client's connections."""
        self.client.close()

    def __call__(
        self,
        event: Any = None,
        *,
        name: str | None = None,
        callbacks: Mapping[str, Any] | None = None,
        until: str | datetime | None = None,
        patience: float = PATIENCE,
    ) -> Run:
        """Start an execution, and wait until it is over or nothing but the test can bring it further.

        Args:
            event: what it is started with; JSON.
            name: the execution's name; made up if left out.
            callbacks: by the paths of callbacks, how they are answered, as in `durable`.
            until: the path of an operation, to stop when it is waited for; or an instant.
            patience: seconds of real time that it may take.

        Returns:
            A `Run`.

        Raises:
            UsageError: the event is no JSON, or the script no mapping.
            LookupError: the execution ended, and `until` was never waited for.
            TimeoutError: it took longer than `patience`.
        """
        try:
            payload = orjson.dumps(event)
        except TypeError as error:
            msg = f"durable_cloud(event): the event of an execution is JSON: {error}"
            raise UsageError(msg) from error
        cues = Cues(script("callbacks", callbacks))
        named_ = {} if name is None else {"DurableExecutionName": name}
        answer = self.client.invoke(
            FunctionName=self.function, InvocationType="Event", Payload=payload, **named_
        )
        answer["Payload"].read()  # it is empty, and gives the connection back
        arn = answer.get("DurableExecutionArn")
        if arn is None:
            msg = f"{self.function} is no durable function: invoking it has started no execution"
            raise UsageError(msg)
        run = Run(Remote(self.client, arn, cues, patience))
        self.runs.append(run)
        return run.go_on(until)
