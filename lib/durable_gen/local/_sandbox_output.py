"""What sandboxes print: taken from their pipes, parted into lines, kept with its request id."""

from __future__ import annotations

import os
import re
import select
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

TAIL = 4096  # bytes of output that are handed back with an invocation's end
KEPT = 10_000  # lines that can be asked for
_LINE = 256 * 1024  # bytes after which a line is cut, as in CloudWatch
_PIPE = 64 * 1024  # bytes that a pipe holds: who prints without end fills it while it is read
_ENDS = re.compile(rb"\r\n|\n|\r(?!\Z)")  # the runtime parts an error's lines by \r


@frozen
class Line:
    """A line that a function printed, or that Lambda writes about it.

    Attributes:
        text: the line without its end.
        request_id: the invocation that it belongs to.
        function: the function's name.
    """

    text: str
    request_id: str
    function: str


class Log:
    """All lines of all sandboxes.

    Args:
        path: the file that they are appended to as they are; if None, they are only kept.
    """

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else path.open("ab", buffering=0)
        self._lock = threading.Lock()
        self._lines: deque[Line] = deque(maxlen=KEPT)

    def write(self, line: bytes, request_id: str, function: str) -> None:
        """Keep a line, given without its end."""
        with self._lock:
            if self._file is not None:
                self._file.write(line + b"\n")
            self._lines.append(Line(line.decode("utf-8", "replace"), request_id, function))

    def lines(self, request_id: str | None) -> list[Line]:
        """List the last lines: those of one request, or all."""
        with self._lock:
            return [line for line in self._lines if request_id in (None, line.request_id)]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._file = None


class Output:
    """What a process prints: taken from its pipe, parted into lines, kept by request id."""

    def __init__(self, log: Log, function: str) -> None:
        self._outlet, self.inlet = os.pipe()
        os.set_blocking(self._outlet, False)
        self._log = log
        self._function = function
        self._lock = threading.Lock()
        self._rest = b""
        self._tail = b""
        self._request_id = ""
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def tail(self) -> bytes:
        """The last that the current request printed."""
        with self._lock:
            return self._tail

    def start(self, ended: Callable[[], None]) -> None:
        """Read on until the process has ended; it holds the inlet now."""
        os.close(self.inlet)
        self.inlet = -1
        self._thread = threading.Thread(
            target=self._read, args=(ended,), name="sandbox-output", daemon=True
        )
        self._thread.start()

    def turn(self, request_id: str) -> None:
        """Count what comes from now on to another request."""
        self.settle()
        with self._lock:
            if request_id != self._request_id:
                self._request_id, self._tail = request_id, b""

    def settle(self) -> None:
        """Take in all that has been printed so far, a line without an end too."""
        with self._lock:
            self._pump()
            if self._rest:
                self._keep(self._rest.removesuffix(b"\r"))
                self._rest = b""

    def say(self, text: str) -> None:
        """Add a line that the process did not print."""
        with self._lock:
            self._keep(text.encode())

    def close(self) -> None:
        """Stop reading; what is in the pipe is taken in."""
        self._closed = True
        if self._thread is not None:
            self._thread.join()
        self.settle()
        with self._lock:
            for end in {self._outlet, self.inlet} - {-1}:
                os.close(end)
            self._outlet = self.inlet = -1

    def _read(self, ended: Callable[[], None]) -> None:
        waiting = select.poll()
        waiting.register(self._outlet, select.POLLIN)
        going = True
        while going and not self._closed:
            if waiting.poll(500):  # a process outside its session may hold the pipe open
                with self._lock:
                    going = self._pump()
        ended()

    def _pump(self) -> bool:
        """Take what the pipe holds, and no more; tell whether more can come."""
        left = _PIPE
        while self._outlet >= 0 and left:
            try:
                chunk = os.read(self._outlet, left)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            left -= len(chunk)
            *lines, self._rest = _ENDS.split(self._rest + chunk)
            for line in lines:
                self._keep(line)
            while len(self._rest) > _LINE:
                self._keep(self._rest[:_LINE])
                self._rest = self._rest[_LINE:]
        return not left

    def _keep(self, line: bytes) -> None:
        self._tail = (self._tail + line + b"\n")[-TAIL:]
        self._log.write(line, self._request_id, self._function)
