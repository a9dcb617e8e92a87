"""What is deployed: the templates grant what is needed and no more, the starter starts once, the image runs."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from botocore.session import get_session

from durable_gen.local import Service
from durable_gen.local._clock import SkippingClock
from durable_gen.local._functions import Function
from durable_gen.local._host import InProcess
from durable_gen.local._hosts import Sandboxed
from durable_gen.local._sandboxes import Sandboxes
from durable_gen.local._serving import Serving
from durable_gen.local._template import _Loader, read
from local.serving import botocore_client, until

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "examples" / "deploy"
TEMPLATES = pytest.mark.parametrize("name", ["sam.yaml", "cloudformation.yaml"])
ORDER = (ROOT / "examples" / "order.json").read_text("utf-8")
OF_EXECUTIONS = {
    "CheckpointDurableExecution",
    "GetDurableExecutionState",
    "SendDurableExecutionCallbackSuccess",
    "SendDurableExecutionCallbackFailure",
    "SendDurableExecutionCallbackHeartbeat",
}


def statements(name):
    """List all statements of a template's policies that allow something."""
    pending = [yaml.load((DEPLOY / name).read_text("utf-8"), Loader=_Loader)["Resources"]]
    while pending:
        node = pending.pop()
        if isinstance(node, dict) and "Action" in node and "Resource" in node:
            yield node
        elif isinstance(node, dict | list):
            pending += node.values() if isinstance(node, dict) else node


def actions(statement):
    found = statement["Action"]
    return [found] if isinstance(found, str) else found


@TEMPLATES
def test_template_then_its_function_is_durable_and_can_be_imported(name):
    """The durable function is configured as such, and its handler is the example's."""
    found = next(function for function in read(DEPLOY / name) if function.name == "Orders")
    assert (True, 604_800, 14) == (found.durable, found.timeout, found.retention)
    assert (60, "JSON", "INFO") == (found.seconds, found.log_format, found.log_level)
    module, _, attribute = found.handler.partition(".")
    assert f"def {attribute}(" in (ROOT / "examples" / f"{module}.py").read_text("utf-8")


@TEMPLATES
def test_template_then_it_grants_what_an_execution_needs_on_the_functions_own_executions(name):
    """Checkpoints and state for the function, callbacks for whoever answers: of this function only."""
    granted = {}
    for statement in statements(name):
        for action in actions(statement):
            granted[action.removeprefix("lambda:")] = statement["Resource"]
    own = (
        "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:"
        "function:${AWS::StackName}-orders:*/durable-execution/*/*"
    )
    assert {operation: {"Fn::Sub": own} for operation in OF_EXECUTIONS} == {
        operation: granted[operation] for operation in OF_EXECUTIONS
    }


@TEMPLATES
def test_template_then_it_grants_nothing_on_everything(name):
    """No action and no resource is left open, and Lambda's are operations that there are."""
    model = get_session().create_client("lambda", region_name="us-east-1").meta.service_model
    known = {*model.operation_names, "InvokeFunction"}  # what permits Invoke
    for statement in statements(name):
        assert "*" != statement["Resource"]
        for action in actions(statement):
            service, _, operation = action.partition(":")
            assert "*" not in action
            assert service != "lambda" or operation in known


