import pytest

from durable_gen.local._facts import Operation, Update
from durable_gen.local._machine import CAUSES, LEGAL, Target, answer, apply, elapse

TYPES = ("STEP", "WAIT", "CALLBACK", "CHAINED_INVOKE", "CONTEXT")
STATUSES = (
    *(None, "STARTED", "PENDING", "READY", "SUCCEEDED"),
    *("FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"),
)
ACTIONS = ("START", "SUCCEED", "FAIL", "RETRY", "CANCEL")
ROWS = [(t, s, a) for t in TYPES for s in STATUSES for a in ACTIONS]
ALLOWED = """
STEP absent START STARTED;     STEP READY START STARTED
STEP absent SUCCEED SUCCEEDED; STEP STARTED SUCCEED SUCCEEDED; STEP READY SUCCEED SUCCEEDED
STEP absent FAIL FAILED;       STEP STARTED FAIL FAILED;       STEP READY FAIL FAILED
STEP absent RETRY PENDING;     STEP STARTED RETRY PENDING;     STEP READY RETRY PENDING
WAIT absent START STARTED;     WAIT STARTED CANCEL CANCELLED
CALLBACK absent START STARTED; CHAINED_INVOKE absent START STARTED
CONTEXT absent START STARTED
CONTEXT absent SUCCEED SUCCEEDED; CONTEXT STARTED SUCCEED SUCCEEDED
CONTEXT absent FAIL FAILED;       CONTEXT STARTED FAIL FAILED
"""
EXPECTED = {
    (t, None if s == "absent" else s, a): then
    for t, s, a, then in (row.split() for row in ALLOWED.replace(";", "\n").split("\n") if row)
    if t
}


def operation(kind, status, **more):
    return Operation(id="a", type=kind, status=status, order=1, started=1000, **more)


def test_table_then_it_is_the_one_written_out_here():
    """The table of legal moves is this one, no more and no less."""
    assert EXPECTED == LEGAL


@pytest.mark.parametrize(("kind", "status", "action"), ROWS)
def test_update_then_legal_move_or_refusal(kind, status, action):
    """An update leads where the table says, and nowhere else."""
    before = None if status is None else operation(kind, status)
    update = Update("a", kind, action, wait=5, delay=5, function="g")
    expected = EXPECTED.get((kind, status, action))
    if expected is None:
        with pytest.raises(KeyError):
            apply(before, update, 2000, target=Target())
        return
    after = apply(before, update, 2000, target=Target()).operation
    assert (expected, 1000 if before else 2000) == (after.status, after.started)
    assert (after.ended is not None) == (expected in {"SUCCEEDED", "FAILED", "CANCELLED"})


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("status", [s for s in STATUSES if s])
def test_timer_then_only_what_runs_on_a_clock_moves(kind, status):
    """A timer ends a started wait or callback, readies a pending step, and moves nothing else."""
    before = operation(kind, status, due=2000, seconds=1)
    if (kind, status, "timer") in CAUSES:
        after = elapse(before, 2000).operation
        assert after.status == CAUSES[kind, status, "timer"]
        assert after.attempt == before.attempt
    else:
        with pytest.raises(KeyError):
            elapse(before, 2000)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("status", [s for s in STATUSES if s])
def test_answer_then_only_what_waits_for_one_takes_it(kind, status):
    """Only a started callback or chained invoke takes an answer."""
    before = operation(kind, status)
    if (kind, status) in {("CALLBACK", "STARTED"), ("CHAINED_INVOKE", "STARTED")}:
        after = answer(before, "SUCCEEDED", 2000, result="1", error=None).operation
        assert (after.status, after.result, after.ended) == ("SUCCEEDED", "1", 2000)
    else:
        with pytest.raises(KeyError):
            answer(before, "SUCCEEDED", 2000, result="1", error=None)


def test_attempts_then_counted_when_they_end():
    """START leaves Attempt alone; RETRY, SUCCEED and FAIL add one."""
    started = apply(None, Update("a", "STEP", "START"), 0).operation
    waiting = apply(started, Update("a", "STEP", "RETRY", delay=2), 0).operation
    ready = elapse(waiting, 2000).operation
    again = apply(ready, Update("a", "STEP", "START"), 2000).operation
    failed = apply(again, Update("a", "STEP", "FAIL"), 2000).operation
    assert [o.attempt for o in (started, waiting, ready, again, failed)] == [0, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("timeout", "heartbeat", "word"),
    [
        (5, 0, "Timeout"),
        (0, 5, "Heartbeat"),
        (5, 5, "Timeout"),
        (9, 5, "Heartbeat"),
        (5, 9, "Timeout"),
    ],
)
def test_two_deadlines_then_the_first_names_the_error(timeout, heartbeat, word):
    """Whichever deadline comes first names the error, and the timeout wins a tie."""
    update = Update("a", "CALLBACK", "START", timeout=timeout, heartbeat=heartbeat)
    started = apply(None, update, 0, callback="x").operation
    assert started.timer == 5000
    assert elapse(started, 5000).operation.error["ErrorType"] == f"Callback.{word}"
