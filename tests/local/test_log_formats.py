"""Logs as a log group holds them: real runtime, real formatters, in sandboxes with several invocations."""

import json
import textwrap
import threading

import pytest

from durable_gen.local._serve import Options, serve
from local.serving import PATIENCE, botocore_client, until

FLOWS = """
    import logging

    import structlog
    from aws_lambda_powertools import Logger

    from durable_gen import durable
    from durable_gen.logging import ReplayFilter

    # --- the root logger, as the runtime sets it up
    for handler in logging.getLogger().handlers:
        handler.addFilter(ReplayFilter())
    log = logging.getLogger("orders")

    def charge(amount):
        log.info("charging", extra={"amount": amount})

    @durable
    def plain(event, ctx):
        log.info("begins")
        yield from ctx.step("charge", charge, 20)
        ctx.log.info("waits", until="noon")
        yield from ctx.wait("pause", seconds=1)
        log.warning("done")

    # --- Powertools
    powertools = Logger(service="shop", level="INFO")
    powertools.registered_handler.addFilter(ReplayFilter())
    below = Logger(service="shop", child=True)

    def charge_with_powertools(amount):
        powertools.append_keys(amount=amount)
        below.info("charging")
        powertools.remove_keys(["amount"])

    @durable
    @powertools.inject_lambda_context(correlation_id_path="id")
    def orders(event, ctx):
        powertools.info("begins")
        yield from ctx.step("charge", charge_with_powertools, 20)
        yield from ctx.wait("pause", seconds=1)
        powertools.info("done", items=2)

    # --- structlog, through the standard library
    structlog.configure(
        processors=[structlog.stdlib.render_to_log_kwargs],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    struct = structlog.get_logger("structured")

    @durable
    def structured(event, ctx):
        struct.info("begins", items=2)
        yield from ctx.step("charge", lambda: struct.info("charging", amount=20))
        yield from ctx.wait("pause", seconds=1)
        struct.info("done")
"""
TEMPLATE = """
    Transform: AWS::Serverless-2016-10-31
    Globals:
      Function:
        Timeout: 30
        MemorySize: 512
        DurableConfig: {ExecutionTimeout: 600}
        LoggingConfig: {LogFormat: JSON}
    Resources:
      plain: {Type: AWS::Serverless::Function, Properties: {Handler: flows.plain}}
      orders: {Type: AWS::Serverless::Function, Properties: {Handler: flows.orders}}
      structured: {Type: AWS::Serverless::Function, Properties: {Handler: flows.structured}}
"""
FIELDS = ("executionArn", "operationId", "operationName", "attempt", "parentId")
STEP = "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"


class Served:
    """Functions that are served, and the records that they log."""

    def __init__(self, client, log):
        self.client, self.log = client, log

    def records(self, name):
        """Run an execution to its end, and read its records: JSON, line by line."""
        seen = len(self.lines())
        arn = self.client.invoke(
            FunctionName=name,
            Qualifier="$LATEST",
            InvocationType="Event",
            Payload=b'{"id": "order-7"}',
        )["DurableExecutionArn"]
        until(lambda: self.status(arn) != "RUNNING")
        assert "SUCCEEDED" == self.status(arn)
        found = [json.loads(line) for line in self.lines()[seen:] if line.startswith("{")]
        own = [record for record in found if "botocore" not in record.get("logger", "")]
        assert {arn} == {record["executionArn"] for record in own}
        return own

    def lines(self):
        return self.log.read_text("utf-8").splitlines() if self.log.exists() else []

    def status(self, arn):
        return self.client.get_durable_execution(DurableExecutionArn=arn)["Status"]


@pytest.fixture(name="served", scope="module")
def _served(tmp_path_factory):
    code = tmp_path_factory.mktemp("code")
    (code / "flows.py").write_text(textwrap.dedent(FLOWS))
    (code / "template.yaml").write_text(textwrap.dedent(TEMPLATE))
    said, stopped = [], threading.Event()
    options = Options(code=code, template=code / "template.yaml", log=code / "log", skip_time=True)
    thread = threading.Thread(target=serve, args=(options, said.append, stopped))
    thread.start()
    until(lambda: said and said[-1].startswith("Executions"))
    client = botocore_client(said[0].rpartition(" ")[2])
    yield Served(client, code / "log")
    client.close()
    stopped.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def only(record, *names):
    return {name: record[name] for name in names if name in record}


def test_lambdas_json_then_the_fields_are_members_and_replays_are_silent(served):
    """The runtime's own formatter writes the fields beside its own, once a message in all invocations."""
    begins, charging, waits, done = served.records("plain")
    assert ("begins", {}) == (begins["message"], only(begins, *FIELDS[1:]))
    assert {
        "level": "INFO",
        "message": "charging",
        "logger": "orders",
        "amount": 20,
        "operationId": STEP,
        "operationName": "charge",
        "attempt": 1,
    } == {
        name: value
        for name, value in charging.items()
        if name not in {"timestamp", "requestId", "executionArn"}
    }
    assert ("waits", {"until": "noon"}) == (waits["message"], waits["data"])
    assert "durable_gen.workflow" == waits["logger"]
    assert ("WARNING", "done") == (done["level"], done["message"])
    assert begins["requestId"] == waits["requestId"] != done["requestId"]


def test_powertools_then_the_fields_are_members_and_replays_are_silent(served):
    """Its own handler, keys that are appended, a child logger and the Lambda context go with the filter."""
    begins, charging, done = served.records("orders")
    assert ["begins", "charging", "done"] == [one["message"] for one in (begins, charging, done)]
    assert {} == only(begins, *FIELDS[1:])
    assert {
        "amount": 20,
        "operationId": STEP,
        "operationName": "charge",
        "attempt": 1,
    } == only(charging, "amount", *FIELDS[1:])
    assert {"items": 2} == only(done, "items", "amount", *FIELDS[1:])
    for record in (begins, charging, done):
        assert ("shop", "order-7") == (record["service"], record["correlation_id"])
        assert "orders" == record["function_name"]
    assert begins["function_request_id"] != done["function_request_id"]


def test_structlog_then_the_fields_are_members_and_replays_are_silent(served):
    """A library that logs through the standard one needs nothing of its own."""
    begins, charging, done = served.records("structured")
    assert ("begins", {"items": 2}) == (begins["message"], only(begins, "items", *FIELDS[1:]))
    assert {
        "amount": 20,
        "operationId": STEP,
        "operationName": "charge",
        "attempt": 1,
    } == only(charging, "amount", *FIELDS[1:])
    assert "done" == done["message"]
