"""When which callback is answered, by a script: the same for executions here and on AWS."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
from attrs import define, field

from durable_gen.testing._script import After, Answer, Fails, Never, Script


@define
class Cue:
    """Something to send to a callback.

    Attributes:
        at: when.
        id: the callback's id.
        answer: with what; None for a heartbeat.
        every: seconds between heartbeats.
        until: when there are no more of them.
    """

    at: datetime
    id: str
    answer: Any = None
    every: float = 0
    until: datetime | None = None


@define
class Cues:
    """The answers that a script has for the callbacks of an execution.

    Args:
        callbacks: by the paths of callbacks, how they are answered.
    """

    callbacks: Script[Any]
    due: list[Cue] = field(factory=list, init=False)
    seen: set[str] = field(factory=set, init=False)

    def meet(self, id_: str, path: str, now: datetime) -> None:
        """Look a callback up, once.

        Args:
            id_: its id.
            path: its path.
            now: the time from which `After` counts.
        """
        if id_ in self.seen:
            return
        self.seen.add(id_)
        found = self.callbacks.find(path)
        if found is None:
            return
        answer, at = found[1], now
        while isinstance(answer, After):
            begun, at = at, at + answer.delay
            if answer.heartbeat:
                first = begun + timedelta(seconds=answer.heartbeat)
                self.due.append(Cue(first, id_, None, answer.heartbeat, at))
            answer = answer.answer
        if answer is not Never:
            self.due.append(Cue(at, id_, answer if answer is not None else Answer()))

    @property
    def next(self) -> datetime | None:
        """When the next is due."""
        return min((cue.at for cue in self.due), default=None)

    def send(self, client: Any, now: datetime) -> bool:
        """Send what is due; what comes too late is none of the script's mistakes.

        Args:
            client: sends it.
            now: the time.

        Returns:
            Whether there was anything.
        """
        ready = sorted((cue for cue in self.due if cue.at <= now), key=lambda cue: cue.at)
        self.due = [cue for cue in self.due if cue.at > now]
        for cue in ready:
            try:
                if cue.answer is None:
                    client.send_durable_execution_callback_heartbeat(CallbackId=cue.id)
                else:
                    send(client, cue.id, cue.answer)
            except client.exceptions.CallbackTimeoutException:
                continue
            if cue.answer is None and cue.until is not None:
                cue.at += timedelta(seconds=cue.every)
                self.due += [cue] if cue.at < cue.until else []
        return bool(ready)


def send(client: Any, id_: str, answer: Any) -> None:
    """Answer a callback.

    Args:
        client: sends it.
        id_: the callback's id.
        answer: an `Answer` or `Fails`; anything else is the value of an `Answer`.
    """
    if isinstance(answer, Fails):
        error = {"ErrorType": answer.type, "ErrorMessage": answer.message}
        if answer.data is not None:
            error["ErrorData"] = answer.data
        client.send_durable_execution_callback_failure(CallbackId=id_, Error=error)
        return
    value = answer.value if isinstance(answer, Answer) else answer
    client.send_durable_execution_callback_success(CallbackId=id_, Result=orjson.dumps(value))
