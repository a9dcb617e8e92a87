"""The default backend: when it is made, what it costs to import, and that it is botocore's own client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import botocore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import get_session

from durable_gen import VERSION, UsageError
from durable_gen.backends._botocore import lambda_client

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f:1/durable-execution/run/run"
HEAVY = frozenset(  # what a handler pays for when it needs it, and not before
    [
        "asyncio",
        "botocore",
        "cattrs",
        "click",
        "concurrent",
        "cryptography",
        "ctypes",
        "decimal",
        "email",
        "http",
        "multiprocessing",
        "opentelemetry",
        "pathlib",
        "pydantic",
        "rich",
        "selectors",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "tempfile",
        "urllib",
        "urllib3",
        "werkzeug",
        "yaml",
        "zipfile",
        "zstandard",
    ]
)


def loaded(code, **environment):
    """Run code in a fresh interpreter; list the packages that it has loaded in the end."""
    code += "\nimport sys\nprint(*{name.partition('.')[0] for name in sys.modules})"
    ran = subprocess.run(
        [sys.executable, "-I", "-c", code],
        env={**os.environ, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
        | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ran.stdout.split())


HANDLER = """
import durable_gen

@durable_gen.durable
def handler(event, ctx):
    return (yield ctx.step("one", lambda: 1))
"""


def test_library_is_imported_then_nothing_heavy_is_loaded():
    """A cold start pays for no module that its handler may never need."""
    assert set() == loaded(HANDLER) & (HEAVY - loaded("pass"))


def test_library_is_imported_then_few_modules_are_loaded():
    """What is imported beside the library is attrs, orjson and the standard library's small ones."""
    code = "import sys; before = set(sys.modules)\nimport durable_gen\n"
    code += "print(*(name for name in set(sys.modules) - before if name.count('.') == 0))"
    ran = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    public = {name for name in ran.stdout.split() if not name.startswith("_")}
    others = public - set(sys.stdlib_module_names)
    assert {"durable_gen", "attr", "attrs", "orjson"} == others


def test_handler_is_decorated_on_lambda_then_the_client_is_there():
    """The client is made in Lambda's init, not in the first checkpoint."""
    check = "import durable_gen.backends as b\nassert b.default.cache_info().misses == 1"
    assert "botocore" in loaded(HANDLER + check, AWS_LAMBDA_RUNTIME_API="127.0.0.1:9")


@pytest.mark.parametrize(
    ("code", "environment"),
    [
        (HANDLER, {}),
        (
            HANDLER.replace(".durable\n", ".durable(backend=object())\n"),
            {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9"},
        ),
    ],
)
def test_elsewhere_or_with_a_backend_then_no_client_is_made(code, environment):
    """Off Lambda the client waits until it is needed; who gives a backend never pays for it."""
    assert "botocore" not in loaded(code, **environment)


class Refusing(BaseHTTPRequestHandler):
    """Answers every call that it is out of order."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, dict(self.headers)))
        body = json.dumps({"message": "out of order"}).encode()
        self.send_response(500)
        self.send_header("x-amzn-ErrorType", "ServiceException")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(name="refusing")
def _refusing():
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    server.heard = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(name="lambda_like", autouse=True)
def _lambda_like(monkeypatch):
    """The environment that botocore looks at, as Lambda sets it."""
    for name in ("AWS_PROFILE", "AWS_DATA_PATH", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")


def test_call_then_it_goes_once_to_the_endpoint_of_the_environment_and_says_who_asks(
    refusing, monkeypatch
):
    """AWS_ENDPOINT_URL_LAMBDA is honoured, nothing is tried again behind the driver's back."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{refusing.server_port}")
    client = lambda_client()
    with pytest.raises(ClientError, match="out of order"):
        client.checkpoint_durable_execution(
            DurableExecutionArn=ARN, CheckpointToken="dG9rZW4=", Updates=[]
        )
    client.close()
    ((path, headers),) = refusing.heard
    assert path.startswith("/2025-12-01/durable-executions/")
    assert f"durable-gen/{VERSION}" in headers["User-Agent"].split()
    assert "Credential=none/" in headers["Authorization"]


def test_client_then_its_timeouts_are_those_of_a_service_that_may_take_its_time():
    """A connection has 5 seconds, an answer 50."""
    config = lambda_client().meta.config
    assert (5, 50) == (config.connect_timeout, config.read_timeout)


REGIONS = ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "ap-southeast-7", "xx-new-9"]


