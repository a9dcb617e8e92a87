import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from durable_gen.local import SqliteStore
from durable_gen.local._functions import Function
from durable_gen.local._remote import Remote
from durable_gen.local._serve import Options, Unservable, _greeting, described, serve
from durable_gen.local._serving import Serving
from durable_gen.local._template import Unfit, read
from durable_gen.local._work import Job
from local.processes import Process
from local.serving import PATIENCE, botocore_client, site, until
from local.staging import Stage, finish, suspend, wait

FLOWS = """
    import os

    from durable_gen import durable

    @durable
    def order(event, ctx):
        price = yield from ctx.step("price", lambda: 20)
        with open(os.environ["TRAIL"], "a") as trail:
            trail.write("priced ")
        yield ctx.wait("cool down", float(os.environ["PAUSE"]))
        paid = yield from ctx.invoke("pay", "plain", price)
        return [price, paid, event]

    def plain(event, context):
        return {"paid": event, "by": context.function_name}
"""
TEMPLATE = """
    Transform: AWS::Serverless-2016-10-31
    Parameters:
      Pause: {Type: Number, Default: PAUSE}
    Globals:
      Function:
        Timeout: 30
        MemorySize: 512
        Environment:
          Variables:
            TRAIL: TRAIL_FILE
    Resources:
      order:
        Type: AWS::Serverless::Function
        Properties:
          Handler: flows.order
          DurableConfig: {ExecutionTimeout: 600, RetentionPeriodInDays: 7}
          Environment:
            Variables:
              PAUSE: !Ref Pause
              TARGET: !Sub "${plain}:$LATEST"
              FULL: !GetAtt plain.Arn
              WHERE: !Sub "${AWS::Region} ${!Literal}"
              OTHER: !Join [":", [!Ref plain, "1"]]
      plain:
        Type: AWS::Serverless::Function
        Properties:
          Handler: flows.plain
          EventInvokeConfig: {MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60}
          LoggingConfig: {LogFormat: JSON, ApplicationLogLevel: DEBUG}
      table:
        Type: AWS::DynamoDB::Table
"""


@pytest.fixture(name="code")
def _code(tmp_path):
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "flows.py").write_text(textwrap.dedent(FLOWS))
    text = TEMPLATE.replace("TRAIL_FILE", str(tmp_path / "trail")).replace("PAUSE}", "1}")
    (folder / "template.yaml").write_text(textwrap.dedent(text))
    return folder


@pytest.fixture(name="served")
def _served():
    """Start services; what a failed test leaves of them is killed."""
    started = []

    def start(*arguments):
        started.append(Process("--code", *arguments))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)


@pytest.mark.parametrize("options", [[], ["--in-process"]])
def test_template_served_then_its_functions_run(served, code, tmp_path, options):
    """A template's functions run, in sandboxes or in the process, and it ends cleanly."""
    one = served(code, "--template", code / "template.yaml", "--log", tmp_path / "log", *options)
    arn = one.start("order", b'{"n": 1}')
    found = until(lambda: one.closed(arn))
    assert json.loads(found["Result"]) == [20, {"paid": 20, "by": "plain"}, {"n": 1}]
    assert f"  export AWS_ENDPOINT_URL_LAMBDA={one.endpoint}\n" in one.said
    assert "  export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1\n" in one.said
    assert one.end(signal.SIGTERM) == 0


def test_killed_then_started_again_every_execution_goes_on(served, code, tmp_path):
    """After kill -9 of the service, what was acknowledged is there and every execution ends."""
    options = ["--template", code / "template.yaml", "--store", tmp_path / "s.db"]
    first = served(code, *options)
    arns = [first.start("order", str(n).encode()) for n in range(5)]
    trail = tmp_path / "trail"
    until(lambda: trail.exists() and "priced" in trail.read_text())
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    second = served(code, *options)
    for n, arn in enumerate(arns):
        found = until(lambda arn=arn: second.closed(arn))
        assert json.loads(found["Result"]) == [20, {"paid": 20, "by": "plain"}, n]
        paginator = second.client.get_paginator("get_durable_execution_history")
        events = [
            event
            for page in paginator.paginate(DurableExecutionArn=arn)
            for event in page["Events"]
        ]
        assert [event["EventId"] for event in events] == list(range(1, len(events) + 1))
        kinds = [event["EventType"] for event in events]
        assert kinds.count("StepSucceeded") == kinds.count("WaitSucceeded") == 1
    assert second.end(signal.SIGINT) == 0


