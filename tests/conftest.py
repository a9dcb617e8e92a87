"""What every test starts from."""

import pytest
from hypothesis import settings

from durable_gen import _park

settings.register_profile("untimed", deadline=None)  # no test asserts on a clock
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _nothing_kept():
    """Start without generators that other tests left suspended: past a bound they are closed."""
    _park._kept.clear()