def destination(client):
    """Find where a client sends a call, and what it signs it for."""
    request = {"DurableExecutionArn": ARN, "CheckpointToken": "dG9rZW4=", "Updates": []}
    seen = []

    def catch(request, **_):
        seen.append(
            (request.url, request.context["signing"]["region"], request.context["auth_type"])
        )
        raise LookupError

    client.meta.events.register_last("before-send", catch)
    with pytest.raises(LookupError):
        client.checkpoint_durable_execution(**request)
    return seen


@pytest.mark.parametrize("kind", ["", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"])
@pytest.mark.parametrize("region", REGIONS)
def test_client_then_it_is_the_one_that_botocore_makes(region, kind, monkeypatch):
    """Found without a search, the models are the same, and so are host, partition and signature."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    if kind:
        monkeypatch.setenv(kind, "true")
    ours, theirs = lambda_client(), get_session().create_client("lambda")
    assert region == ours.meta.region_name
    assert theirs.meta.endpoint_url == ours.meta.endpoint_url
    assert theirs.meta.partition == ours.meta.partition
    assert theirs.meta.service_model.operation_names == ours.meta.service_model.operation_names
    assert theirs.meta.service_model.metadata == dict(ours.meta.service_model.metadata)
    assert destination(theirs) == destination(ours)


def heard(client, event):
    """List botocore's own handlers of an event, as its emitter finds them."""
    emitter = client.meta.events._emitter
    return [
        f"{handler.__module__}.{handler.__name__}"
        for handler in emitter._handlers.prefix_search(f"{event}.lambda.CheckpointDurableExecution")
        if hasattr(handler, "__name__")
    ]


@pytest.mark.parametrize(
    "event",
    [
        "provide-client-params",
        "before-parameter-build",
        "before-endpoint-resolution",
        "before-call",
        "request-created",
        "choose-signer",
        "before-sign",
        "before-send",
        "before-parse",
        "response-received",
        "needs-retry",
        "after-call",
        "after-call-error",
        "getattr",
        "creating-client-class",
    ],
)
def test_event_of_a_call_then_it_has_the_handlers_that_botocore_gives_it(event):
    """Handlers of other services are left out, and none of Lambda's: idempotency, recursion, signing."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 1})
    theirs = get_session().create_client("lambda", config=config)
    assert heard(theirs, event) == heard(lambda_client(), event)


@pytest.mark.parametrize("token", [None, "session"])
def test_credentials_of_the_environment_then_they_are_taken(token, monkeypatch):
    """On Lambda the credentials are in the environment, the session's token among them."""
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    found = lambda_client()._request_signer._credentials.get_frozen_credentials()
    assert ("none", "none", token) == (found.access_key, found.secret_key, found.token)


def test_credentials_elsewhere_then_they_are_found_as_botocore_finds_them(tmp_path, monkeypatch):
    """Off Lambda a profile's credentials are good too."""
    (tmp_path / "credentials").write_text(
        "[mine]\naws_access_key_id = key\naws_secret_access_key = secret\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    found = lambda_client()._request_signer._credentials.get_frozen_credentials()
    assert ("key", "secret") == (found.access_key, found.secret_key)


def test_models_elsewhere_then_they_are_found_there_first(tmp_path, monkeypatch):
    """AWS_DATA_PATH is honoured, as by every botocore client."""
    folder = tmp_path / "lambda" / "2015-03-31"
    folder.mkdir(parents=True)
    known = get_session().get_component("data_loader").load_service_model("lambda", "service-2")
    named = {**known, "metadata": {**known["metadata"], "serviceFullName": "Mine"}}
    (folder / "service-2.json").write_text(json.dumps(named))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    assert "Mine" == lambda_client().meta.service_model.metadata["serviceFullName"]


def test_botocore_is_too_old_then_said_what_to_do(tmp_path, monkeypatch):
    """A client that lacks the durable operations is refused while the handler is loaded."""
    folder = tmp_path / "lambda" / "2015-03-31"
    folder.mkdir(parents=True)
    known = get_session().get_component("data_loader").load_service_model("lambda", "service-2")
    operations = {**known["operations"]}
    del operations["CheckpointDurableExecution"]
    (folder / "service-2.json").write_text(json.dumps({**known, "operations": operations}))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    with pytest.raises(UsageError) as refused:
        lambda_client()
    assert (
        f"botocore {botocore.__version__} does not know of durable executions, 1.43.11 does: "
        "put a later one into the function's bundle or layer"
    ) == str(refused.value)
