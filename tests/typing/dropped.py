"""An operation that is made and never yielded: mypy sees it before the kernel does, pyright does not."""

from __future__ import annotations

from typing import Any

from durable_gen import Context, Flow


def dropped(event: Any, ctx: Context) -> Flow[None]:
    """A bare line that makes an operation does nothing; `unused-awaitable` says so."""
    ctx.step("len", len, "abc")  # type: ignore[unused-awaitable]
    yield from ctx.flush()
