"""A service at work: its scheduler, its host, and its endpoint."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from durable_gen.local._host import Host
from durable_gen.local._http import BODY, Http
from durable_gen.local._listener import Server
from durable_gen.local._service import Service

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # what is bound, and how to reach it


class Serving:
    """A service over HTTP, in threads of this process. It listens at once, and works from `start` on.

    Args:
        service: whose executions; nothing else may drive it meanwhile.
        host: makes what runs functions, given the endpoint that they are to call.
        address: what to listen at.
        port: 0 for any.
        most: invocations that may run at once.
        skip: whether to jump to the next timer when none runs.

    Attributes:
        server: what listens.
        endpoint: its URL.
    """

    def __init__(
        self,
        service: Service,
        host: Callable[[str], Host],
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        most: int = 64,
        skip: bool = False,
    ) -> None:
        self.server = Server(address, port, BODY)
        reach = ANYWHERE.get(address, address)
        reach = f"[{reach}]" if ":" in reach else reach
        self.endpoint = f"http://{reach}:{self.server.port}"
        try:
            runs = host(self.endpoint)
        except BaseException:
            self.server.server_close()
            raise
        self.server.app = Http(service.client, service.front(runs))
        self._scheduler = service.scheduler(runs, most=most, skip=skip)
        self._thread = threading.Thread(
            target=self.server.serve_forever, name="durable_gen http", daemon=True
        )

    def start(self) -> None:
        """Begin to run what is due, and to answer."""
        self._scheduler.start()
        self._thread.start()

    def stop(self) -> None:
        """Answer no more, begin nothing more, end what runs."""
        if self._thread.is_alive():
            self.server.shutdown()
            self._thread.join()
        self.server.server_close()
        self._scheduler.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
