"""What every test of the service may ask for."""

import pytest

from local.serving import site
from local.staging import Stage


@pytest.fixture(name="stage")
def _stage():
    return Stage()


@pytest.fixture(name="site")
def _site():
    with site() as stage:
        yield stage


@pytest.fixture(name="slow")
def _slow():
    """A site on the machine's time: what waits for a minute waits for the whole test."""
    with site(skip=False) as stage:
        yield stage
