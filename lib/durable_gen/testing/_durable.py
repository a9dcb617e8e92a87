"""What the fixture `durable` is: it runs handlers in virtual time, by a script."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from durable_gen.local._facts import LONGEST
from durable_gen.testing._breaks import Breaks, handles, read
from durable_gen.testing._moments import Moment, planned
from durable_gen.testing._ordeal import Ordeal, ids
from durable_gen.testing._play import Local, Play
from durable_gen.testing._run import Run


class Durable(Breaks):
    """Runs workflows on an embedded service, each with a time of its own that never waits.

    Args:
        seed: what the ids of its executions are made of: the same seed, the same ids.

    Attributes:
        runs: the runs that it made, oldest first.
    """

    def __init__(self, seed: str = "") -> None:
        self.runs: list[Run] = []
        self._seed = seed
        self._id = ids(seed)

    def __repr__(self) -> str:
        return f"<durable: {len(self.runs)} runs>"

    def __call__(
        self,
        handler: Callable[..., Any],
        event: Any = None,
        *,
        name: str | None = None,
        steps: Mapping[str, Any] | None = None,
        callbacks: Mapping[str, Any] | None = None,
        invokes: Mapping[str, Any] | None = None,
        until: str | datetime | None = None,
        start: datetime | None = None,
        freeze: bool = True,
        timeout: int | None = LONGEST,
        crash: Moment | str | Iterable[Moment | str] | None = None,
    ) -> Run:
        """Run a workflow until it is over, or nothing but the test can bring it further.

        Args:
            handler: the Lambda handler, as `@durable` made it, or anything around one.
            event: what it is started with; JSON.
            name: the execution's name; made up if left out.
            steps: by the paths of steps, what they do instead: a function that is called with the
                step's arguments, `Raises(error)`, a value, or a list of these, one an attempt.
                Conditions' checks and callbacks' submitters are steps too.
            callbacks: by the paths of callbacks, how they are answered: `Answer(value)`,
                `Fails(message)`, `After(answer, hours=2)` or `Never`; anything else is the value.
            invokes: by the names of functions, what they answer: a durable handler, a function of
                the payload, `Raises(error)`, a value, or a list of the last three, one a call.
            until: the path of an operation, to stop when it is waited for; or an instant.
            start: when the execution is started; if left out, the instant at which the test has
                frozen the time, or 2025-01-01 UTC.
            freeze: whether `datetime.now()` and the like are the execution's time in the workflow
                and its steps; it needs freezegun.
            timeout: seconds that the execution may take; past them it is TIMED_OUT. The service's
                longest if left out, 366 days; None for no limit, which AWS does not have.
            crash: a moment at which something goes wrong once, as `durable.crashes` names them:
                "after checkpoint 3", "before call 2", "throttled at checkpoint 1"; or several, of
                which some may not come.

        Returns:
            A `Run`.

        Raises:
            UsageError: the event is no JSON, the script no mapping, or it says nothing of a
                function that was invoked.
            LookupError: the execution ended, and `until` was never waited for, or the moment of
                `crash` never came.
        """
        handles(handler)
        given = read(
            {
                "name": name,
                "steps": steps,
                "callbacks": callbacks,
                "invokes": invokes,
                "start": start,
                "freeze": freeze,
                "timeout": timeout,
            }
        )
        met = self._met(planned(crash))
        if met is None:
            play = Play(handler, event, ids=self._id, **given)
        else:
            play = Ordeal(handler, event, met, **given)
        run = Run(Local(play, play.arn))
        self.runs.append(run)
        run.go_on(until)
        if met is not None and isinstance(crash, Moment | str) and run.status != "RUNNING":
            met.fate.came()
        return run
