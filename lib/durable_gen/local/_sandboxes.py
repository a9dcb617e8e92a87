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

from attrs import define, field

from durable_gen.local._functions import REGION
from durable_gen.local._sandbox import FunctionSpec, Host, Sandbox, Stopped
from durable_gen.local._sandbox_calls import Reply, Task
from durable_gen.local._sandbox_keeper import Keeper
from durable_gen.local._sandbox_output import Line, Log

PASSED = 16  # times that one who waits is passed over for those whom a free sandbox fits
_PROBE = """
import importlib.util, sys
found = importlib.util.find_spec("awslambdaric") is not None
print("%d.%d" % sys.version_info[:2] if found else "")
"""


class Closed(Exception):  # noqa: N818  # it says what happened to the pool
    """The pool was closed before an invocation's end was known."""


@define(eq=False)
class _Turn:
    """An invocation's claim to one of the places in the pool.

    Attributes:
        function: what it runs.
        tenant: whom it runs it for.
        come: set when it has a place, or when the pool has closed.
        sandbox: what stands in its place, fit or not; None if it is empty.
    """

    function: FunctionSpec
    tenant: str | None
    come: threading.Event = field(factory=threading.Event)
    sandbox: Sandbox | None = None

    def give(self, sandbox: Sandbox | None) -> None:
        self.sandbox = sandbox
        self.come.set()

    def fits(self, sandbox: Sandbox) -> bool:
        return (sandbox.function, sandbox.tenant) == (self.function, self.tenant)


class Sandboxes:
    """Sandboxes for functions that live in one folder. Any thread may invoke.

    An invocation takes a warm sandbox of its function and tenant, or starts one; if as many run as
    may, it stops the one that has been idle for longest, or waits until one is free. One that is
    free goes to who waits for its function, before others who may have waited longer: starting
    another costs more than the wait, unless it has happened to them too often. A function that
    invokes another and waits for it holds its sandbox meanwhile. What belongs to this machine is
    hidden from functions: they see the environment that Lambda gives them, and their own variables,
    which may override region, endpoint and credentials.

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
        self._log = Log(log)
        self._keeper = Keeper()
        self._lock = threading.Lock()
        self._free = most  # places with nothing in them
        self._all: set[Sandbox] = set()
        self._idle: list[Sandbox] = []  # the last one was used last
        self._turns: list[_Turn] = []  # who waits, in their order; then nothing is free or idle
        self._passed = 0  # times that the first of them has been passed over
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
        with self._lock:
            self._closed = True
            running, self._all, self._idle = self._all, set(), []
            for turn in self._turns:
                turn.give(None)
        for sandbox in running:
            sandbox.stop(self._keeper.forget)
        self._keeper.close()
        self._log.close()

    def _acquire(self, function: FunctionSpec, tenant: str | None) -> Sandbox:
        turn, stamp = _Turn(function, tenant), _stamp(self._host.code)
        with self._lock:
            if self._closed:
                raise Closed
            dropped = [one for one in self._idle if not one.alive or one.stamp != stamp]
            self._idle = [one for one in self._idle if one not in dropped]
            self._all.difference_update(dropped)
            self._free += len(dropped)
            fit = [one for one in self._idle if turn.fits(one)]
            if self._free and not fit:
                self._free -= 1
                turn.give(None)
            elif self._idle:
                found = fit[-1] if fit else self._idle[0]
                self._idle.remove(found)
                turn.give(found)
            else:
                self._turns.append(turn)
        for sandbox in dropped:
            sandbox.stop(self._keeper.forget)
        if not turn.come.is_set():
            turn.come.wait()
            stamp = _stamp(self._host.code)
        return self._settle(turn, stamp)

    def _settle(self, turn: _Turn, stamp: int) -> Sandbox:
        """Have what a turn needs in its place, made of the code as it is."""
        found = turn.sandbox
        if found is not None:
            if turn.fits(found) and found.alive and found.stamp == stamp:
                return found
            self._discard(found)
        with self._lock:
            if self._closed:
                raise Closed
            try:
                sandbox = Sandbox(self._host, turn.function, turn.tenant, stamp, self._log)
            except BaseException:
                self._vacate(None)
                raise
            self._all.add(sandbox)
        return sandbox

    def _release(self, sandbox: Sandbox) -> None:
        with self._lock:
            kept = sandbox.alive and not self._closed
            self._vacate(sandbox if kept else None)
        if not kept:
            self._discard(sandbox)

    def _vacate(self, sandbox: Sandbox | None) -> None:
        """Leave a place, with what stands in it, to the next turn."""
        turns = self._turns
        if turns:
            fit = [] if sandbox is None else [turn for turn in turns if turn.fits(sandbox)]
            turn = fit[0] if fit and self._passed < PASSED else turns[0]
            self._passed = 0 if turn is turns[0] else self._passed + 1
            turns.remove(turn)
            turn.give(sandbox)
        elif sandbox is not None:
            self._idle.append(sandbox)
        else:
            self._free += 1

    def _discard(self, sandbox: Sandbox) -> None:
        with self._lock:
            self._all.discard(sandbox)
        sandbox.stop(self._keeper.forget)


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
