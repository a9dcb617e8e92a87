"""What every test of the service may ask for."""

import pytest

from local.staging import Stage


@pytest.fixture(name="stage")
def _stage():
    return Stage()
