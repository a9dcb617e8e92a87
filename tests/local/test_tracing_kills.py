"""Traces of functions in real processes, one of which is killed while it works."""

import json
import textwrap
import threading
from collections import Counter

import pytest

from durable_gen.local._serve import Options, serve
from local.serving import PATIENCE, botocore_client, until

FLOWS = """
    import os
    import signal
    from pathlib import Path

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    from durable_gen import durable
    from durable_gen.otel import Tracing

    out = open("spans", "a", encoding="utf-8", buffering=1)
    provider = TracerProvider()
    exporter = ConsoleSpanExporter(out=out, formatter=lambda span: span.to_json(None) + "\\n")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    watched = durable(plugins=[Tracing(provider)])

    def deadly():
        with provider.get_tracer("user").start_as_current_span("http"):
            pass
        if not Path("killed").exists():
            Path("killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    @watched
    def outer(event, ctx):
        yield ctx.step("price", int)
        yield ctx.step("deadly", deadly)
        yield ctx.wait("pause", seconds=1)
        return (yield ctx.invoke("pay", "inner:$LATEST"))

    @watched
    def inner(event, ctx):
        return (yield ctx.step("charge", os.environ.get, "_X_AMZN_TRACE_ID"))
"""
TEMPLATE = """
    Transform: AWS::Serverless-2016-10-31
    Globals:
      Function:
        Timeout: 30
        MemorySize: 512
        DurableConfig: {ExecutionTimeout: 600}
    Resources:
      outer: {Type: AWS::Serverless::Function, Properties: {Handler: flows.outer}}
      inner: {Type: AWS::Serverless::Function, Properties: {Handler: flows.inner}}
"""


@pytest.fixture(name="spans", scope="module")
def _spans(tmp_path_factory):
    """The spans of one execution of `outer`, as its processes exported them, and its result."""
    code = tmp_path_factory.mktemp("code")
    (code / "flows.py").write_text(textwrap.dedent(FLOWS))
    (code / "template.yaml").write_text(textwrap.dedent(TEMPLATE))
    said, stopped = [], threading.Event()
    options = Options(code=code, template=code / "template.yaml", log=code / "log", skip_time=True)
    thread = threading.Thread(target=serve, args=(options, said.append, stopped))
    thread.start()
    until(lambda: said and said[-1].startswith("Executions"))
    client = botocore_client(said[0].rpartition(" ")[2])
    arn = client.invoke(FunctionName="outer", Qualifier="$LATEST", InvocationType="Event")[
        "DurableExecutionArn"
    ]
    found = until(
        lambda: (
            (one := client.get_durable_execution(DurableExecutionArn=arn))["Status"] != "RUNNING"
            and one
        )
    )
    client.close()
    stopped.set()
    thread.join(PATIENCE)
    assert "SUCCEEDED" == found["Status"], (code / "log").read_text("utf-8")
    assert (code / "killed").exists()
    spans = [json.loads(line) for line in (code / "spans").read_text("utf-8").splitlines()]
    return spans, json.loads(found["Result"])


def test_process_killed_then_each_thing_has_one_span_and_every_parent_exists(spans):
    """Only what ran twice, the user's own span, is there twice; and the invocation that died is not."""
    spans, _ = spans
    assert {
        "outer": 1,
        "step price": 1,
        "step price attempt": 1,
        "step deadly": 1,
        "step deadly attempt": 1,
        "http": 2,
        "wait pause": 1,
        "invoke pay": 1,
        "outer invocation": 3,
        "inner": 1,
        "step charge": 1,
        "step charge attempt": 1,
        "inner invocation": 1,
    } == Counter(span["name"] for span in spans)
    ids = {span["context"]["span_id"] for span in spans}
    assert set() == {span["parent_id"] for span in spans if span["parent_id"]} - ids


def test_invoked_function_then_its_environment_names_the_invokes_span(spans):
    """X-Ray's header goes by the service and the runtime into the environment, as on Lambda."""
    spans, header = spans
    (invoke,) = [span for span in spans if span["name"] == "invoke pay"]
    (invocation,) = [span for span in spans if span["name"] == "inner invocation"]
    trace, parent = (invoke["context"][name][2:] for name in ("trace_id", "span_id"))
    assert f"Root=1-{trace[:8]}-{trace[8:]};Parent={parent};Sampled=1" == header
    assert f"0x{parent}" == invocation["parent_id"]
