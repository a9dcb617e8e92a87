"""The test kit: workflows run in virtual time, by a script, and are broken on purpose."""

from durable_gen.testing._durable import Durable
from durable_gen.testing._run import Invocation, Run
from durable_gen.testing._script import After, Answer, Fails, Never, Raises
from durable_gen.testing._tree import Attempt, Operation

__all__ = [
    "After",
    "Answer",
    "Attempt",
    "Durable",
    "Fails",
    "Invocation",
    "Never",
    "Operation",
    "Raises",
    "Run",
]
