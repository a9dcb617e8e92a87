"""How something ended: `Ok` with a value or `Err` with an error."""

from __future__ import annotations

from typing import Any

from attrs import frozen


@frozen
class Ok:
    """It ended with a value."""

    value: Any = None


@frozen
class Err:
    """It ended with an error."""

    error: BaseException


Outcome = Ok | Err
