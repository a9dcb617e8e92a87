"""The test kit: workflows run in virtual time, by a script, and are broken on purpose."""

from durable_gen.testing._cloud import DurableCloud
from durable_gen.testing._crashes import Crashes
from durable_gen.testing._deterministic import Deterministic
from durable_gen.testing._durable import Durable
from durable_gen.testing._everywhere import crash_everywhere
from durable_gen.testing._golden import history
from durable_gen.testing._history import History, Invocation
from durable_gen.testing._moments import Moment
from durable_gen.testing._replay import Replay
from durable_gen.testing._run import Run
from durable_gen.testing._script import After, Answer, Fails, Never, Raises
from durable_gen.testing._shake import Shaken
from durable_gen.testing._shots import Shot
from durable_gen.testing._trace import Sight
from durable_gen.testing._tree import Attempt, Operation

__all__ = [
    "After",
    "Answer",
    "Attempt",
    "Crashes",
    "Deterministic",
    "Durable",
    "DurableCloud",
    "Fails",
    "History",
    "Invocation",
    "Moment",
    "Never",
    "Operation",
    "Raises",
    "Replay",
    "Run",
    "Shaken",
    "Shot",
    "Sight",
    "crash_everywhere",
    "history",
]
