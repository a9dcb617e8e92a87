"""What a workflow logs: once, with its data and its place, however often it is replayed."""

from __future__ import annotations

import asyncio
import inspect
import io
import logging
import threading

import pytest

from children import id_of
from durable_gen import Json, Retry, durable
from durable_gen.local import MemoryStore, Service, VirtualClock
from durable_gen.logging import ReplayFilter
from replays import log
from stub import ARN, Stub, event, logged

ROOT_1 = id_of(1)
STEP = {"Id": ROOT_1, "Type": "STEP", "SubType": "Step", "Name": "a"}
APP = logging.getLogger("app.orders")
FIELDS = ("executionArn", "operationId", "operationName", "attempt", "parentId")
SOON = Retry(max_attempts=2, initial=1, jitter="none")


class Kept(logging.Handler):
    """Keeps the records that it is given."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)

    @property
    def told(self):
        """Every message with its fields, in order, without the ARN."""
        return [(record.getMessage(), fields(record)) for record in self.records]


def fields(record):
    return {name: vars(record)[name] for name in FIELDS[1:] if name in vars(record)}


@pytest.fixture(name="kept")
def _kept():
    """A handler of the root logger, with the filter."""
    handler = Kept()
    handler.addFilter(ReplayFilter())
    root = logging.getLogger()
    root.addHandler(handler)
    APP.setLevel(logging.DEBUG)
    yield handler
    APP.setLevel(logging.NOTSET)
    root.removeHandler(handler)


def serve(flow, **answers):
    """Run a workflow on the embedded service through all its invocations."""
    logging.getLogger("durable_gen").setLevel(logging.CRITICAL)

    def answer(idle):
        for one in idle.callbacks:
            service.client.send_durable_execution_callback_success(
                CallbackId=one.callback_id, Result=answers[one.name]
            )
        return bool(idle.callbacks)

    try:
        with Service(MemoryStore(), VirtualClock()) as service:
            service.register("f", durable(flow))
            arn = service.start("f", "null")
            service.run(arn, answer)
            return service.describe(arn)
    finally:
        logging.getLogger("durable_gen").setLevel(logging.NOTSET)


# --- ctx.log ---------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_logs_have_levels_data_and_the_execution(caplog, level):
    """A message carries its level, its data and the ARN, and spends no operation."""
    caplog.set_level(logging.DEBUG, "durable_gen.workflow")
    stub = Stub()

    @durable(backend=stub)
    def handler(event, ctx):
        getattr(ctx.log, level)("charged %s", "order-7", amount=42)

    handler(event())
    (record,) = caplog.records
    assert (level.upper(), "charged order-7") == (record.levelname, record.getMessage())
    assert ({"amount": 42}, ARN, {}) == (record.data, record.executionArn, fields(record))
    assert [] == stub.calls


def test_log_of_a_child_names_its_context(caplog):
    """In a child the record has the context's id."""
    caplog.set_level(logging.INFO, "durable_gen.workflow")

    @durable(backend=Stub())
    def handler(event, ctx):
        yield ctx.child("x", lambda child: child.log.info("hi"))

    handler(event())
    assert {"parentId": ROOT_1, "operationName": "x"} == fields(caplog.records[0])


@pytest.mark.parametrize(
    ("level", "name"), [(logging.WARNING, "WARNING"), ("warning", "WARNING"), (25, "Level 25")]
)
def test_log_takes_any_level(caplog, level, name):
    """A level is a number or a name, as in `logging`."""
    caplog.set_level(logging.INFO, "durable_gen.workflow")
    durable(backend=Stub())(lambda event, ctx: ctx.log.log(level, "odd"))(event())
    assert [name] == [record.levelname for record in caplog.records]


def test_record_points_at_the_users_line(caplog):
    """File, function and line are those of the call, of the caller's with `stacklevel=2`."""
    caplog.set_level(logging.INFO, "durable_gen.workflow")

    def say(ctx):
        ctx.log.info("one")
        ctx.log.log("info", "two", stacklevel=2)

    @durable(backend=Stub())
    def handler(event, ctx):
        say(ctx)

    handler(event())
    one, two = caplog.records
    first = inspect.getsourcelines(say)[1]
    assert ("test_logs.py", "say", first + 1) == (one.filename, one.funcName, one.lineno)
    last = inspect.getsourcelines(handler.flow)[1] + 2
    assert ("handler", last) == (two.funcName, two.lineno)


def test_keywords_of_logging_mean_what_they_mean_there(caplog):
    """exc_info, stack_info and extra are no data; `exception` has the exception by itself."""
    caplog.set_level(logging.INFO, "durable_gen.workflow")

    @durable(backend=Stub())
    def handler(event, ctx):
        try:
            raise LookupError("no")
        except LookupError as error:
            ctx.log.exception("lost")
            ctx.log.info("lost", exc_info=error, stack_info=True, extra={"shop": 7, "attempt": 9})

    handler(event())
    first, second = caplog.records
    assert LookupError is first.exc_info[0] is second.exc_info[0]
    assert (False, False) == (hasattr(first, "data"), hasattr(second, "data"))
    assert second.stack_info.startswith("Stack (most recent call last):")
    assert (7, 9) == (second.shop, second.attempt)


