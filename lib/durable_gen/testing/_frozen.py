"""The edge to freezegun: `datetime.now()` and the like are the execution's time while it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

from attrs import frozen as frozen_class

from durable_gen import _serde
from durable_gen._check import is_async

_serde.converter()  # made under frozen time it would know the frozen classes alone

Move = Callable[[datetime], None]


def instant() -> datetime | None:
    """Tell the instant that a test has frozen the time at; None when it has not."""
    shared = _shared.get()
    if shared is not None:
        return shared.theirs
    api = sys.modules.get("freezegun.api")
    if api is None or not api.freeze_factories:
        return None
    at: datetime = api.freeze_factories[-1]()
    return at.replace(tzinfo=UTC)


@contextmanager
def frozen(at: datetime) -> Iterator[Move | None]:
    """Freeze the time, and give what moves it; None without freezegun.

    Args:
        at: an aware datetime.
    """
    if find_spec("freezegun") is None:
        yield None
        return
    shared = _shared.get()
    if shared is not None:
        shared.move(at)
        try:
            yield shared.move
        finally:
            shared.move(shared.back)
        return
    from freezegun import api

    offset = api.tz_offsets[-1] if api.tz_offsets else 0  # of a test that has frozen it itself
    with api.freeze_time(at, tz_offset=offset) as time:
        yield lambda instant: time.move_to(instant.replace(tzinfo=None))


@frozen_class
class Shared:
    """A freeze of the time that several runs share.

    Attributes:
        move: moves it.
        back: where it stands between two runs.
        theirs: where a test has frozen it itself; None where none has.
    """

    move: Move
    back: datetime
    theirs: datetime | None


_shared: ContextVar[Shared | None] = ContextVar("durable_gen_frozen", default=None)


@contextmanager
def standing() -> Iterator[None]:
    """Freeze the time once for the runs inside: to begin that takes longer than a short run."""
    theirs = instant()
    back = datetime.now(UTC) if theirs is None else theirs
    with frozen(back) as move:
        token = _shared.set(_shared.get() or (move and Shared(move, back, theirs)))
        try:
            yield
        finally:
            _shared.reset(token)


def seen(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function see the frozen time in a thread too.

    freezegun gives the machine's time to what is called by `threading`, and looks five frames up to
    find out. One frame more, and a step is out of its sight.
    """
    if is_async(fn):
        return fn  # it runs on the event loop

    def run(*args: Any) -> Any:
        return fn(*args)

    return run
