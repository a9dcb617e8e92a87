"""Durable functions in sandboxes on the real awslambdaric: how their ends show in the history."""

import json
import textwrap

import pytest

from durable_gen.local import Service
from durable_gen.local._functions import Function
from durable_gen.local._hosts import Sandboxed
from durable_gen.local._sandboxes import Sandboxes
from durable_gen.local._serving import Serving
from local.serving import botocore_client, until

CODE = """
    import json
    import os
    import time

    from botocore.session import get_session

    client = get_session().create_client("lambda")  # while it loads: no timeout counts that

    def hoard():
        kept = b"x" * (1 << 29)
        time.sleep(60)

    def handler(event, context):
        operations = event["InitialExecutionState"]["Operations"]
        what, mark = json.loads(operations[0]["ExecutionDetails"]["InputPayload"])
        if not os.path.exists(mark):
            client.checkpoint_durable_execution(
                DurableExecutionArn=event["DurableExecutionArn"],
                CheckpointToken=event["CheckpointToken"],
                Updates=[{"Id": "s", "Type": "STEP", "Action": "START"}],
            )
            open(mark, "w").close()
            eval(what)
        found = [(o["Status"], o["StepDetails"]["Attempt"]) for o in operations[1:]]
        return {"Status": "SUCCEEDED", "Result": json.dumps(found)}

    def plain(event, context):
        eval(event)
"""
ENDS = [
    ("os._exit(7)", "Runtime.ExitError"),
    ("os.kill(os.getpid(), 9)", "Runtime.ExitError"),
    ("1 / 0", "ZeroDivisionError"),
    ("time.sleep(60)", "Sandbox.Timedout"),
    ("hoard()", "Runtime.OutOfMemory"),
]


@pytest.fixture(name="client", scope="module")
def _client(tmp_path_factory):
    code = tmp_path_factory.mktemp("code")
    (code / "ends.py").write_text(textwrap.dedent(CODE))
    with Service(retry_delays=(0.01,)) as service:
        for name, handler, seconds in [
            ("f", "handler", 60),
            ("brief", "handler", 5),
            ("plain", "plain", 60),
        ]:
            durable, where = name != "plain", f"ends.{handler}"
            service.deploy(
                Function(
                    name, "$LATEST", None, durable, 600, handler=where, seconds=seconds, memory=200
                )
            )
        with Serving(
            service, lambda endpoint: Sandboxed(Sandboxes(code=code, endpoint=endpoint))
        ) as serving:
            client = botocore_client(serving.endpoint)
            yield client
            client.close()


@pytest.fixture(name="started", scope="module")
def _started(client, tmp_path_factory):
    """All at once: one waits for its timeout while the others end."""
    marks = tmp_path_factory.mktemp("marks")
    return {
        what: client.invoke(
            FunctionName="brief:$LATEST" if error == "Sandbox.Timedout" else "f:$LATEST",
            InvocationType="Event",
            Payload=json.dumps([what, str(marks / str(n))]),
        )["DurableExecutionArn"]
        for n, (what, error) in enumerate(ENDS)
    }


@pytest.mark.parametrize(("what", "error"), ENDS)
def test_invocation_cut_short_then_its_error_and_another_with_the_step_as_it_was(
    client, started, what, error
):
    """However an invocation dies, the history names it, and the next one finds the step started."""
    arn = started[what]

    def closed():
        found = client.get_durable_execution(DurableExecutionArn=arn)
        return found if found["Status"] != "RUNNING" else None

    assert until(closed)["Result"] == '[["STARTED", 0]]'
    events = client.get_durable_execution_history(DurableExecutionArn=arn)["Events"]
    kinds = [event["EventType"] for event in events[1:]]
    assert kinds == [
        "StepStarted",
        "InvocationCompleted",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]
    first, second = (event["InvocationCompletedDetails"] for event in events[2:4])
    assert first["Error"]["Payload"]["ErrorType"] == error
    assert "Error" not in second
    assert first["RequestId"] != second["RequestId"]


@pytest.mark.parametrize(("what", "error"), [ENDS[0], ENDS[2]])
def test_plain_function_cut_short_then_unhandled_with_lambdas_error(client, what, error):
    """A synchronous caller of a function that dies is told how, with status 200."""
    answer = client.invoke(FunctionName="plain", Payload=json.dumps(what))
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert json.load(answer["Payload"])["errorType"] == error
