import threading

from durable_gen.local import _threads
from durable_gen.local._threads import Threads
from local.serving import PATIENCE, until


def ran(threads):
    """Run something, and give the thread that did it."""
    found, over = [], threading.Event()
    threads.run(lambda: (found.append(threading.current_thread()), over.set()))
    assert over.wait(PATIENCE)
    return found[0]


def test_thread_idle_then_used_again():
    """Work is given to a thread that waits for it."""
    threads = Threads("t")
    first = ran(threads)
    until(lambda: threads._idle == 1)
    assert first is ran(threads)
    threads.close()


def test_all_busy_then_another_is_started():
    """No work waits for other work to end."""
    threads, go = Threads("t"), threading.Event()
    for _ in range(3):
        threads.run(lambda: go.wait(PATIENCE))
    assert ran(threads).is_alive()
    go.set()
    threads.close()


def test_closed_then_the_threads_end():
    """Nothing is left of those that have nothing to do, nor of those that end their work later."""
    threads, go = Threads("t"), threading.Event()
    idle, busy = ran(threads), []
    until(lambda: threads._idle == 1)
    threads.run(lambda: busy.append(threading.current_thread()) or go.wait(PATIENCE))
    until(lambda: busy)
    idle = [idle, ran(threads)]
    until(lambda: threads._idle == 1)
    threads.close()
    go.set()
    for thread in {*idle, *busy}:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_idle_for_long_then_the_thread_ends(monkeypatch):
    """A burst of work leaves no threads behind."""
    monkeypatch.setattr(_threads, "SPARE", 0.01)
    threads = Threads("t")
    thread = ran(threads)
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert threads._idle == 0
    assert ran(threads) is not thread
