"""What outlives the service by a moment: it kills the sandboxes of one that was killed itself."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

# It outlives the process that started it by a moment: the end of its input is that one's end.
_KEEPER = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""


class Keeper:
    """A process that kills the sandboxes when this one has died, whatever it died of."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # our own words
            [sys.executable, "-I", "-S", "-c", _KEEPER],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the service
        )

    def watch(self, group: int) -> None:
        """Have a process group killed."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Leave a process group alone: it is gone."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        # If somebody killed it, sandboxes end at their next poll; closed, it kills what it watches.
        with suppress(BrokenPipeError, ValueError):
            self._process.stdin.write(line.encode())
