import os
import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from durable_gen.local import MemoryStore, RealClock, SqliteStore, StoreInUse, VirtualClock
from durable_gen.local._functions import Answer
from local.staging import DONE, PENDING, Stage, callback, finish, retry, suspend, update, wait

VICTIM = """
    import os, signal, sys
    from durable_gen.local import RealClock, Service, SqliteStore

    service = Service(SqliteStore(sys.argv[1]), RealClock())

    def handler(event, context):
        token = event["CheckpointToken"]
        for n in range(int(sys.argv[2])):
            answer = service.client.checkpoint_durable_execution(
                DurableExecutionArn=event["DurableExecutionArn"],
                CheckpointToken=token,
                Updates=[{"Id": f"s{n}", "Type": "STEP", "Action": "SUCCEED", "Payload": str(n)}],
            )
            token = answer["CheckpointToken"]
            print(n, flush=True)
        if sys.argv[3] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        print("ready", flush=True)
        sys.stdin.read()

    service.register("f", handler)
    print(service.start("f", "{}", "order"), flush=True)
    service.run(service.executions()[0])
"""


@pytest.fixture(name="path")
def _path(tmp_path):
    return str(tmp_path / "store.db")


@pytest.fixture(name="store", params=["memory", "sqlite"])
def _store(request, path):
    return MemoryStore() if request.param == "memory" else SqliteStore(path)


def victim(path, count, how):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(VICTIM), path, str(count), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_mid_invocation_then_nothing_acknowledged_is_lost(path):
    """After kill -9 every acknowledged step is there, the death is written, and it goes on."""
    with victim(path, 20, "kill") as process:
        out, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    arn, *acknowledged = out.split()
    assert acknowledged == [str(n) for n in range(20)]

    stage = Stage(store=SqliteStore(path), clock=RealClock())

    def resumed(t):
        results = [item["StepDetails"]["Result"] for item in t.items[1:]]
        assert results == acknowledged
        return DONE

    stage.act("f", resumed)
    assert stage.service.start("f", "{}", "order") == arn
    assert stage.service.run(arn) == "SUCCEEDED"
    ends = stage.details(arn, "InvocationCompleted")
    assert ends[0]["Error"]["Payload"]["ErrorType"] == "Runtime.ExitError"
    assert stage.trace(arn) == "StepSucceeded " * 20 + "| | ExecutionSucceeded"
    stage.service.close()


def test_file_open_in_another_process_then_refused_until_it_dies(path):
    """A second process is refused with a clear error, and a killed one leaves no lock behind."""
    with victim(path, 1, "wait") as process:
        while process.stdout.readline().strip() != "ready":
            pass
        with pytest.raises(StoreInUse, match="another store has it open"):
            SqliteStore(path)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    SqliteStore(path).close()


def test_open_twice_in_one_process_then_refused(path):
    """One store at a time, in one process too."""
    first = SqliteStore(path)
    with pytest.raises(StoreInUse):
        SqliteStore(path)
    first.close()
    SqliteStore(path).close()


