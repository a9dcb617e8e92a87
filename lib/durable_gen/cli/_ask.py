"""Answers callbacks: from the command line's `--callback`, or from the keyboard."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import groupby

import orjson
from attrs import define, field
from botocore.exceptions import ClientError

from durable_gen.cli._screen import Screen
from durable_gen.cli._story import elapsed
from durable_gen.local import Idle, PendingCallback, Service

JSON = 'write JSON: true, 7, "text" or {"by": "Ada"}'
CHUNK = 65_536  # bytes of the keyboard's at once; a terminal gives a line


@define
class Answers:
    """Answers the callbacks of one execution.

    Args:
        service: where they are.
        arn: the execution's ARN.
        screen: where questions are asked.
        given: answers by the callback's name or path.
        keyboard: whether somebody is there to ask.
        skip_time: whether the clock jumps when nobody answers.
    """

    service: Service
    arn: str
    screen: Screen
    given: dict[str, bytes]
    keyboard: bool
    skip_time: bool
    used: set[str] = field(factory=set, init=False)  # names of `given` that were asked for
    sent: set[str] = field(factory=set, init=False)  # callbacks that were answered
    passed: dict[str, datetime] = field(factory=dict, init=False)  # callback: let pass from when
    typed: bytes = field(default=b"", init=False)  # what the keyboard gave beyond a line

    def idle(self, idle: Idle) -> bool:
        """Answer a callback while nothing else is due; say whether one was answered."""
        self.screen.settle()
        mine = (one for one in idle.callbacks if one.arn == self.arn)
        waiting = [one for one in mine if one.callback_id not in self.sent]
        for one in waiting:
            name = next((name for name in self.names(one) if name in self.given), None)
            if name is not None:
                self.used.add(name)
                self._send(one, self.given[name])
                return True
        now = self.service.now()
        open_ = (one for one in waiting if self.passed.get(one.callback_id) != now)
        first = next(open_, None)
        return first is not None and self.keyboard and self._ask(first, idle.until)

    def unused(self) -> list[str]:
        """List the names of answers that no callback asked for."""
        return [name for name in self.given if name not in self.used]

    def names(self, callback: PendingCallback) -> Iterator[str]:
        """Give what a callback may be called by, its path first."""
        yield callback.path
        yield label(callback)
        yield from reversed(_names(callback))

    def _send(self, callback: PendingCallback, answer: bytes) -> None:
        self.sent.add(callback.callback_id)
        try:
            self.service.client.send_durable_execution_callback_success(
                CallbackId=callback.callback_id, Result=answer
            )
        except ClientError as error:
            why = error.response["Error"]["Message"]
            self.screen.say(f"callback {label(callback)} was not answered: {why}", "yellow")
        else:
            text = answer.decode(errors="replace")
            self.screen.say(f"callback {label(callback)} is answered: {text:.60}", "dim")

    def _ask(self, callback: PendingCallback, until: datetime | None) -> bool:
        """Ask for an answer until it is there, or something else is due; say whether to look again."""
        if not _in_front():
            return False
        question = self._question(callback, until)
        with self.screen.paused():
            self.screen.ask(question)
            rows = 0
            end = None
            if until is not None:
                end = time.monotonic() + (until - self.service.now()).total_seconds()
            while (line := self._line(end)) is not None:
                text = line.decode(errors="replace").strip()
                rows += 1 + (len(question) + len(text)) // self.screen.console.width
                if not text and self.skip_time and until is not None:
                    break
                try:
                    orjson.loads(text)
                except ValueError:
                    question = f"  that is not JSON; {JSON}: " if text else f"  {JSON}: "
                    self.screen.ask(question)
                    continue
                self.screen.erase(rows)
                self._send(callback, text.encode())
                return True
            if line is None:
                self.screen.say("")
                rows += 1 + len(question) // self.screen.console.width
            self.screen.erase(rows)
            if self.skip_time and self.keyboard:
                self.passed[callback.callback_id] = self.service.now()
                return True  # ask for the next one; the clock jumps when all were let pass
            return False

    def _question(self, callback: PendingCallback, until: datetime | None) -> str:
        more = []
        if until is not None:
            more.append(f"{elapsed(until - self.service.now())} left")
        if until is not None and self.skip_time:
            more.append("Enter lets it pass")
        left = f" ({', '.join(more)})" if more else ""
        return f"? {label(callback)}: answer as JSON{left}: "

    def _line(self, end: float | None) -> bytes | None:
        """Read a line; None when the time is over or nobody is there any more."""
        keyboard = sys.stdin.fileno()
        while b"\n" not in self.typed:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                _discard(keyboard)
                self.typed = b""
                return None
            if not select.select([keyboard], [], [], left and min(left, 3_600))[0]:
                continue
            more = os.read(keyboard, CHUNK)
            if not more:  # the end of the input
                self.keyboard = False
                return None
            self.typed += more
        line, _, self.typed = self.typed.partition(b"\n")
        return line


def _in_front() -> bool:
    """Tell whether the terminal listens to us, and not to another job of its shell."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:
        return True


def _discard(keyboard: int) -> None:
    """Forget half an answer: the shell would take it for the beginning of a command."""
    import termios

    with suppress(termios.error):
        termios.tcflush(keyboard, termios.TCIFLUSH)


def label(callback: PendingCallback) -> str:
    """Name a callback as a person would: its path, without what is in it twice."""
    return "/".join(name for name, _ in groupby(_names(callback)))


def _names(callback: PendingCallback) -> list[str]:
    return [name.strip() for name in callback.path.split("/")]
