"""What happened in an execution, event by event: a tree of operations, and a line for each change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from attrs import define, field

from durable_gen._log import noun

KINDS = ("Context", "Step", "Wait", "Callback", "ChainedInvoke")
TYPES = {"ChainedInvoke": "CHAINED_INVOKE"}
STATES = {
    "Started": "running",
    "Succeeded": "succeeded",
    "Failed": "failed",
    "TimedOut": "timed out",
    "Cancelled": "cancelled",
    "Stopped": "stopped",
}


@define
class Node:
    """One operation, as far as its events tell.

    Attributes:
        title: its kind and name.
        name: its name.
        state: a word for how far it is.
        started: when it was first started.
        ended: when it ended.
        attempts: how many of its attempts have ended.
        note: what else to say of it: an error, a delay.
        children: the operations inside it.
    """

    title: str
    name: str | None
    state: str = "running"
    started: datetime | None = None
    ended: datetime | None = None
    attempts: int = 0
    note: str = ""
    children: list[Node] = field(factory=list)


class Story:
    """Hears the events of one execution.

    Attributes:
        roots: the operations of the handler.
        invocations: how many invocations have ended.
        began: when the execution was started.
    """

    def __init__(self) -> None:
        self.roots: list[Node] = []
        self.nodes: dict[str, Node] = {}
        self.depths: dict[str, int] = {}
        self.invocations = 0
        self.began: datetime | None = None
        self.latest: datetime | None = None

    def hear(self, event: Mapping[str, Any]) -> str | None:
        """Take in an event.

        Returns:
            A line that tells of it, or None when there is nothing to tell.
        """
        word = event["EventType"]
        at: datetime = event["EventTimestamp"]
        self.latest = at
        details = event.get(f"{word}Details") or {}
        if word == "ExecutionStarted":
            self.began = at
            return None
        if word == "InvocationCompleted":
            self.invocations += 1
            error = _payload(details.get("Error"))
            return f"{self._clock(at)}  invocation failed: {_error(error)}" if error else None
        kind = next((one for one in KINDS if word.startswith(one)), None)
        if kind is None:
            return None
        node = self._node(event, kind)
        self._change(node, word.removeprefix(kind), at, details)
        indent = "  " * self.depths[event["Id"]]
        note = f": {node.note}" if node.note else ""
        return f"{self._clock(at)}  {indent}{node.title} {node.state}{note}"

    def _node(self, event: Mapping[str, Any], kind: str) -> Node:
        id_ = event["Id"]
        if id_ not in self.nodes:
            name = event.get("Name")
            word = noun(TYPES.get(kind, kind.upper()), event.get("SubType")).replace("_", " ")
            node = Node(f"{word} {name}" if name else word, name)
            parent = event.get("ParentId")
            (self.nodes[parent].children if parent in self.nodes else self.roots).append(node)
            self.nodes[id_] = node
            self.depths[id_] = self.depths.get(parent or "", -1) + 1
        return self.nodes[id_]

    def _change(self, node: Node, word: str, at: datetime, details: Mapping[str, Any]) -> None:
        node.state = STATES.get(word, word.lower())
        node.note = ""
        if word == "Started":
            node.started = node.started or at
            if details.get("Duration"):
                node.note = f"{timedelta(seconds=details['Duration'])}"
            return
        retry = details.get("RetryDetails") or {}
        node.attempts = retry.get("CurrentAttempt", node.attempts)
        error = _payload(details.get("Error"))
        if error:
            node.note = _error(error)
        delay = retry.get("NextAttemptDelaySeconds")
        if delay:
            again = f"attempt {node.attempts + 1} in {timedelta(seconds=delay)}"
            node.state = "waiting"
            node.note = f"{node.note}; {again}" if node.note else again
        else:
            node.ended = at
            if node.attempts > 1:
                node.state += f" at attempt {node.attempts}"

    def _clock(self, at: datetime) -> str:
        return elapsed(at - (self.began or at))


def elapsed(time: timedelta) -> str:
    """Write a time since the beginning: `0:00:02.5`, `3 days, 0:00:00`."""
    text = str(timedelta(milliseconds=round(time / timedelta(milliseconds=1))))
    whole, dot, part = text.partition(".")
    return f"{whole}.{part[:1]}" if dot else f"{whole}.0"


def _payload(wrapped: Any) -> Mapping[str, Any]:
    payload = (wrapped or {}).get("Payload")
    return payload if isinstance(payload, Mapping) else {}


def _error(error: Mapping[str, Any]) -> str:
    parts = (error.get("ErrorType"), error.get("ErrorMessage"))
    text = ": ".join(part for part in parts if part)
    return text.splitlines()[0] if text else "without a word"
