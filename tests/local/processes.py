"""`durable-gen serve` in a process of its own, and what it has started."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from local.serving import PATIENCE, botocore_client

SERVE = "from durable_gen.cli._serve import serve; serve()"


def spawn(*options, **more):
    """Start `serve`, and do not wait for it."""
    arguments = [sys.executable, "-u", "-c", SERVE, *map(str, options)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, **more)


class Process:
    """`serve` in a process of its own, once it listens."""

    def __init__(self, *options, **more):
        self.process = spawn(*options, **more)
        self.said = []
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith("Executions"):
                break
        assert self.said, self.process.wait(PATIENCE)
        self.endpoint = re.search(r"http://\S+", self.said[0])[0]

    @cached_property
    def client(self):
        return botocore_client(self.endpoint)

    def start(self, name, payload=b"{}"):
        return self.client.invoke(
            FunctionName=name, Qualifier="$LATEST", InvocationType="Event", Payload=payload
        )["DurableExecutionArn"]

    def closed(self, arn):
        found = self.client.get_durable_execution(DurableExecutionArn=arn)
        return found if found["Status"] != "RUNNING" else None

    def end(self, number):
        if "client" in vars(self):
            self.client.close()
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return status

    def children(self):
        """List the process ids of its sandboxes, and of the keeper that outlives it."""
        found = {True: [], False: []}
        for folder in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                stat = (folder / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
                if int(stat[1]) == self.process.pid and stat[0] not in "ZX":
                    told = (folder / "cmdline").read_bytes()
                    found[b"awslambdaric" in told].append(int(folder.name))
        return found[True], found[False]


def send(pid, number=signal.SIGKILL):
    """Signal a process, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
