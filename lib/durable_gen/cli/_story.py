"""What happened in an execution, event by event: a tree of operations, and a line for each change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import groupby
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
CODE = {  # what the code calls an operation: its events' kind, and a word
    "step": ("Step", "step"),
    "wait_for_condition": ("Step", "wait for condition"),
    "wait": ("Wait", "wait"),
    "callback": ("Callback", "callback"),
    "invoke": ("ChainedInvoke", "invoke"),
    "map_item": ("Context", "item"),
    "parallel_branch": ("Context", "branch"),
}
TOLD = ("Context", "Step")  # begin when the code comes to them; their events may follow much later
CLOSED = ("Succeeded", "Failed", "TimedOut", "Stopped")  # of an execution
LONG = 120  # characters of an error that a line shows; the block at the end has the whole
TOKEN = re.compile(r"[\w=+/-]{40,}")  # a callback's id: nobody reads all of it


@define(eq=False)
class Node:
    """One operation, as far as its events tell.

    Attributes:
        word: what it is.
        name: its name.
        kind: the first word of its events' types.
        path: the names of the operations that it is inside, and its own.
        parent: the operation that it is inside.
        state: a word for how far it is.
        started: when it was first started.
        ended: when it ended.
        until: when its timer is over: a wait's end, a callback's deadline, the next attempt.
        attempts: how many of its attempts have ended.
        note: what else to say of it: an error.
        told: whether a line has told of its beginning.
        error: the error of its last attempt, as it was recorded.
        children: the operations inside it.
    """

    word: str
    name: str | None
    kind: str
    path: tuple[str, ...] = ()
    parent: Node | None = None
    state: str = "running"
    started: datetime | None = None
    ended: datetime | None = None
    until: datetime | None = None
    attempts: int = 0
    note: str = ""
    told: bool = False
    error: Mapping[str, Any] | None = None
    children: list[Node] = field(factory=list)

    @property
    def title(self) -> str:
        """What it is, and its name."""
        return f"{self.word} {self.name}" if self.name else self.word

    def cause(self, text: str) -> Node | None:
        """Find the operation in it whose error an error's text quotes, or is."""
        for child in reversed(self.children):
            if child.error and child.ended and text.endswith(whole(child.error)):
                return child
        return None


