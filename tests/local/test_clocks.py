import signal
import threading
import time
from datetime import UTC, datetime

import pytest

from durable_gen.local import Fired, Idle, Invoked, RealClock, VirtualClock
from local.staging import PENDING, Stage, callback, finish, suspend, wait

DAY = 86_400


def test_a_year_of_daily_waits_then_over_in_virtual_time(stage):
    """A year of waits is skipped over, and every day stands in the history."""

    def turn(t):
        days = len(t.items) - 1
        if days == 365:
            return {"Status": "SUCCEEDED"}
        t.send(wait(f"w{days}", DAY))
        return PENDING

    arn = stage.play(*[turn] * 366)
    assert stage.status(arn) == "SUCCEEDED"
    described = stage.service.describe(arn)
    assert (described["EndTimestamp"] - described["StartTimestamp"]).days == 365
    assert stage.trace(arn).count("WaitSucceeded") == 365


def test_virtual_clock_then_stands_still_but_for_jumps():
    """A virtual clock moves only when it is told to, and never back."""
    clock = VirtualClock(datetime(2030, 1, 1, tzinfo=UTC))
    start = clock.now()
    clock.advance(1.5)
    clock.advance_to(datetime(2020, 1, 1, tzinfo=UTC))
    assert clock.now() == start + 1500


def test_steps_then_one_thing_at_a_time_and_idle_says_what_is_next(stage):
    """A step does one thing that is due and tells which; idle tells when the next timer is due."""
    arn = stage.play(suspend(wait("w", 5)), finish(), run=False)
    assert stage.service.step() == Invoked(arn, "RUNNING")
    idle = stage.service.step()
    assert isinstance(idle, Idle)
    assert (idle.until - stage.service.now()).total_seconds() == 5
    stage.clock.advance_to(idle.until)
    assert stage.service.step() == Fired(((arn, "w"),))
    assert stage.service.step() == Invoked(arn, "SUCCEEDED")
    assert stage.service.step() == Idle(None, None, ())


def test_real_clock_then_a_wait_takes_its_second():
    """With the real clock a wait of a second ends not before a second has passed."""
    stage = Stage(clock=RealClock())
    started = time.monotonic()
    arn = stage.play(suspend(wait("w", 1)), finish())
    assert stage.status(arn) == "SUCCEEDED"
    assert time.monotonic() - started >= 0.9


def test_answer_from_another_thread_then_the_sleeper_wakes():
    """An answer that comes from elsewhere ends the sleep of a run on the real clock."""
    stage = Stage(clock=RealClock())
    arn = stage.play(suspend(callback("c", 3600)), finish(), run=False)
    stage.service.step()
    (pending,) = stage.service.pending_callbacks(arn)
    answer = stage.client.send_durable_execution_callback_success
    timer = threading.Timer(0.1, answer, kwargs={"CallbackId": pending.callback_id})
    timer.start()
    assert stage.service.run(arn) == "SUCCEEDED"
    timer.join()


def test_interrupt_while_sleeping_then_passes_and_run_goes_on():
    """Ctrl-C in the middle of a wait comes out of run, and the execution is where it was."""
    stage = Stage(clock=RealClock())
    arn = stage.play(suspend(wait("w", 1)), finish(), run=False)
    main = threading.main_thread().ident
    timer = threading.Timer(0.2, signal.pthread_kill, args=(main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        stage.service.run(arn)
    timer.join()
    assert stage.service.run(arn) == "SUCCEEDED"
    assert stage.trace(arn) == "WaitStarted | WaitSucceeded | ExecutionSucceeded"


def test_real_clock_on_a_store_from_the_future_then_time_goes_on_from_there():
    """Time never falls: after virtual time the real clock runs on from the store's latest instant."""
    future = Stage()
    future.play(finish())
    with_real = Stage(store=future.service._engine.store, clock=RealClock())
    assert with_real.service.now() >= future.service.now()
