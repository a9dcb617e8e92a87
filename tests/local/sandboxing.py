"""What tests of sandboxes wait for."""

import os
import time
from pathlib import Path

PATIENCE = 20  # seconds after which something will not come any more


def eventually(condition):
    """Wait for something that must come, for as long as a patient person would."""
    until = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return found


def gone(pid):
    """Tell whether a process has ended, with all its threads; one that nobody has buried yet has."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat").read_text("ascii")
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except (ProcessLookupError, FileNotFoundError):
        return not Path("/proc/self/stat").exists() or not Path(f"/proc/{pid}").exists()
    return threads == 1 and stat.rpartition(")")[2].split()[0] in "ZX"


def pids(path):
    """Read the process ids that a function wrote."""
    return eventually(lambda: path.exists() and [int(pid) for pid in path.read_text().split()])