def test_file_of_another_version_then_refused(path):
    """A file that another version wrote is refused, not guessed at."""
    store = SqliteStore(path)
    store._sql.execute("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(ValueError, match="found 99"):
        SqliteStore(path)


@contextmanager
def full():
    """Let no file of this process grow, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_disk_full_at_an_invocations_end_then_it_runs_again_once_there_is_room(path):
    """What cannot be kept is refused, as often as it is tried; nothing hangs when it can be kept."""
    stage = Stage(store=SqliteStore(path), clock=RealClock())
    arn = stage.play(finish(), finish(), run=False)
    with full():
        for _ in range(3):
            with pytest.raises(sqlite3.OperationalError):
                stage.service.start("f")
            with pytest.raises(sqlite3.OperationalError):
                stage.service.step()
    begun = stage.service._work.take()
    with full():
        with pytest.raises(sqlite3.OperationalError):
            stage.service._work.finish(begun, Answer('{"Status":"SUCCEEDED"}'))
        for _ in range(3):
            with pytest.raises(sqlite3.OperationalError):
                stage.service.step()
    assert [arn] == stage.service.executions()
    assert "SUCCEEDED" == stage.service.run(arn)
    assert "| | ExecutionSucceeded" == stage.trace(arn)
    stage.service.close()


def test_new_service_on_the_store_then_timers_and_callbacks_go_on(store):
    """A new service takes up timers, step retries and callback ids, and fires what is overdue."""
    clock = VirtualClock(datetime(2030, 1, 1, tzinfo=UTC))
    before = Stage(store=store, clock=clock)
    arn = before.play(suspend(callback("c"), wait("w", 60), retry("s", 30)), run=False)
    before.service.step()
    (pending,) = before.service.pending_callbacks(arn)

    after = Stage(store=store, clock=clock)
    after.act("f", lambda t: PENDING, finish())
    clock.advance(45)
    after.client.send_durable_execution_callback_success(CallbackId=pending.callback_id)
    assert after.service.run(arn) == "SUCCEEDED"
    assert [turn.updated for turn in after.turns] == [["c", "s"], ["w"]]
    history = after.service.history(arn)
    assert [event["EventId"] for event in history] == list(range(1, len(history) + 1))
    after.service.close()


def test_interrupted_by_ctrl_c_then_a_new_service_goes_on(store):
    """Ctrl-C in a handler leaves an invocation that never ended; a new service writes its end."""

    def interrupted(t):
        t.send(update("STEP", "START", "s"))
        raise KeyboardInterrupt

    before = Stage(store=store)
    with pytest.raises(KeyboardInterrupt):
        before.play(interrupted)
    (arn,) = before.service.executions()
    after = Stage(store=store)
    after.act("f", finish(update("STEP", "SUCCEED", "s")))
    assert after.service.run(arn) == "SUCCEEDED"
    assert after.trace(arn) == "StepStarted | StepSucceeded | ExecutionSucceeded"
    after.service.close()


def test_failures_before_a_restart_then_still_counted(store):
    """The number of failures and the delay of the next attempt outlive the service."""

    def boom(t):
        raise RuntimeError

    clock = VirtualClock()
    before = Stage(store=store, clock=clock)
    arn = before.play(boom, boom, run=False)
    before.service.step()
    clock.advance(1)
    before.service.step()
    before.service.step()
    after = Stage(store=store, clock=clock)
    after.act("f", boom, boom, boom)
    assert after.service.run(arn) == "FAILED"
    assert after.trace(arn) == "| | | | | ExecutionFailed"
    after.service.close()


def test_function_not_registered_then_run_says_so_and_execution_stays_open(store):
    """An execution of a function that nobody registered waits for it, and run says what to do."""
    before = Stage(store=store)
    arn = before.play(finish(), run=False)
    after = Stage(store=store)
    assert after.service.step().until is None
    with pytest.raises(LookupError, match="register"):
        after.service.run(arn)
    after.act("f", finish())
    assert after.service.run(arn) == "SUCCEEDED"
    after.service.close()


def test_store_refuses_a_write_then_nothing_has_happened(store):
    """A request whose transaction fails leaves no trace, in memory or on disk."""

    class FullError(Exception):
        pass

    class Failing:
        broken = False

        def __getattr__(self, name):
            return getattr(store, name)

        def write(self, changes):
            if self.broken:
                raise FullError
            store.write(changes)

    failing = Failing()
    stage = Stage(store=failing)

    def turn(t):
        failing.broken = True
        with pytest.raises(FullError):
            t.send(update("STEP", "START", "s"), wait("w", 5))
        failing.broken = False
        t.send(wait("v", 1))
        return PENDING

    arn = stage.play(turn, finish())
    assert stage.trace(arn) == "WaitStarted | WaitSucceeded | ExecutionSucceeded"
    stage.service.close()
