"""The pool of sandboxes: kept warm, started on demand up to a limit, replaced when code changes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from durable_gen.local._functions import REGION
from durable_gen.local._sandbox import FunctionSpec, Host, Sandbox, Stopped
from durable_gen.local._sandbox_calls import Reply, Task
from durable_gen.local._sandbox_output import Line, Log

_PROBE = """
import importlib.util, sys
found = importlib.util.find_spec("awslambdaric") is not None
print("%d.%d" % sys.version_info[:2] if found else "")
"""
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


class Closed(Exception):  # noqa: N818  # it says what happened to the pool
    """The pool was closed before an invocation's end was known."""


class Sandboxes:
    """Sandboxes for functions that live in one folder. Any thread may invoke.

    An invocation takes a warm sandbox of its function and tenant, or starts one; if as many run as
    may, it stops the one that has been idle for longest, or waits until one is free. A function
    that invokes another and waits for it holds its sandbox meanwhile. What belongs to this machine
    is hidden from functions: they see the environment that Lambda gives them, and their own
    variables, which may override region, endpoint and credentials.

    Args:
        code: the folder; a change of a Python file in it replaces all sandboxes.
        log: the file that everything they print is appended to, line by line; none if None.
        endpoint: what their Lambda client takes for Lambda; AWS itself if None.
        most: how many may run at once.
        python: the interpreter that runs them; awslambdaric must be installed there.
        region: what they take for their region.
    """

    def __init__(
        self,
        *,
        code: Path,
        log: Path | None = None,
        endpoint: str | None = None,
        most: int = 8,
        python: str = sys.executable,
        region: str = REGION,
    ) -> None:
        if most < 1:
            msg = f"expected most to be at least 1, got {most}"
            raise ValueError(msg)
        self._host = Host(code.resolve(strict=True), endpoint, region, python, _version(python))
        self._most = most
        self._log = Log(log)
        self._keeper = _Keeper()
        self._changed = threading.Condition()
        self._all: list[Sandbox] = []
        self._idle: list[Sandbox] = []  # the last one was used last
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def invoke(
        self,
        function: FunctionSpec,
        payload: bytes,
        *,
        request_id: str,
        arn: str,
        tenant_id: str | None = None,
        trace_id: str | None = None,
        client_context: str | None = None,
        cognito_identity: str | None = None,
        deadline_ms: int | None = None,
    ) -> Reply:
        """Run one invocation, and wait for its end.

        Args:
            function: what to run.
            payload: the event, JSON.
            request_id: the id that the function sees, and that its output is kept under.
            arn: the function's ARN as it was invoked.
            tenant_id: no other tenant's sandbox is used for it.
            trace_id: the X-Ray trace header.
            client_context: JSON text.
            cognito_identity: JSON text.
            deadline_ms: when it is cut off, in milliseconds since the epoch by this machine's clock;
                if left out, when the function's timeout has passed since a sandbox has taken it
                up, as on Lambda.

        Returns:
            A Response or a Failure. A warm sandbox that died before it took the invocation up is
            no failure: another one gets it.

        Raises:
            Closed: if the pool was closed, and what became of the invocation is not known.
            ValueError: if client_context or cognito_identity is no JSON.
        """
        task = Task(
            payload=payload,
            request_id=request_id,
            arn=arn,
            tenant_id=tenant_id,
            trace_id=trace_id,
            client_context=client_context,
            cognito_identity=cognito_identity,
            deadline_ms=deadline_ms,
        )
        while True:
            sandbox = self._acquire(function, tenant_id)
            try:
                if not sandbox.started:
                    sandbox.start(request_id, self._keeper.watch)
                reply = sandbox.run(task)
            except Stopped:
                raise Closed from None
            finally:
                self._release(sandbox)
            if reply is not None:
                return reply

    def lines(self, request_id: str | None = None) -> list[Line]:
        """List what has been printed lately (10,000 lines are kept).

        Args:
            request_id: of one invocation; of all if left out.
        """
        return self._log.lines(request_id)

    def close(self) -> None:
        """Kill all sandboxes. Invocations under way raise Closed where they were made."""
        with self._changed:
            self._closed = True
            running, self._all, self._idle = self._all, [], []
            self._changed.notify_all()
        for sandbox in running:
            sandbox.stop(self._keeper.forget)
        self._keeper.close()
        self._log.close()

    def _acquire(self, function: FunctionSpec, tenant: str | None) -> Sandbox:
        while True:
            stamp = _stamp(self._host.code)
            with self._changed:
                if self._closed:
                    raise Closed
                dropped = [one for one in self._idle if not one.alive or one.stamp != stamp]
                fit = [
                    one
                    for one in self._idle
                    if (one.function, one.tenant) == (function, tenant) and one not in dropped
                ]
                if not fit and len(self._all) - len(dropped) >= self._most:
                    dropped += [one for one in self._idle if one not in dropped][:1]
                self._all = [one for one in self._all if one not in dropped]
                self._idle = [one for one in self._idle if one not in dropped]
                found = fit[-1] if fit else None
                if found is not None:
                    self._idle.remove(found)
                elif len(self._all) < self._most:
                    found = Sandbox(self._host, function, tenant, stamp, self._log)
                    self._all.append(found)
                else:
                    self._changed.wait()
            for sandbox in dropped:
                sandbox.stop(self._keeper.forget)
            if found is not None:
                return found

    def _release(self, sandbox: Sandbox) -> None:
        with self._changed:
            kept = sandbox.alive and sandbox in self._all
            if kept:
                self._idle.append(sandbox)
            elif sandbox in self._all:
                self._all.remove(sandbox)
            self._changed.notify()
        if not kept:
            sandbox.stop(self._keeper.forget)


class _Keeper:
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


def _version(python: str) -> str:
    """Ask an interpreter for its version, and whether it has the runtime client."""
    told = subprocess.run(  # noqa: S603  # the caller's interpreter
        [python, "-c", _PROBE], stdout=subprocess.PIPE, check=True, text=True
    )
    version = told.stdout.strip()
    if not version:
        msg = f"sandboxes need awslambdaric beside {python}: pip install awslambdaric"
        raise ModuleNotFoundError(msg)
    return version


def _stamp(code: Path) -> int:
    """Tell one state of a folder's Python files from another."""
    found: list[tuple[str, int, int]] = []
    pending = [os.fspath(code)]
    while pending:
        with suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name == "__pycache__":
                    continue
                if entry.is_dir():
                    pending.append(entry.path)
                elif entry.name.endswith(".py"):
                    status = entry.stat()
                    found.append((entry.path, status.st_mtime_ns, status.st_size))
    return hash(tuple(sorted(found)))