def test_function_named_on_the_command_line_and_time_skipped_then_done_at_once(
    served, code, tmp_path
):
    """--function needs no template; --skip-time jumps over the waits."""
    os.environ["TRAIL"], os.environ["PAUSE"] = str(tmp_path / "trail"), "800"
    try:
        one = served(code, "--function", "o=flows:order", "--in-process", "--skip-time")
        arn = one.start("o")
        found = until(lambda: one.closed(arn))
    finally:
        del os.environ["TRAIL"], os.environ["PAUSE"]
    assert found["Status"] == "FAILED"  # there is no function `plain`
    assert "plain" in found["Error"]["ErrorMessage"]
    assert one.end(signal.SIGTERM) == 0


def test_served_in_a_thread_then_ended_by_its_event(code):
    """Whoever embeds `serve` ends it."""
    said, stopped = [], threading.Event()
    options = Options(code=code, template=code / "template.yaml", in_process=True)
    before = dict(os.environ)
    thread = threading.Thread(target=serve, args=(options, said.append, stopped))
    thread.start()
    try:
        until(lambda: said and said[-1].startswith("Executions"))
        client = botocore_client(said[0].rpartition(" ")[2])
        assert len(client.list_functions()["Functions"]) == 2
        client.close()
    finally:
        stopped.set()
        thread.join(PATIENCE)
        os.environ.clear()
        os.environ.update(before)
        sys.modules.pop("flows", None)
        sys.path.remove(str(code.resolve()))
    assert not thread.is_alive()


def test_store_in_use_or_port_taken_then_said_what_to_do(code, tmp_path):
    """What hinders it is a mistake on the command line, not a traceback."""
    kept = SqliteStore(tmp_path / "s.db")
    main = "from durable_gen.cli._serve import serve; serve()"
    base = [sys.executable, "-c", main, "--code", str(code), "--function", "o=flows:order"]
    with site() as stage:
        port = stage.endpoint.rpartition(":")[2]
        for options, text in [
            (["--store", str(tmp_path / "s.db")], "another store has it open"),
            (["--port", port, "--in-process"], "cannot be listened at: Address already in use"),
            (["--lambda-endpoint", "http://x", "--in-process"], "exclude each other"),
            (["--store", str(tmp_path / "no" / "s.db")], "unable to open database file"),
            (["--in-process", "--function", "no name=flows:order"], "expected a function's name"),
            (["--function", "x"], "write NAME=MODULE:ATTR"),
            (["--in-process", "--function", "x=flows:nothing"], "flows.nothing cannot be imported"),
        ]:
            done = subprocess.run(
                [*base, *options], capture_output=True, text=True, timeout=PATIENCE, check=False
            )
            assert (done.returncode, text in done.stderr) == (2, True), done.stderr
    kept.close()


def test_template_then_functions_with_references_resolved(code, tmp_path):
    """Globals are merged, and references name the functions of this service."""
    order, plain = read(code / "template.yaml")
    assert (order.durable, order.timeout, order.retention) == (True, 600, 7)
    assert (order.handler, order.seconds, order.memory) == ("flows.order", 30, 512)
    assert order.environment == {
        "TRAIL": str(tmp_path / "trail"),
        "PAUSE": "1",
        "TARGET": "plain:$LATEST",
        "FULL": "arn:aws:lambda:us-east-1:123456789012:function:plain",
        "WHERE": "us-east-1 ${Literal}",
        "OTHER": "plain:1",
    }
    assert (plain.durable, plain.log_format, plain.log_level) == (False, "JSON", "DEBUG")
    assert [(f.retries, f.age) for f in (order, plain)] == [(2, 21_600), (0, 60)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[", "is no YAML"),
        ("a: 1", "has no Resources"),
        ("Resources: {t: {Type: AWS::SNS::Topic}}", "has no resource of type"),
        ("Resources: {f: {Type: AWS::Serverless::Function}}", "f: expected a Handler"),
        (
            "Resources: {f: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, DurableConfig: {}}}}",
            "expected DurableConfig.ExecutionTimeout to be a number, got None",
        ),
        (
            "Resources: {f: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, EventInvokeConfig: {MaximumRetryAttempts: many}}}}",
            "expected EventInvokeConfig.MaximumRetryAttempts to be a number, got 'many'",
        ),
    ],
)
def test_template_unfit_then_said_why(tmp_path, text, expected):
    """A template that cannot be served is refused with the reason."""
    path = tmp_path / "t.yaml"
    path.write_text(text)
    with pytest.raises(Unfit, match=re.escape(str(path))) as error:
        read(path)
    assert expected in str(error.value)
    with pytest.raises(Unservable):
        described(Options(code=Path(), template=path))


