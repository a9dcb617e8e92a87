import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from durable_gen.local import MemoryStore, RealClock, SqliteStore, _scheduler
from durable_gen.local._commits import Commits, NotKept
from durable_gen.local._host import InProcess
from local.serving import PATIENCE, until
from local.staging import DONE, PENDING, Stage, callback, update

MANY = 8  # requests at once


class FullError(Exception):
    pass


class Writes:
    """A write that waits until it is let go, and may fail."""

    def __init__(self):
        self.taken = []
        self.begun = threading.Event()
        self.go = threading.Event()
        self.fails = False

    def __call__(self, changes):
        self.taken.append(list(changes))
        self.begun.set()
        assert self.go.wait(PATIENCE)
        if self.fails:
            raise FullError


class Controlled:
    """A store whose next write waits until it is let go, and may fail."""

    def __init__(self, store):
        self._store = store
        self.sizes = []
        self.failures = 0
        self.held = None  # called within a write
        self.broken = False  # the next write fails
        self.refuses = lambda changes: False  # so does the first that it says

    def __getattr__(self, name):
        return getattr(self._store, name)

    def write(self, changes):
        self.sizes.append(len(changes))
        held, self.held = self.held, None
        if held is not None:
            held()
        if self.broken or self.refuses(changes):
            self.broken, self.refuses = False, lambda changes: False
            self.failures += 1
            raise FullError
        self._store.write(changes)


def at_once(*acts):
    """Do things in threads; gives what each returned or raised."""
    found = [None] * len(acts)

    def do(place, act):
        try:
            found[place] = act()
        except Exception as error:
            found[place] = error

    threads = [threading.Thread(target=do, args=item, daemon=True) for item in enumerate(acts)]
    for thread in threads:
        thread.start()
    return threads, found


def waiting(commits):
    return len(commits._open.news._waiters)


@pytest.fixture(name="path")
def _path(tmp_path):
    return str(tmp_path / "store.db")


@pytest.fixture(name="store", params=["memory", "sqlite"])
def _store(request, path):
    store = MemoryStore() if request.param == "memory" else SqliteStore(path)
    yield Controlled(store)
    store.close()


@pytest.fixture(name="queue")
def _queue():
    """A queue whose first write has begun, with three more changes behind it."""
    writes = Writes()
    commits = Commits(writes)

    def keep(word):
        commits.wait(commits.put([word]))
        return word

    threads, found = at_once(lambda: keep("a"))
    assert writes.begun.wait(PATIENCE)
    for count, word in enumerate("bcd", 1):
        more, results = at_once(lambda word=word: keep(word))
        until(lambda count=count: waiting(commits) == count)
        threads += more
        found.append(results)
    return commits, writes, threads, found


def test_while_one_writes_then_the_others_share_the_next_write(queue):
    """What queues up during a write is written together, in the order in which it was done."""
    commits, writes, threads, found = queue
    writes.go.set()
    for thread in threads:
        thread.join()
    assert [["a"], ["b", "c", "d"]] == writes.taken
    assert ["a", ["b"], ["c"], ["d"]] == found
    assert commits.failed() == []


def test_not_written_then_not_acknowledged(queue):
    """Nobody is answered while what they did, or what came before it, is not on disk."""
    _, writes, threads, found = queue
    assert [["a"]] == writes.taken
    assert [None, [None], [None], [None]] == found
    writes.go.set()
    for thread in threads:
        thread.join()


def test_write_fails_then_all_that_wait_are_refused_and_nothing_later_is_taken(queue):
    """A failed write takes with it what has been done on top of it, and more until that is undone."""
    commits, writes, threads, found = queue
    writes.fails = True
    writes.go.set()
    for thread in threads:
        thread.join()
    writer, *others = found
    assert isinstance(writer, FullError)
    assert [NotKept] * 3 == [type(error) for (error,) in others]
    assert [["a"]] == writes.taken
    with pytest.raises(NotKept):
        commits.put(["e"])
    assert ["a", "b", "c", "d"] == commits.failed()
    writes.fails = False
    commits.wait(commits.put(["e"]))
    assert [["a"], ["e"]] == writes.taken


