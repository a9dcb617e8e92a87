"""Answers callbacks: from the command line's `--callback`, or from the keyboard."""

from __future__ import annotations

import select
import sys
from datetime import datetime, timedelta

import orjson
from attrs import define

from durable_gen.cli._screen import Screen
from durable_gen.local import Idle, PendingCallback, Service


@define
class Answers:
    """Answers the callbacks of one execution.

    Args:
        service: where they are.
        arn: the execution's ARN.
        screen: where questions are asked.
        given: answers by the callback's name or path.
        keyboard: whether somebody is there to ask.
    """

    service: Service
    arn: str
    screen: Screen
    given: dict[str, bytes]
    keyboard: bool

    def idle(self, idle: Idle) -> bool:
        """Answer a callback while nothing else is due; say whether one was answered."""
        waiting = [one for one in idle.callbacks if one.arn == self.arn]
        for one in waiting:
            answer = self.given.get(one.path, self._by_name(one))
            if answer is not None:
                self._send(one, answer)
                return True
        return bool(waiting) and self.keyboard and self._ask(waiting[0], idle.until)

    def _by_name(self, callback: PendingCallback) -> bytes | None:
        names = callback.path.split("/")
        return next((self.given[name] for name in reversed(names) if name in self.given), None)

    def _send(self, callback: PendingCallback, answer: bytes) -> None:
        self.service.client.send_durable_execution_callback_success(
            CallbackId=callback.callback_id, Result=answer
        )

    def _ask(self, callback: PendingCallback, until: datetime | None) -> bool:
        with self.screen.paused():
            left = f" ({_seconds(until - self.service.now())} left)" if until else ""
            self.screen.ask(f"{callback.path}: answer as JSON{left}> ")
            while True:
                wait = None if until is None else (until - self.service.now()).total_seconds()
                if wait is not None and wait <= 0:
                    self.screen.say("")
                    return False
                if not select.select([sys.stdin], [], [], wait)[0]:
                    continue
                line = sys.stdin.readline()
                if not line:  # the end of the input: nobody is there any more
                    self.keyboard = False
                    return False
                try:
                    orjson.loads(line)
                except ValueError:
                    self.screen.ask('that is not JSON; write true, 7, "text" or {"by": "Ada"}> ')
                    continue
                self._send(callback, line.strip().encode())
                return True


def _seconds(time: timedelta) -> str:
    return str(timedelta(seconds=round(time.total_seconds())))
