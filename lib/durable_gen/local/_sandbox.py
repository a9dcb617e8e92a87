"""One sandbox: a process that runs a function's invocations, one after the other, as on Lambda."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from attrs import evolve, field, frozen

from durable_gen.local._runtime_api import RuntimeApi
from durable_gen.local._sandbox_calls import Failure, Kind, Reply, Task
from durable_gen.local._sandbox_output import Log, Output

INIT = 10.0  # seconds for loading the function, beside its timeout
_TICK = 0.05  # seconds between two looks at a running process
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "TMPDIR")


@frozen
class FunctionSpec:
    """A function as Lambda's configuration has it.

    Attributes:
        name: its name.
        handler: `module.attribute`, seen from the code's folder.
        version: `$LATEST` or a number.
        environment: its own variables.
        timeout: seconds that an invocation may take.
        memory: MiB that its process may hold.
        log_format: Text or JSON.
        log_level: of its logging; as Lambda has it if left out: WARNING in text, INFO in JSON.
    """

    name: str
    handler: str
    version: str = "$LATEST"
    environment: Mapping[str, str] = field(factory=dict)
    timeout: float = 3
    memory: int = 128
    log_format: str = "Text"
    log_level: str | None = None


@frozen
class Host:
    """What all sandboxes of a pool have in common.

    Attributes:
        code: the folder that functions are loaded from.
        endpoint: where their Lambda client calls; AWS itself if None.
        region: what they take for their region.
        python: the interpreter, with awslambdaric.
        version: its version, as in `3.13`.
    """

    code: Path
    endpoint: str | None
    region: str
    python: str
    version: str


class Stopped(Exception):  # noqa: N818  # says what happened to it, not that something went wrong
    """The sandbox was stopped, and what became of its task is not known."""


class Sandbox:
    """A process with the real runtime client, and the Runtime API that it speaks to.

    Args:
        host: what it has in common with others.
        function: what it runs.
        tenant: whom it runs it for.
        stamp: of the code that it will load.
        log: where the lines go that it prints.
    """

    def __init__(
        self, host: Host, function: FunctionSpec, tenant: str | None, stamp: int, log: Log
    ) -> None:
        self.function = function
        self.tenant = tenant
        self.stamp = stamp
        self._host = host
        self._warm = False  # it has been given a task
        self._output = Output(log, function.name)
        self._api = RuntimeApi(function.timeout, self._output.turn, self._output.settle)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    @property
    def started(self) -> bool:
        """Whether it has had a process."""
        return self._process is not None

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self, request_id: str, watch: Callable[[int], None]) -> None:
        """Start the process.

        Args:
            request_id: whom what it prints while it loads belongs to.
            watch: called with its process id.

        Raises:
            Stopped: if it was stopped before.
        """
        host, function = self._host, self.function
        with self._lock:
            if self._stopped:
                raise Stopped
            self._output.turn(request_id)
            self._process = subprocess.Popen(  # noqa: S603  # the function is the user's own
                [host.python, "-m", "awslambdaric", function.handler],
                cwd=host.code,
                env=_environment(host, function, self._api.address),
                stdin=subprocess.DEVNULL,
                stdout=self._output.inlet,
                stderr=self._output.inlet,
                start_new_session=True,
            )
            watch(self._process.pid)
            self._output.start(self._api.wake)

    def run(self, task: Task) -> Reply | None:
        """Run a task to its end; afterwards it is alive only if it can run another.

        Returns:
            How it ended; None if the process was found dead before it had fetched the task, though
            it had run others: nothing happened, and another sandbox may have it.

        Raises:
            Stopped: if it was stopped meanwhile.
        """
        process, api = self._process, self._api
        assert process is not None
        warm, self._warm = self._warm, True
        begun = time.monotonic()
        api.offer(task)
        while True:
            limit = api.limit or begun + INIT + self.function.timeout
            reply = api.wait(min(_TICK, max(0.0, limit - time.monotonic())))
            if reply is None:
                kind = self._breach(process, api.limit or limit)
                reply = api.wait(0) if kind == "exit" else None  # it may have come just before
                if reply is None and kind == "exit":
                    if self._stopped:
                        raise Stopped
                    if warm and api.limit is None:
                        return None
                if reply is None and kind is not None:
                    reply = self._cut(kind, task)
            if reply is not None:
                if isinstance(reply, Failure) and reply.kind != "handler":
                    self.kill()
                return evolve(reply, log=self._output.tail)

    def kill(self) -> None:
        """Kill the process, and what it started in its session."""
        process = self._process
        if process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def stop(self, forget: Callable[[int], None]) -> None:
        """Stop for good.

        Args:
            forget: called with the process id once the process is gone.
        """
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            self.kill()
            if self._process is not None:
                forget(self._process.pid)
            self._api.close()
            self._output.close()

    def _breach(self, process: subprocess.Popen[bytes], limit: float) -> Kind | None:
        """Tell why a task cannot go on; None if it can."""
        if process.poll() is not None:
            return "exit"
        if _peak(process.pid) > self.function.memory << 20:
            return "memory"
        return "timeout" if time.monotonic() >= limit else None

    def _cut(self, kind: Kind, task: Task) -> Failure:
        """Make an end that the runtime cannot tell of; it is logged as on Lambda."""
        self.kill()
        self._output.settle()
        assert self._process is not None
        if kind == "timeout":
            text = f"Task timed out after {self.function.timeout:.2f} seconds"
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            self._output.say(f"{now} {task.request_id} {text}")
            return Failure.of(kind, "Sandbox.Timedout", _told(task, text))
        if kind == "memory":
            error_type, text = "Runtime.OutOfMemory", _left(-signal.SIGKILL)
        else:
            error_type, text = "Runtime.ExitError", _left(self._process.returncode)
        self._output.say(_told(task, text))
        self._output.say(error_type)
        return Failure.of(kind, error_type, _told(task, text))


def _told(task: Task, text: str) -> str:
    return f"RequestId: {task.request_id} Error: {text}"


def _left(code: int) -> str:
    """Say how a process ended, in Lambda's words."""
    if code == 0:
        return "Runtime exited without providing a reason"
    if code > 0:
        return f"Runtime exited with error: exit status {code}"
    name = signal.strsignal(-code) or f"signal {-code}"
    return f"Runtime exited with error: signal: {name.lower()}"


def _peak(pid: int) -> int:
    """Tell how many bytes a process has held at most; 0 if it cannot be known, as outside Linux."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0


def _environment(host: Host, function: FunctionSpec, api: str) -> dict[str, str]:
    """Make the environment that a function finds on Lambda; of this machine's, it sees little."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    changeable = {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_CONFIG_FILE": os.devnull,  # what the developer may do is not for the function
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": host.region,
        "AWS_DEFAULT_REGION": host.region,
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
    }
    if host.endpoint is not None:
        changeable["AWS_ENDPOINT_URL_LAMBDA"] = host.endpoint
    level = function.log_level or ("INFO" if function.log_format == "JSON" else None)
    if level is not None:
        changeable["AWS_LAMBDA_LOG_LEVEL"] = level
    fixed = {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{host.version}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": function.log_format,
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": (
            f"{datetime.now(UTC):%Y/%m/%d}/[{function.version}]{uuid.uuid4().hex}"
        ),
        "AWS_LAMBDA_RUNTIME_API": api,
        "LAMBDA_TASK_ROOT": str(host.code),
        "PYTHONDONTWRITEBYTECODE": "1",  # Lambda's folders are read-only; and no stale file is read
        "_HANDLER": function.handler,
    }
    return {**inherited, **changeable, **function.environment, **fixed}