def test_torn_from_its_turn_then_another_one_writes():
    """One that is torn away when it is its turn to write does not leave the others waiting."""
    writes = Writes()
    commits = Commits(writes)

    class TornError(Exception):
        pass

    def keep(word):
        commits.wait(commits.put([word]))

    threads, _ = at_once(lambda: keep("a"))
    assert writes.begun.wait(PATIENCE)
    news = commits._open.news

    def torn(predicate):
        del news.wait_for
        news.wait_for(predicate)
        raise TornError

    news.wait_for = torn
    for count, word in enumerate("bc", 1):
        more, found = at_once(lambda word=word: keep(word))
        until(lambda count=count: waiting(commits) == count)
        threads += more
        if count == 1:
            first = found
    writes.go.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert [["a"], ["b", "c"]] == writes.taken
    assert [TornError] == [type(error) for error in first]


class Rows:
    """So many executions, each with an invocation that a test speaks for."""

    def __init__(self, store, many=MANY):
        self.stage = Stage(store=store, clock=RealClock())
        self.stage.act("f", *[lambda t: PENDING] * many)
        self.store = store
        self.work = self.stage.service._work
        self.arns = [self.stage.service.start("f", "{}") for _ in range(many)]
        self.tokens = {}
        while (job := self.work.take()) is not None:
            self.tokens[job.arn] = job.call.event.split('"CheckpointToken":"')[1].split('"')[0]

    def send(self, arn, *updates):
        answer = self.stage.client.checkpoint_durable_execution(
            DurableExecutionArn=arn, CheckpointToken=self.tokens[arn], Updates=list(updates)
        )
        self.tokens[arn] = answer["CheckpointToken"]
        return answer

    def sends(self, *updates):
        return [lambda arn=arn: self.send(arn, *updates) for arn in self.arns]

    def types(self, arn):
        return [event["EventType"] for event in self.stage.service.history(arn)]


def test_many_at_once_then_few_writes_and_all_of_them_kept(path):
    """Requests that come during a write share the next one, and each is on disk when answered."""
    store = Controlled(SqliteStore(path))
    rows = Rows(store)
    store.sizes.clear()
    held = threading.Event()
    store.held = lambda: held.wait(PATIENCE)
    threads, found = at_once(*rows.sends(update("STEP", "SUCCEED", "s", Payload="1")))
    commits = rows.stage.service._engine._commits
    until(lambda: waiting(commits) == MANY - 1)
    held.set()
    for thread in threads:
        thread.join()
    assert [1, MANY - 1] == store.sizes
    assert all(isinstance(answer, dict) for answer in found)
    rows.stage.service.close()
    kept = SqliteStore(path)
    for arn in rows.arns:
        assert ["EXECUTION", "STEP"] == [operation.type for operation in kept.operations(arn)]
    kept.close()


def test_commit_fails_then_every_request_of_it_is_undone_and_may_come_again(store):
    """A commit that fails fails all of its requests; each finds its token good and no trace left."""
    rows = Rows(store)
    step = update("STEP", "SUCCEED", "s", Payload="1")
    held = threading.Event()
    store.held = lambda: held.wait(PATIENCE)
    threads, found = at_once(*rows.sends(step))
    commits = rows.stage.service._engine._commits
    until(lambda: waiting(commits) == MANY - 1)
    store.broken = True
    held.set()
    for thread in threads:
        thread.join()
    assert {FullError: 1, NotKept: MANY - 1} == {
        kind: sum(type(error) is kind for error in found) for kind in (FullError, NotKept)
    }
    for arn in rows.arns:
        assert ["ExecutionStarted"] == rows.types(arn)
        rows.send(arn, step)
        assert ["ExecutionStarted", "StepSucceeded"] == rows.types(arn)


