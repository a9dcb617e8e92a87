"""Sandboxes come and go: code that changes, pools that close, services that are killed."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from durable_gen.local._sandbox import FunctionSpec
from durable_gen.local._sandboxes import Closed, Sandboxes
from local.sandboxing import PATIENCE, eventually, gone, pids

CODE = """
    import os, subprocess, time
    from pathlib import Path

    def who(event, context):
        return os.getpid()

    def spin(event, context):
        Path(event).write_text(str(os.getpid()))
        while True:
            pass

    def family(event, context):
        child = subprocess.Popen(["sleep", "600"])
        Path(event).write_text(f"{os.getpid()} {child.pid}")
        time.sleep(600)

    def chatter(event, context):
        child = subprocess.Popen(["yes"], start_new_session=True)
        Path(event[0]).write_text(str(child.pid))
        exec(event[1])
        return "done"
"""
SERVICE = """
    import sys, threading
    from pathlib import Path
    from durable_gen.local._sandbox import FunctionSpec
    from durable_gen.local._sandboxes import Sandboxes

    pool = Sandboxes(code=Path(sys.argv[1]))
    if sys.argv[2] == "without keeper":
        print(pool._keeper._process.pid, flush=True)
        sys.stdin.readline()
    for handler in sys.argv[3:]:
        spec = FunctionSpec("f", f"code.{handler}", timeout=600)
        event = f'"{sys.argv[1]}/{handler}"'.encode()
        invocation = threading.Thread(
            target=lambda: print(pool.invoke(spec, event, request_id="r", arn="a").body, flush=True)
        )
        invocation.start()
    sys.stdin.read()
"""


@pytest.fixture(name="code")
def _code(tmp_path):
    (tmp_path / "code.py").write_text(textwrap.dedent(CODE))
    return tmp_path


def invoke(pool, handler, event=None, timeout=PATIENCE):
    spec = FunctionSpec("f", f"code.{handler}", timeout=timeout)
    answer = pool.invoke(spec, json.dumps(event).encode(), request_id="r", arn="a")
    return json.loads(answer.body)


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def write(code, text):
    (code / "code.py").write_text(f"def f(event, context):\n    return {text}\n")


# --- code ----------------------------------------------------------------------------------------


def test_code_changes_then_the_next_invocation_has_it(code):
    """An edit of the handler's file counts at once, though the size and the second are the same."""
    with Sandboxes(code=code) as pool:
        for number in (1, 2, 3):
            write(code, number)
            assert invoke(pool, "f") == number


def test_another_file_changes_then_the_next_invocation_has_it(code):
    """What the handler imports counts too: edited, or come anew in a folder."""
    with Sandboxes(code=code) as pool:
        (code / "parts").mkdir()
        write(code, "__import__('parts.one').one.VALUE")
        for number in (1, 2):
            (code / "parts" / "one.py").write_text(f"VALUE = {number}\n")
            assert invoke(pool, "f") == number


def test_nothing_of_the_code_changes_then_the_sandbox_stays(code):
    """Data that is written beside the code replaces nothing, and reading leaves nothing there."""
    with Sandboxes(code=code, log=code / "log") as pool:
        before = invoke(pool, "who")
        (code / "orders.sqlite").write_text("x")
        (code / ".hidden.py").write_text("x")
        assert invoke(pool, "who") == before
    assert not (code / "__pycache__").exists()


def test_code_changes_while_it_runs_then_that_one_ends_as_it_began(code):
    """A sandbox is not taken away from the invocation that it runs."""
    (code / "code.py").write_text(
        "import time\nfrom pathlib import Path\n\ndef f(event, context):\n"
        "    Path(event, 'begun').touch()\n    while not Path(event, 'gate').exists():\n"
        "        time.sleep(0.01)\n    return 'old'\n"
    )
    with Sandboxes(code=code) as pool, ThreadPoolExecutor() as threads:
        old = threads.submit(invoke, pool, "f", str(code))
        eventually((code / "begun").exists)
        write(code, "'new'")
        assert invoke(pool, "f") == "new"
        (code / "gate").touch()
        assert old.result(PATIENCE) == "old"
        assert invoke(pool, "f") == "new"


# --- ends ----------------------------------------------------------------------------------------


def test_pool_closes_then_nothing_is_left(code):
    """Closing kills what runs, what idles and what they started, and ends every thread and file."""
    threads, files = set(threading.enumerate()), open_files()
    pool = Sandboxes(code=code)
    idle = invoke(pool, "who")
    ends = []

    def run():
        with pytest.raises(Closed) as caught:
            invoke(pool, "family", str(code / "pids"))
        ends.append(caught.type)

    running = threading.Thread(target=run)
    running.start()
    known = [idle, *pids(code / "pids"), pool._keeper._process.pid]
    assert len(known) == 4
    pool.close()
    pool.close()
    running.join(PATIENCE)
    assert ends == [Closed]
    for pid in known:
        eventually(lambda pid=pid: gone(pid))
    eventually(lambda: set(threading.enumerate()) <= threads)  # those of other tests may end
    eventually(lambda: open_files() <= files)


def test_function_leaves_a_process_behind_then_it_goes_with_the_sandbox(code):
    """What a function started and did not wait for ends with its sandbox."""
    with ThreadPoolExecutor() as threads, Sandboxes(code=code) as pool:
        running = threads.submit(invoke, pool, "family", str(code / "pids"))
        sandbox, child = pids(code / "pids")
        os.kill(sandbox, signal.SIGKILL)
        assert running.result(PATIENCE)["errorType"] == "Runtime.ExitError"
        eventually(lambda: gone(child))


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("pass", "done"),
        ("time.sleep(600)", "Sandbox.Timedout"),
        ("os._exit(3)", "Runtime.ExitError"),
    ],
)
def test_function_leaves_a_process_that_prints_without_end_then_nobody_waits(code, what, expected):
    """What is printed is taken in as far as it has come; the end of an invocation is not held up."""
    with Sandboxes(code=code) as pool:
        event = [str(code / "pids"), what]
        found = invoke(pool, "chatter", event, timeout=2)
        assert expected == (found if found == "done" else found["errorType"])
        (child,) = pids(code / "pids")
    eventually(lambda: gone(child))  # its output is closed


def service(code, how, *handlers):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SERVICE), str(code), how, *handlers],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_service_is_killed_then_nothing_is_left(code):
    """After kill -9 of the service no sandbox lives on: not a busy one, an idle one, or a child."""
    with service(code, "with keeper", "who", "spin", "family") as process:
        idle = int(process.stdout.readline()[2:-2])
        left = [idle, *pids(code / "spin"), *pids(code / "family")]
        assert not any(gone(pid) for pid in left)
        process.kill()
        process.communicate()
    for pid in left:
        eventually(lambda pid=pid: gone(pid))


def test_service_and_keeper_are_killed_then_an_idle_sandbox_ends_itself(code):
    """Without the keeper, the runtime client still ends when its Runtime API has gone."""
    with service(code, "without keeper", "who") as process:
        keeper = int(process.stdout.readline())
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda: gone(keeper))
        process.stdin.write("\n")
        process.stdin.flush()
        idle = int(process.stdout.readline()[2:-2])
        process.kill()
        process.communicate()
    eventually(lambda: gone(idle))


def test_service_ends_without_closing_then_nothing_is_left(code):
    """A service that ends by itself without closing its pool leaves nothing either."""
    with service(code, "with keeper", "who") as process:
        idle = int(process.stdout.readline()[2:-2])
        process.communicate("")
    eventually(lambda: gone(idle))
