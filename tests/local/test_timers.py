import threading

from durable_gen.local._timers import Timers


def test_what_no_longer_stands_then_let_go():
    """Timers of what is over do not pile up until their instant, which may be a year away."""
    open_ = set()
    timers = Timers(lambda _, arn, __: arn in open_, threading.Event())
    for instant in range(100):
        open_ = {str(instant)}
        timers.push(instant, str(instant), "")
    assert 99 == timers.next()
    assert 1 == len(timers._heap)


def test_new_first_one_then_the_sleeper_is_woken():
    """Who sleeps until the first timer hears of an earlier one, and of no later one."""
    woken = threading.Event()
    timers = Timers(lambda *_: True, woken)
    told = []
    for instant in (5, 7, 3):
        timers.push(instant, "a", "")
        told.append(woken.is_set())
        woken.clear()
    assert [True, False, True] == told
    assert [False, True] == [timers.due(2), timers.due(3)]