def loaded(path):
    spec = importlib.util.spec_from_file_location("starter", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_message_is_delivered_twice_then_one_execution_is_started(monkeypatch):
    """The starter names executions by their messages; what cannot be started stays in the queue."""
    clock = SkippingClock()
    service = Service(clock=clock)
    service.register("orders", lambda event, _: {"Status": "SUCCEEDED", "Result": "null"})
    serving = Serving(service, lambda _: InProcess(clock), skip=True)
    for name, value in {
        "AWS_ENDPOINT_URL_LAMBDA": serving.endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "FUNCTION": "orders:$LATEST",
    }.items():
        monkeypatch.setenv(name, value)
    starter = loaded(DEPLOY / "starter" / "starter.py")
    first = {"messageId": "m-1", "body": ORDER}
    unfit = {"messageId": "not a name", "body": ORDER}
    failed = []
    with serving:
        for messages in ([first], [first, unfit]):
            answer = starter.handler({"Records": messages}, None)
            failed += answer["batchItemFailures"]
        starter.client().close()
    (arn,) = service.executions()
    service.close()
    assert [{"itemIdentifier": "not a name"}] == failed
    assert "/durable-execution/m-1/" in arn


# --- the image -----------------------------------------------------------------------------------


class Image:
    """Runs the instructions of a Dockerfile in a folder: its last stage is what is in it in the end."""

    def __init__(self, root, context):
        self.root, self.context = root, context
        self.stages = {}
        self.settings = {}

    def build(self, text):
        for line in re.sub(r"\\\n", "", text).splitlines():
            word, _, rest = line.partition(" ")
            if word and not word.startswith("#"):
                getattr(self, f"do_{word.lower()}")(rest)

    def do_from(self, rest):
        _, _, name = rest.partition(" AS ")
        self.folder = self.stages[name] = self.root / (name or "last")
        self.workdir = "/"

    def do_workdir(self, rest):
        self.workdir = rest
        self.path(rest).mkdir(parents=True, exist_ok=True)

    def do_copy(self, rest):
        *sources, there = shlex.split(rest)
        source = self.context
        if sources[0].startswith("--from="):
            source = self.stages[sources.pop(0).partition("=")[2]]
        there = self.path(there)
        there.mkdir(parents=True, exist_ok=True)
        for one in sources:
            found = source / one.lstrip("/")
            if found.is_dir():
                shutil.copytree(
                    found, there, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy(found, there)

    def do_run(self, rest):
        command = [sys.executable if word == "python" else word for word in shlex.split(rest)]
        command = [str(self.path(word)) if word.startswith("/var") else word for word in command]
        ran = subprocess.run(
            command, cwd=self.path("."), capture_output=True, text=True, check=False
        )
        assert 0 == ran.returncode, ran.stdout + ran.stderr

    def do_env(self, rest):
        self.settings.update([rest.split("=")])

    def do_user(self, rest):
        assert "0" != rest

    def do_entrypoint(self, rest):
        self.settings["ENTRYPOINT"] = json.loads(rest)

    def do_cmd(self, rest):
        self.settings["CMD"] = json.loads(rest)

    def path(self, inside):
        return self.folder / Path(self.workdir, inside).as_posix().lstrip("/")


def test_image_then_an_order_is_fulfilled_in_it(tmp_path, monkeypatch):
    """The Dockerfile's steps give a folder that needs nothing else: the checkout is installed in it."""
    image = Image(tmp_path, ROOT)
    image.build((DEPLOY / "Dockerfile").read_text("utf-8"))
    assert ["python", "-m", "awslambdaric"] == image.settings["ENTRYPOINT"]
    assert image.workdir == image.settings["LAMBDA_TASK_ROOT"]
    (handler,) = image.settings["CMD"]
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    task = image.path(".")
    monkeypatch.setenv("PYTHONPATH", str(task))  # where `python -m` would find it too
    service = Service(clock=SkippingClock())
    python = str(bare / "bin" / "python")
    serving = Serving(
        service,
        lambda endpoint: Sandboxed(Sandboxes(code=task, endpoint=endpoint, python=python)),
        skip=True,
    )
    client = botocore_client(serving.endpoint)
    with serving:
        service.deploy(
            Function(
                name="orders",
                version="$LATEST",
                call=None,
                durable=True,
                timeout=600,
                handler=handler,
                memory=512,
            )
        )
        arn = client.invoke(
            FunctionName="orders",
            Qualifier="$LATEST",
            InvocationType="Event",
            Payload=ORDER.encode(),
        )["DurableExecutionArn"]
        until(lambda: service.status(arn) != "RUNNING")
        found = service.describe(arn)
    client.close()
    service.close()
    assert "shipped" == json.loads(found["Result"])["status"]
