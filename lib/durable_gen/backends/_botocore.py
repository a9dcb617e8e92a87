"""Makes botocore's Lambda client at half the cost: its models are found without a search, read by orjson."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import botocore
import orjson
from botocore.config import Config
from botocore.credentials import CredentialResolver, EnvProvider
from botocore.handlers import BUILTIN_HANDLERS, REGISTER_FIRST, REGISTER_LAST
from botocore.loaders import Loader
from botocore.session import Session

from durable_gen._version import VERSION
from durable_gen.backends import Backend
from durable_gen.errors import UsageError

CONNECT = 5  # seconds
READ = 50  # seconds: the service may wait for long, and an invocation can


class Files:
    """Reads botocore's data files as its own JSONFileLoader does, at the speed of orjson."""

    def exists(self, file_path: str) -> bool:
        """Tell whether there is a file.

        Args:
            file_path: its path without the ending.
        """
        return self._found(file_path) is not None

    def load_file(self, file_path: str) -> Any:
        """Read a file; None if there is none.

        Args:
            file_path: its path without the ending.
        """
        found = self._found(file_path)
        if found is None:
            return None
        content = Path(found).read_bytes()
        return orjson.loads(gzip.decompress(content) if found.endswith(".gz") else content)

    def _found(self, file_path: str) -> str | None:
        endings = (f"{file_path}.json", f"{file_path}.json.gz")
        return next((path for path in endings if os.path.isfile(path)), None)  # noqa: PTH113 - quick


class OneService(Loader):  # type: ignore[misc]
    """A loader that knows of Lambda alone, where botocore's own lists the folders of 400 services.

    Of the 1.2 MB about the endpoints of all services nothing concerns Lambda: its own rules give
    its endpoints. What is asked for beside them, a region's partition, stands in `partitions` too.
    """

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002
        """List the services that there are models of."""
        return ["lambda"]

    def load_data_with_path(self, name: str) -> tuple[Any, str]:
        """Load a data file, and tell where it was found."""
        if name != "endpoints":
            found: tuple[Any, str] = super().load_data_with_path(name)
            return found
        known, path = super().load_data_with_path("partitions")
        return {"version": 3, "partitions": [*map(_partition, known["partitions"])]}, path


def _partition(known: dict[str, Any]) -> dict[str, Any]:
    """Describe a partition as `endpoints` does, without services."""
    outputs = known["outputs"]
    both = {"dnsSuffix": outputs["dualStackDnsSuffix"]}
    host = "{service}.{region}.{dnsSuffix}"
    secure = host.replace(".", "-fips.", 1)
    variants = [
        {"tags": ["fips"], "hostname": secure, "dnsSuffix": outputs["dnsSuffix"]},
        {"tags": ["dualstack"], "hostname": host, **both},
        {"tags": ["dualstack", "fips"], "hostname": secure, **both},
    ]
    return {
        "partition": known["id"],
        "dnsSuffix": outputs["dnsSuffix"],
        "regionRegex": known["regionRegex"],
        "regions": known["regions"],
        "defaults": {
            "hostname": host,
            "protocols": ["https"],
            "signatureVersions": ["v4"],
            "variants": variants,
        },
        "services": {},
    }


def _session() -> Session:
    """Make a session with those of botocore's own event handlers that concern Lambda."""
    session = Session(include_builtin_handlers=False)
    events = session.get_component("event_emitter")
    register = {REGISTER_FIRST: events.register_first, REGISTER_LAST: events.register_last}
    for event, handler, *when in BUILTIN_HANDLERS:
        if event.split(".")[1:2] in ([], ["*"], ["lambda"]) and not event.startswith("docs."):
            register.get(when[0] if when else None, events.register)(event, handler)
    if "AWS_ACCESS_KEY_ID" in os.environ and "AWS_PROFILE" not in os.environ:
        resolver = CredentialResolver([EnvProvider()])  # the first to be asked, and the last
        session.register_component("credential_provider", resolver)
    return session


def lambda_client() -> Backend:
    """Make a Lambda client that tries each call once: whoever calls decides whether to try again.

    Region, credentials and endpoint (AWS_ENDPOINT_URL_LAMBDA) are found as botocore finds them.

    Raises:
        UsageError: botocore is too old.
    """
    session = _session()
    more = session.get_config_variable("data_path")
    paths = [str(Path(path).expanduser()) for path in more.split(os.pathsep)] if more else None
    session.register_component("data_loader", OneService(paths, Files()))
    config = Config(
        connect_timeout=CONNECT,
        read_timeout=READ,
        retries={"mode": "standard", "total_max_attempts": 1},
        user_agent_extra=f"durable-gen/{VERSION}",
    )
    client: Backend = session.create_client("lambda", config=config)
    if not hasattr(client, "checkpoint_durable_execution"):
        msg = (
            f"botocore {botocore.__version__} does not know of durable executions, 1.43.11 does: "
            "put a later one into the function's bundle or layer"
        )
        raise UsageError(msg)
    return client
