"""What a workflow logs: once, with its data, however often it is replayed."""

from __future__ import annotations

import logging

import pytest

from durable_gen import durable
from replays import log
from stub import ARN, Stub, event, logged

ROOT_1 = "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"
STEP = {"Id": ROOT_1, "Type": "STEP", "SubType": "Step", "Name": "a"}


def test_workflow_logs_once_however_often_it_is_replayed(caplog):
    """ctx.log is silent while the flow replays what it did before."""
    caplog.set_level(logging.INFO, "durable_gen.workflow")
    first = Stub()

    @durable(backend=first)
    def handler(event, ctx):
        ctx.log.info("priced")
        yield ctx.step("a", int)
        ctx.log.info("waits")
        yield ctx.wait("nap", 30)
        ctx.log.info("done")

    handler(event())
    assert ["priced", "waits"] == [record.getMessage() for record in caplog.records]
    caplog.clear()
    handler.using(Stub())(event(*log(first, "nap")))
    assert ["done"] == [record.getMessage() for record in caplog.records]


def test_child_logs_though_its_parent_has_records(caplog):
    """Replay is a matter of each context: a new child of an old parent logs."""
    caplog.set_level(logging.INFO, "durable_gen.workflow")

    @durable(backend=Stub())
    def handler(event, ctx):
        yield ctx.step("a", int)
        yield ctx.child("x", lambda child: child.log.info("in the child"))
        ctx.log.info("after it")

    handler(event(logged(STEP, "SUCCEEDED", Result="1")))
    assert ["in the child", "after it"] == [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_logs_have_levels_data_and_the_execution(caplog, level):
    """A message carries its level, its data, the ARN and its context, and spends no operation."""
    caplog.set_level(logging.DEBUG, "durable_gen.workflow")
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        getattr(ctx.log, level)("charged %s", "order-7", amount=42)

    handler(event())
    (record,) = caplog.records
    assert (level.upper(), "charged order-7") == (record.levelname, record.getMessage())
    assert ({"amount": 42}, ARN, "") == (record.data, record.executionArn, record.parentId)
    assert "test_logs.py" == record.filename
    assert [] == stub.calls


def test_log_of_a_child_names_its_context(caplog):
    """In a child the record has the context's id."""
    caplog.set_level(logging.INFO, "durable_gen.workflow")

    @durable(backend=Stub())
    def handler(event, ctx):
        yield ctx.child("x", lambda child: child.log.info("hi"))

    handler(event())
    assert (ROOT_1, "x") == (caplog.records[0].parentId, caplog.records[0].operationName)