def test_commit_fails_then_what_came_on_top_of_it_is_refused_too(store):
    """A request that saw what could not be kept is not answered as if it stood."""
    rows = Rows(store, 1)
    (arn,) = rows.arns
    client = rows.stage.client
    seen = []

    def look():
        threads, found = at_once(
            lambda: client.get_durable_execution(DurableExecutionArn=arn)["Status"],
            lambda: client.delete_durable_execution(DurableExecutionArn=arn),
        )
        for thread in threads:
            thread.join(0.2)
        assert [None, None] == found, "nobody is answered while it is not kept"
        seen.append((threads, found))

    store.held, store.broken = look, True
    with pytest.raises(FullError):
        client.stop_durable_execution(DurableExecutionArn=arn)
    ((threads, found),) = seen
    for thread in threads:
        thread.join()
    assert [NotKept, NotKept] == [type(error) for error in found]
    assert "RUNNING" == client.get_durable_execution(DurableExecutionArn=arn)["Status"]
    rows.send(arn, update("STEP", "SUCCEED", "s"))


def test_removal_fails_then_the_execution_is_there_with_its_name(store):
    """A deletion that could not be kept has not happened: history and name stand."""
    stage = Stage(store=store)
    stage.act("f", lambda t: DONE)
    arn = stage.service.start("f", "{}", "order")
    stage.service.run(arn)
    store.broken = True
    with pytest.raises(FullError):
        stage.client.delete_durable_execution(DurableExecutionArn=arn)
    assert arn == stage.service.start("f", "{}", "order")
    assert "| ExecutionSucceeded" == stage.trace(arn)


def test_start_fails_then_its_name_is_free(store):
    """A start that could not be kept holds no name."""
    stage = Stage(store=store)
    stage.act("f", lambda t: DONE)
    store.broken = True
    with pytest.raises(FullError):
        stage.service.start("f", "{}", "order")
    arn = stage.service.start("f", '{"other": 1}', "order")
    assert [arn] == stage.service.executions()
    assert "SUCCEEDED" == stage.service.run(arn)


def test_answers_and_checkpoints_at_once_then_events_stand_in_one_order(store):
    """Whoever writes, an execution's events are numbered without a gap, and its memory is the store's."""
    rows = Rows(store, 1)
    (arn,) = rows.arns
    answer = rows.send(arn, *[callback(f"c{n}") for n in range(MANY)])
    ids = [
        operation["CallbackDetails"]["CallbackId"]
        for operation in answer["NewExecutionState"]["Operations"]
    ]
    succeed = rows.stage.client.send_durable_execution_callback_success

    def steps():
        for n in range(MANY):
            rows.send(arn, update("STEP", "SUCCEED", f"s{n}"))

    threads, found = at_once(steps, *[lambda id_=id_: succeed(CallbackId=id_) for id_ in ids])
    for thread in threads:
        thread.join()
    assert [] == [error for error in found if isinstance(error, Exception)]
    events = rows.stage.service.history(arn)
    assert list(range(1, 3 * MANY + 2)) == [event["EventId"] for event in events]
    done = [event["Id"] for event in events if event["EventType"] == "StepSucceeded"]
    assert [f"s{n}" for n in range(MANY)] == done
    stamps = [event["EventTimestamp"] for event in events]
    assert sorted(stamps) == stamps
    journal = rows.stage.service._engine.find(arn)
    assert list(journal.operations.values()) == list(store.operations(arn))


@pytest.mark.parametrize("running", [True, False])
def test_invocation_whose_begin_or_end_is_not_kept_then_it_is_made_again(
    store, running, monkeypatch
):
    """A scheduler whose store refuses once goes on, and the execution with it."""
    monkeypatch.setattr(_scheduler, "BROKEN", 0.01)
    store.refuses = lambda changes: any(
        change.execution.invocations == 1 and change.execution.running is running
        for change in changes
    )
    stage = Stage(store=store, clock=RealClock())
    stage.act("f", *[lambda t: DONE] * 2)
    arn = stage.service.start("f", "{}")
    scheduler = stage.service.scheduler(InProcess(stage.clock))
    scheduler.start()
    assert stage.service._engine.closing(arn).wait(PATIENCE)
    scheduler.stop()
    assert ("| " * (1 if running else 2)) + "ExecutionSucceeded" == stage.trace(arn)
    assert 1 == store.failures