def test_message_before_a_callbacks_answer_comes_once(caplog):
    """What an earlier invocation went on from is known though no operation follows it."""
    caplog.set_level(logging.INFO, "durable_gen.workflow")
    came = []

    def flow(event, ctx):
        answer = yield ctx.callback("approval")
        yield ctx.step("ask", int)
        came.append("here")
        ctx.log.info("asked")
        yield answer.result()
        ctx.log.info("answered")

    assert "SUCCEEDED" == serve(flow, approval="1")["Status"]
    assert ["here", "here"] == came
    assert ["asked", "answered"] == [record.getMessage() for record in caplog.records]


def test_outer_context_logs_in_a_childs_flow_as_the_child_does(caplog):
    """Whose context a message is logged by does not matter: it is the flow that runs which replays."""
    caplog.set_level(logging.INFO, "durable_gen.workflow")
    first = Stub()

    @durable(backend=first)
    def handler(event, ctx):
        def flow(child):
            ctx.log.info("in the child")
            yield child.wait("nap", 30)

        yield ctx.child("x", flow)

    handler(event())
    assert ["in the child"] == [record.getMessage() for record in caplog.records]
    assert {"parentId": ROOT_1, "operationName": "x"} == fields(caplog.records[0])
    caplog.clear()
    handler.using(Stub())(event(*log(first, "nap")))
    assert [] == caplog.records


# --- any logger ------------------------------------------------------------------------------------


def test_filter_drops_what_a_replaying_flow_logs(kept):
    """Any logger of the standard library is silent in a flow, and in what it calls, while it replays."""

    def helper(text):
        APP.info(text)

    def flow(event, ctx):
        helper("begins")
        yield ctx.step("a", int)
        APP.info("waits")
        yield ctx.wait("nap", 30)
        helper("done")

    serve(flow)
    assert [("begins", {}), ("waits", {}), ("done", {})] == kept.told
    assert 1 == len({record.executionArn for record in kept.records})


async def asynchronously():
    APP.info("in a step")
    await asyncio.sleep(0)
    APP.info("in a step")


def synchronously():
    APP.info("in a step")
    APP.info("in a step")


def called(fn):
    """Call a function, which by its look makes no coroutine."""
    return lambda: fn()  # noqa: PLW0108 - it hides what it calls