def test_nothing_to_serve_then_refused():
    """Without functions there is nothing to serve."""
    with pytest.raises(Unservable, match="there is nothing to serve"):
        described(Options(code=Path()))


def test_another_endpoint_then_functions_run_there(slow):
    """With a remote host the executions are here and the functions there."""
    seen = []

    def there(event, context):
        seen.append(context.aws_request_id)
        if (
            event["InitialExecutionState"]["Operations"][0]["ExecutionDetails"]["InputPayload"]
            == "0"
        ):
            raise ValueError("no")
        return {"Status": "SUCCEEDED", "Result": "1"}

    slow.service.register("f", there, durable=False)  # the host knows nothing of executions
    here = Stage(clock=slow.clock, attempts=1)
    here.service.register("f", print, execution_timeout=600)
    here.service.register("nobody", print, execution_timeout=600)
    with Serving(here.service, lambda _: Remote(slow.endpoint)) as serving:
        client = botocore_client(serving.endpoint)
        answers = [
            client.invoke(FunctionName=f"{name}:$LATEST", Payload=payload)
            for name, payload in [("f", b"1"), ("f", b"0"), ("nobody", b"1")]
        ]
        bodies = [json.load(answer["Payload"]) for answer in answers]
        client.close()
    assert bodies[0] == 1
    assert (bodies[1]["errorType"], bodies[2]["errorType"]) == (
        "ValueError",
        "ResourceNotFoundException",
    )
    assert len(seen) == 2


def test_another_endpoint_refuses_then_failed_with_its_code(slow):
    """A refusal that will not pass by itself counts as a failure: it is not asked for ever."""
    slow.act("f", execution_timeout=600)  # durable there too: it must be named with a version
    here = Stage(clock=slow.clock, attempts=2, retry_delays=(0,))
    here.service.register("f", print, execution_timeout=600)
    with Serving(here.service, lambda _: Remote(slow.endpoint)) as serving:
        client = botocore_client(serving.endpoint)
        answer = client.invoke(FunctionName="f:$LATEST")
        client.close()
    body = json.load(answer["Payload"])
    assert body["errorType"] == "InvalidParameterValueException"
    assert "is invoked with a version or an alias" in body["errorMessage"]
    assert here.trace(answer["DurableExecutionArn"]) == "| | ExecutionFailed"


@pytest.mark.parametrize(
    ("address", "open_"), [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True), ("::", True)]
)
def test_address_then_said_whom_it_lets_in(address, open_):
    """Whoever has it listen to other machines is told what that means."""
    options = Options(code=Path(), address=address)
    function = Function("o", "$LATEST", None, durable=True, timeout=900)
    said = list(_greeting(options, [function], "http://127.0.0.1:1"))
    warning = (
        f"It listens at {address}: whoever can reach this machine can run these functions and "
        "read what they did."
    )
    assert open_ == (warning in said)


def test_endpoint_away_then_tried_again_and_not_counted(stage):
    """An invocation that no host has run is due again, and the history does not mention it."""
    arn = stage.play(finish(), run=False)
    work = stage.service._work
    for _ in range(7):
        job = work.take()
        assert isinstance(job, Job)
        with pytest.raises(Exception, match="Could not connect") as error:
            Remote("http://127.0.0.1:9").invoke(job.call)
        work.finish(job, error.value)
        stage.clock.advance(1)
        stage.service.client.get_durable_execution(DurableExecutionArn=arn)
    assert stage.service.run(arn) == "SUCCEEDED"
    assert stage.trace(arn) == "| ExecutionSucceeded"


def test_wait_then_skipped_while_nothing_runs(site):
    """Time is skipped only between invocations; a long wait is over at once."""
    arn = site.play(suspend(wait("w", 300)), suspend(wait("x", 200)), finish())
    assert (
        site.trace(arn)
        == "WaitStarted | WaitSucceeded WaitStarted | WaitSucceeded | ExecutionSucceeded"
    )
