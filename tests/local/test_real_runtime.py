"""A bundle as Lambda runs it: unzipped, in an environment without the project, under the real awslambdaric."""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from durable_gen.cli import _bundle
from durable_gen.cli._pack import Target
from durable_gen.local import Service
from durable_gen.local._clock import SkippingClock
from durable_gen.local._functions import Function
from durable_gen.local._hosts import Sandboxed
from durable_gen.local._sandboxes import Sandboxes
from durable_gen.local._serving import Serving
from local.serving import botocore_client, until

RUNTIME = (
    "awslambdaric",
    "simplejson",
    "snapshot_restore_py",
)  # what Lambda's image has of its own
CODE = '''
import os, signal, sys, time
from pathlib import Path

import durable_gen
from durable_gen import backends, durable

invocations = 0


def note(word):
    with open(os.environ["TRAIL"], "a") as trail:
        trail.write(f"{word} {os.getpid()}\\n")


def first(name):
    """Tell whether this is the first time, in whatever process."""
    path = Path(os.environ["TRAIL"] + name)
    found = not path.exists()
    path.touch()
    return found


def die():
    if first("died"):
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def hang():
    if first("hung"):
        time.sleep(600)
    return "done"


@durable
def look(event, ctx):
    global invocations
    invocations += 1
    yield from ctx.step("note", note, "look")
    return {
        "pid": os.getpid(),
        "ready": READY,
        "invocations": invocations,
        "library": durable_gen.__file__,
        "client": sys.modules["botocore"].__file__,
        "core": sys.modules["orjson"].__file__,
    }


@durable
def crash(event, ctx):
    yield from ctx.step("before", note, "before")
    alive = yield from ctx.step("die", die, retry=None)
    yield from ctx.step("after", note, "after")
    return alive


@durable
def late(event, ctx):
    yield from ctx.step("before", note, "before")
    return (yield from ctx.step("hang", hang, retry=None))


@durable
def talk(event, ctx):
    ctx.log.info("begun", order=7)
    yield from ctx.wait("nap", seconds=5)
    ctx.log.warning("slept")


READY = backends.default.cache_info().currsize  # clients that there are when init ends
'''


@pytest.fixture(name="bundled", scope="session")
def _bundled(tmp_path_factory):
    """The checkout, bundled once for all workers and unzipped; and an interpreter without it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "bundle"
    with (shared / "bundle.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            make(shared, folder)
    return folder / "task", folder / "clean" / "bin" / "python"


def make(work, folder):
    source = work / "flows.py"
    source.write_text(CODE)
    arch = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    wish = _bundle.Wish(
        code=source,
        requirements=None,
        target=Target(f"{sys.version_info[0]}.{sys.version_info[1]}", arch),
        layer=False,
        botocore=True,
        services=["lambda"],
        compiled=True,
    )
    half = folder.with_suffix(".half")
    half.mkdir()
    _bundle.make(wish, half / "function.zip", lambda _: None)
    with zipfile.ZipFile(half / "function.zip") as archive:
        archive.extractall(half / "task")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", half / "clean"], check=True)
    (site,) = (half / "clean" / "lib").glob("python*/site-packages")
    for name in RUNTIME:
        files = importlib.metadata.distribution(name).files
        for part in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            there = Path(importlib.metadata.distribution(name).locate_file(part))
            (site / part).symlink_to(there)
    half.rename(folder)


class Lambda:
    """The service, and functions of the bundle in sandboxes."""

    def __init__(self, task, python, trail):
        self.trail = trail
        self.service = Service(clock=SkippingClock())

        def host(endpoint):
            self.pool = Sandboxes(code=task, endpoint=endpoint, python=str(python))
            return Sandboxed(self.pool)

        self.serving = Serving(self.service, host, skip=True)
        self.client = botocore_client(self.serving.endpoint)

    def deploy(self, name, **options):
        self.service.deploy(
            Function(
                name=name,
                version="$LATEST",
                call=None,
                durable=True,
                timeout=600,
                handler=f"flows.{name}",
                environment={"TRAIL": str(self.trail)},
                **{"memory": 256, "seconds": 30, **options},
            )
        )

    def run(self, name):
        """Run an execution to its end; give its description and its invocations' ends."""
        arn = self.client.invoke(
            FunctionName=name, Qualifier="$LATEST", InvocationType="Event", Payload=b"{}"
        )["DurableExecutionArn"]
        until(lambda: self.service.status(arn) != "RUNNING")
        ends = [
            event["InvocationCompletedDetails"]
            for event in self.service.history(arn)
            if event["EventType"] == "InvocationCompleted"
        ]
        return self.service.describe(arn), ends


@pytest.fixture(name="lambda_")
def _lambda(bundled, tmp_path):
    found = Lambda(*bundled, tmp_path / "trail")
    with found.serving:
        yield found
    found.client.close()
    found.service.close()


def result(description):
    assert "SUCCEEDED" == description["Status"], description
    return json.loads(description["Result"])


def test_cold_then_warm_start_then_all_is_the_bundles_and_the_process_is_used_again(
    lambda_, bundled
):
    """A bundle needs nothing of the project; the client is there before the first invocation."""
    lambda_.deploy("look")
    cold, warm = (result(lambda_.run("look")[0]) for _ in range(2))
    task, _ = bundled
    for where in (cold.pop("library"), cold.pop("client"), cold.pop("core")):
        assert Path(where).is_relative_to(task)
    assert {"pid": warm["pid"], "ready": 1, "invocations": 1} == cold
    assert 2 == warm["invocations"]


def test_process_dies_in_a_step_then_another_goes_on_and_nothing_runs_twice(lambda_):
    """What was acknowledged before a kill -9 is not run again by the next process."""
    lambda_.deploy("crash")
    description, ends = lambda_.run("crash")
    assert "alive" == result(description)
    words = [line.split() for line in lambda_.trail.read_text().splitlines()]
    assert ["before", "after"] == [word for word, _ in words]
    assert words[0][1] != words[1][1]
    assert ["Runtime.ExitError", None] == [error_type(end) for end in ends]


def test_invocation_times_out_then_another_goes_on(lambda_):
    """A function that Lambda cuts off is invoked again, and goes on behind its last checkpoint."""
    lambda_.deploy("late", seconds=2)
    description, ends = lambda_.run("late")
    assert "done" == result(description)
    assert ["before"] == [line.split()[0] for line in lambda_.trail.read_text().splitlines()]
    assert ["Sandbox.Timedout", None] == [error_type(end) for end in ends]


def error_type(end):
    payload = (end.get("Error") or {}).get("Payload")
    return payload and payload["ErrorType"]


def test_logs_in_json_then_each_line_is_a_record_and_said_once(lambda_):
    """The runtime's JSON format carries the message, its request and its execution, once each."""
    lambda_.deploy("talk", log_format="JSON")
    description, ends = lambda_.run("talk")
    assert "SUCCEEDED" == description["Status"]
    records = [json.loads(line.text) for line in lambda_.pool.lines()]
    records = [record for record in records if record["logger"] == "durable_gen.workflow"]
    arn = description["DurableExecutionArn"]
    assert [
        ("INFO", "begun", ends[0]["RequestId"], arn),
        ("WARNING", "slept", ends[1]["RequestId"], arn),
    ] == [
        (record["level"], record["message"], record["requestId"], record["executionArn"])
        for record in records
    ]