class Story:
    """Hears the events of one execution.

    Attributes:
        root: what the operations of the handler hang on.
        invocations: how many invocations have ended.
        began: when the execution was started.
        latest: the time of the last event.
    """

    def __init__(self) -> None:
        self.root = Node("execution", None, "Execution")
        self.nodes: dict[str, Node] = {}
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
            self.began = self.root.started = at
            return None
        if word == "InvocationCompleted":
            self.invocations += 1
            error = _payload(details.get("Error"))
            return f"{self._clock(at)}  {_broken_off(error)}" if error else None
        if word.removeprefix("Execution") in CLOSED:
            self._close(word.removeprefix("Execution"), at)
            return None
        kind = next((one for one in KINDS if word.startswith(one)), None)
        if kind is None:
            return None
        what = noun(TYPES.get(kind, kind.upper()), event.get("SubType")).replace("_", " ")
        node = self._node(event["Id"], kind, what, event.get("Name"), event.get("ParentId"))
        again = node.told and word.endswith("Started") and not node.attempts
        text = self._change(node, word.removeprefix(kind), at, details)
        return None if again else self._tell(event["Id"], at, text)

    def _tell(self, id_: str, at: datetime, text: str) -> str:
        node = self.nodes[id_]
        path = "/".join(name for name, _ in groupby(node.path))
        return f"{self._clock(at)}  {node.word} {path} {text}"

    def meet(self, operation: Mapping[str, Any], at: datetime) -> str | None:
        """Take in that the code has come to an operation, which may be recorded only at its end.

        Args:
            operation: what the library logs of it.
            at: when.
        """
        type_ = operation["op.type"]
        kind, word = CODE.get(type_, ("Context", type_.replace("_", " ")))
        id_ = operation["op.id"]
        if id_ in self.nodes:
            return None
        node = self._node(id_, kind, word, operation["op.name"], operation["parent"])
        node.started, node.told = at, kind in TOLD
        return self._tell(id_, at, "started") if node.told else None

    def resume(self, at: datetime) -> None:
        """Take in that what an earlier run left begun begins again."""
        self.latest = at
        for node in self.nodes.values():
            if node.kind == "Step" and node.state == "running":
                node.started = at

    def ended(self) -> list[Node]:
        """List the operations that have ended, but for contexts."""
        return [node for node in self.nodes.values() if node.ended and node.kind != "Context"]

    def _close(self, word: str, at: datetime) -> None:
        """End the tree; what nobody waited for any more is left behind."""
        self.root.state, self.root.ended = STATES[word], at
        for node in self.nodes.values():
            if node.ended is None:
                node.state, node.ended, node.until = "left behind", at, None

    def _node(self, id_: str, kind: str, word: str, name: str | None, parent: str | None) -> Node:
        if id_ not in self.nodes:
            above = self.nodes.get(parent or "", self.root)
            node = Node(word, name, kind, (*above.path, name or word), above)
            above.children.append(node)
            self.nodes[id_] = node
        return self.nodes[id_]

    def _change(self, node: Node, word: str, at: datetime, details: Mapping[str, Any]) -> str:
        """Take over what an event says of an operation, and say it."""
        node.state = STATES.get(word, word.lower())
        node.note, node.until = "", None
        if word == "Started":
            return self._started(node, at, details)
        retry = details.get("RetryDetails") or {}
        node.attempts = retry.get("CurrentAttempt", node.attempts)
        node.error = _payload(details.get("Error")) or None
        node.note = self._note(node) if node.error else ""
        delay = retry.get("NextAttemptDelaySeconds")
        because = f": {node.note}" if node.note else ""
        if delay:
            node.state, node.until = "waiting", at + timedelta(seconds=delay)
            again = f"again in {elapsed(timedelta(seconds=delay))}"
            tried = f"failed at attempt {node.attempts}" if node.error else "not yet"
            return f"{tried}{because}; {again}"
        node.ended = at
        nth = f" at attempt {node.attempts}" if node.attempts > 1 else ""
        return f"{node.state}{nth}{because}"

    def _note(self, node: Node) -> str:
        """Say what went wrong; what came from inside has been said there."""
        error = node.error or {}
        known = error.get("ErrorType") and node.cause(whole(error)) is not None
        return str(error["ErrorType"]) if known else short(error)

    def _started(self, node: Node, at: datetime, details: Mapping[str, Any]) -> str:
        node.started = node.started or at
        match node.kind:
            case "Wait":
                node.state, node.until = "waiting", details.get("ScheduledEndTimestamp")
                return f"started: {elapsed(timedelta(seconds=details.get('Duration', 0)))}"
            case "Callback":
                node.state, most = "waiting", timedelta(seconds=details.get("Timeout") or 0)
                node.until = at + most if most else None
                return f"started: times out in {elapsed(most)}" if most else "started"
            case "ChainedInvoke":
                node.state = "waiting"
        return f"started attempt {node.attempts + 1}" if node.attempts else "started"

    def _clock(self, at: datetime) -> str:
        return f"{elapsed(at - (self.began or at)):>7}"


def elapsed(time: timedelta) -> str:
    """Write a span of time in two units: `2.5s`, `1m 05s`, `3h 20m`, `7d 00h`."""
    seconds = max(0.0, time.total_seconds())
    if round(seconds, 1) < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours < 24 else f"{hours // 24}d {hours % 24:02}h"


def whole(error: Mapping[str, Any]) -> str:
    """Write an error's class and text."""
    parts = (error.get("ErrorType"), error.get("ErrorMessage"))
    return ": ".join(part for part in parts if part) or "an error without a word"


def short(error: Mapping[str, Any]) -> str:
    """Say in one short line what an error is."""
    line = whole(error).splitlines()[0]
    text = TOKEN.sub(lambda found: f"{found[0][:8]}…", line)
    return text if len(text) <= LONG else f"{text[: LONG - 1]}…"


def _broken_off(error: Mapping[str, Any]) -> str:
    if error.get("ErrorType") == "Runtime.ExitError":
        return "the process ended here; another goes on"
    return f"invocation failed: {short(error)}"


def _payload(wrapped: Any) -> Mapping[str, Any]:
    payload = (wrapped or {}).get("Payload")
    return payload if isinstance(payload, Mapping) else {}