WAYS = {
    "inline": {"fn": synchronously},
    "in a thread": {"fn": synchronously, "timeout": 60},
    "on the event loop": {"fn": asynchronously},
    "by a function that makes a coroutine": {"fn": called(asynchronously)},
    "by one that makes it in a thread": {"fn": called(asynchronously), "timeout": 60},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_record_of_a_step_names_it(kept, way):
    """However a step runs, its records have its id, its name, its attempt and its context."""
    way = dict(way)

    def child(ctx):
        yield ctx.step("charge", way.pop("fn"), **way)

    def flow(event, ctx):
        yield ctx.child("payment", child)

    serve(flow)
    place = {
        "operationId": id_of(1, 1),
        "operationName": "charge",
        "attempt": 1,
        "parentId": ROOT_1,
    }
    assert [("in a step", place)] * 2 == kept.told


def test_attempts_are_told_apart(kept):
    """A step that is tried again logs again, with the number of the attempt."""

    def flaky():
        APP.info("tried")
        raise LookupError("no")

    def flow(event, ctx):
        yield ctx.step("charge", flaky, retry=SOON)

    serve(flow)
    assert [1, 2] == [record.attempt for record in kept.records]


def test_steps_beside_one_another_are_told_apart(kept):
    """Records of steps that run at once have each its own step's fields."""
    met = threading.Barrier(2, timeout=20)

    def meet(name):
        met.wait()
        APP.info("%s", name)

    def item(ctx, name):
        yield ctx.step(name, meet, name)

    def flow(event, ctx):
        yield ctx.map("all", ["a", "b"], item)

    serve(flow)
    assert {("a", "a"), ("b", "b")} == {
        (record.getMessage(), record.operationName) for record in kept.records
    }


def test_flow_of_a_context_is_named_by_its_records(kept):
    """In a child, a branch or an item the record has the context's id and name."""

    def item(ctx, name):
        APP.info("%s", name)
        yield ctx.step("a", int)

    def flow(event, ctx):
        yield ctx.child("child", item, "child")
        yield ctx.map("all", ["item"], item)

    serve(flow)
    assert [
        ("child", {"operationName": "child", "parentId": ROOT_1}),
        ("item", {"operationName": "map-item-0", "parentId": id_of(2, 1)}),
    ] == kept.told


def test_what_the_library_logs_in_an_invocation_has_the_execution(kept):
    """The end of a workflow that failed is logged with its ARN, though no flow runs any more."""

    def flow(event, ctx):
        raise LookupError("no")

    logging.getLogger("durable_gen").setLevel(logging.ERROR)
    durable(backend=Stub())(flow)(event())
    logging.getLogger("durable_gen").setLevel(logging.NOTSET)
    assert [("durable_gen", ARN)] == [(one.name, one.executionArn) for one in kept.records]


def test_hook_of_a_plugin_logs_though_the_flow_replays(kept):
    """A plugin's code is no flow's: nothing of it is dropped."""

    class Watching:
        def on_function_start(self, info):
            APP.info("enters, replaying: %s", info.is_replaying_children)

    def child(ctx):
        yield ctx.wait("nap", 30)

    def flow(event, ctx):
        yield ctx.child("x", child)

    first = Stub()
    handler = durable(backend=first, plugins=[Watching()])(flow)
    handler(event())
    handler.using(Stub())(event(*log(first, "nap")))
    assert ["enters, replaying: False", "enters, replaying: True"] == [
        record.getMessage() for record in kept.records
    ]


def test_record_keeps_the_fields_that_it_has(kept):
    """What the user's own `extra` says is not overwritten."""

    def flow(event, ctx):
        yield ctx.step("charge", lambda: APP.info("tried", extra={"attempt": "my own"}))

    serve(flow)
    assert ["my own"] == [record.attempt for record in kept.records]


def test_outside_an_invocation_nothing_changes(kept):
    """Records have no more than they had, before the first invocation and after one."""
    APP.info("before")
    serve(lambda event, ctx: None)
    APP.info("after")
    assert [("before", {}), ("after", {})] == kept.told
    assert [False, False] == [hasattr(record, "executionArn") for record in kept.records]


def test_handler_run_inside_a_step_is_no_part_of_it(kept):
    """The records of an invocation inside another one's step have the inner execution's ARN alone."""

    @durable(backend=Stub())
    def inner(event, ctx):
        APP.info("inner")

    def outer():
        inner(event())
        APP.info("outer")

    def flow(_, ctx):
        yield ctx.step("run", outer)

    serve(flow)
    first, second = kept.records
    assert ("inner", ARN, {}) == (first.msg, first.executionArn, fields(first))
    assert ("outer", "run") == (second.msg, second.operationName)


class Telling(Json):
    """A serde that logs."""

    def dumps(self, value, info):
        APP.info("stored")
        return super().dumps(value, info)


def generates(child):
    yield from ()
    return 1


def gives(child):
    return 1


@pytest.mark.parametrize("inner", [generates, gives])
def test_serde_that_stores_what_a_flow_gave_is_in_no_flow(kept, inner):
    """Its records name no operation: the flow is over, be it a generator or a plain function."""

    def flow(_, ctx):
        yield ctx.child("one", inner, serde=Telling())

    serve(flow)
    assert [("stored", {})] == kept.told


def test_filter_of_a_name_lets_pass_what_is_below_it():
    """Made with a logger's name it is that filter too, as every one of `logging` is."""
    record = logging.makeLogRecord({"name": "other"})
    assert (True, False) == (ReplayFilter().filter(record), ReplayFilter("app").filter(record))


def test_format_with_defaults_reads_well_in_and_out_of_workflows():
    """A text format names the fields; its defaults stand where there are none."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(ReplayFilter())
    handler.setFormatter(
        logging.Formatter(
            "%(operationName)s#%(attempt)s %(message)s",
            defaults={"operationName": "-", "attempt": "-"},
        )
    )
    logger = logging.getLogger("app.format")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)

    def flow(event, ctx):
        logger.info("begins")
        yield ctx.step("charge", logger.info, "charging")

    serve(flow)
    logger.removeHandler(handler)
    assert ["-#- begins", "charge#1 charging"] == out.getvalue().splitlines()


def test_wait_that_ends_before_its_flow_is_entered_then_what_follows_is_logged(caplog):
    """A branch that stands at a timer is entered when it ends: what comes after it is new."""
    caplog.set_level(logging.INFO, "durable_gen.workflow")
    stub = Stub()

    def branch(child, seconds):
        yield child.wait("nap", seconds)
        child.log.info("woke after %s", seconds)
        yield child.wait("more", 50)

    @durable(backend=stub)
    def handler(event, ctx):
        return (yield ctx.map("naps", [1, 30], branch))

    handler(event())
    records = log(stub)
    first, second = (one for one in records if one["Name"] == "nap")
    first["Status"] = "SUCCEEDED"
    again = {**event(*records), "UpdatedOperationIds": [first["Id"]]}
    ended = {**second, "Status": "SUCCEEDED"}
    handler.using(Stub([ended]))(again)
    assert ["woke after 1", "woke after 30"] == [one.getMessage() for one in caplog.records]