VICTIM = """
    import sys, threading
    from durable_gen.local import RealClock, Service, SqliteStore

    class Stuck(SqliteStore):
        last = False

        def write(self, changes):
            if self.last:
                print("writing", len(changes), flush=True)
                threading.Event().wait()
            super().write(changes)

    store = Stuck(sys.argv[1])
    service = Service(store, RealClock())
    service.register("f", lambda event, context: None)

    def begin(n):
        arn = service.start("f", "{}", f"order-{n}")
        print("acknowledged", n, flush=True)

    for n in range(3):
        begin(n)
    store.last = True
    for n in range(3, 8):
        threading.Thread(target=begin, args=(n,)).start()
    threading.Event().wait()
"""


def test_killed_between_queue_and_commit_then_nothing_of_it_was_acknowledged(path):
    """After kill -9 during a commit, what was acknowledged is there, and nothing else."""
    command = [sys.executable, "-c", textwrap.dedent(VICTIM), path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        told = []
        while not told or not told[-1].startswith("writing"):
            told.append(process.stdout.readline().strip())
        os.kill(process.pid, signal.SIGKILL)
        told += process.stdout.read().split("\n")[:-1]
    assert ["acknowledged 0", "acknowledged 1", "acknowledged 2", "writing 1"] == told
    store = SqliteStore(path)
    assert ["order-0", "order-1", "order-2"] == [row.name for row in store.executions()]
    store.close()


def test_done_together_then_one_write_keeps_it(path):
    """Requests that one thread does together share a write, however many they are."""
    store = Controlled(SqliteStore(path))
    rows = Rows(store)
    engine = rows.stage.service._engine
    engine._waited = PATIENCE  # the disk is so slow that all of them fit
    store.sizes.clear()
    answers = engine.together(rows.sends(update("STEP", "SUCCEED", "s", Payload="1")))
    assert [MANY] == store.sizes
    assert all(isinstance(answer, dict) for answer in answers)
    rows.stage.service.close()


def test_disk_that_takes_no_time_then_nobody_is_kept_for_company(path):
    """Requests are not held back for others when the disk is as quick as they are."""
    store = Controlled(SqliteStore(path))
    rows = Rows(store)
    store.sizes.clear()
    assert 1 == len(rows.stage.service._engine.together(rows.sends(update("STEP", "START", "s"))))
    assert [1] == store.sizes
    rows.stage.service.close()


def test_one_of_those_done_together_refused_then_the_others_are_kept(store):
    """Each has its own answer: what one did wrong is not held against another."""
    rows = Rows(store, 3)
    engine = rows.stage.service._engine
    engine._waited = PATIENCE
    good, bad = update("STEP", "START", "s"), update("WAIT", "CANCEL", "w")

    def refused():
        with pytest.raises(rows.stage.client.exceptions.InvalidParameterValueException):
            rows.send(rows.arns[1], bad)

    first, third = (lambda arn=arn: rows.send(arn, good) for arn in rows.arns[::2])
    assert [dict, type(None), dict] == list(map(type, engine.together([first, refused, third])))
    assert [["StepStarted"], [], ["StepStarted"]] == [rows.types(arn)[1:] for arn in rows.arns]


def test_done_together_and_not_kept_then_each_is_told_and_undone(store):
    """A write that fails leaves nothing of what it was to keep, and the tokens good."""
    rows = Rows(store)
    engine = rows.stage.service._engine
    engine._waited = PATIENCE
    store.broken = True
    step, tokens = update("STEP", "START", "s"), dict(rows.tokens)
    writer, *others = engine.together(rows.sends(step))
    assert isinstance(writer, FullError)
    assert [NotKept] * (MANY - 1) == list(map(type, others))
    rows.tokens = tokens
    for arn in rows.arns:
        assert ["ExecutionStarted"] == rows.types(arn)
        rows.send(arn, step)
