"""Takes what the user's code prints, whole lines at a time, so that it stands above the tree."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO


class Relay(io.TextIOBase):
    """A stream that hands on whole lines; each thread has a line of its own.

    Args:
        stream: the one that it stands for.
        say: takes a line.
    """

    def __init__(self, stream: TextIO, say: Callable[[str], None]) -> None:
        self._stream = stream
        self._say = say
        self._open: dict[int, str] = {}  # the unfinished line of each thread

    def write(self, text: str) -> int:
        """Take text; what follows its last newline waits for the rest of the line."""
        me = threading.get_ident()
        *lines, rest = (self._open.pop(me, "") + text).split("\n")
        if rest:
            self._open[me] = rest
        if lines:
            self._say("\n".join(lines))
        return len(text)

    def finish(self) -> None:
        """Hand on the lines that nobody finished."""
        unfinished, self._open = self._open, {}
        for line in unfinished.values():
            self._say(line)

    def isatty(self) -> bool:
        """Tell whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Give the stream's file: what writes there passes us by."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """Yes."""
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's encoding."""
        return self._stream.encoding

    @property
    def buffer(self) -> io.BufferedIOBase:
        """The stream's bytes: what writes there passes us by."""
        return self._stream.buffer  # type: ignore[return-value]


@contextmanager
def relayed(say: Callable[[str], None]) -> Iterator[None]:
    """Hand what is printed inside to a function, line by line. Standard output is the result's alone.

    Args:
        say: takes lines.
    """
    before = sys.stdout, sys.stderr
    out, err = Relay(sys.stderr, say), Relay(sys.stderr, say)
    sys.stdout, sys.stderr = out, err
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        out.finish()
        err.finish()
