"""What every test starts from."""

import pytest

from durable_gen import _park


@pytest.fixture(autouse=True)
def _nothing_kept():
    """Start without generators that other tests left suspended: past a bound they are closed."""
    _park._kept.clear()
