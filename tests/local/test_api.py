import threading

import pytest
from botocore.exceptions import ClientError
from botocore.session import get_session
from botocore.validate import ParamValidator

from durable_gen.local import MemoryStore
from local.staging import (
    PENDING,
    Stage,
    callback,
    code,
    finish,
    invoke,
    retry,
    suspend,
    update,
    wait,
)


def valid(operation, response):
    """Judge an answer by the model's own output shape."""
    shape = get_session().get_service_model("lambda").operation_model(operation).output_shape
    body = {key: value for key, value in response.items() if key != "ResponseMetadata"}
    report = ParamValidator().validate(body, shape)
    return report.generate_report() if report.has_errors() else "valid"


def test_answers_then_all_are_shapes_of_the_model(stage):
    """Every answer passes the model's output shape."""
    stage.act("g", finish())

    def first(t):
        t.send(
            update("CONTEXT", "START", "x"),
            update("STEP", "START", "s", at="x"),
            retry("s", 1, Error={"ErrorType": "E"}),
            wait("w", 1),
            callback("c", 5, 3),
            invoke("i", "g:$LATEST"),
            invoke("j", "nobody"),
        )
        page = t.client.get_durable_execution_state(
            DurableExecutionArn=t.arn, CheckpointToken=t.token
        )
        assert valid("GetDurableExecutionState", page) == "valid"
        return PENDING

    arn = stage.play(first, *[lambda t: PENDING] * 2, finish())
    (answer,) = stage.turns[0].answers
    assert valid("CheckpointDurableExecution", answer) == "valid"
    for data in (True, False):
        request = {"DurableExecutionArn": arn, "IncludeExecutionData": data}
        history = stage.client.get_durable_execution_history(**request)
        described = stage.client.get_durable_execution(**request)
        assert valid("GetDurableExecutionHistory", history) == "valid"
        assert valid("GetDurableExecution", described) == "valid"
        assert ("InputPayload" in described) == data == described["ExecutionDataIncluded"]
    listed = stage.client.list_durable_executions_by_function(FunctionName="f")
    assert valid("ListDurableExecutionsByFunction", listed) == "valid"


def test_function_has_no_timeout_then_neither_have_its_executions(stage):
    """Tests may run what never times out; what is told of it says none, or 0, and is valid."""
    arn = stage.play(suspend(wait("w", 31_622_400)), finish(), execution_timeout=None)
    described = stage.client.get_durable_execution(DurableExecutionArn=arn)
    history = stage.client.get_durable_execution_history(DurableExecutionArn=arn)
    assert "SUCCEEDED" == described["Status"]
    assert "ExecutionTimeout" not in described["DurableConfig"]
    assert 0 == history["Events"][0]["ExecutionStartedDetails"]["ExecutionTimeout"]
    assert valid("GetDurableExecution", described) == "valid"
    assert valid("GetDurableExecutionHistory", history) == "valid"


def test_ids_are_given_then_executions_and_invocations_have_them():
    """Who makes the ids makes the same execution again, ARN and all."""
    ids = (f"00000000-0000-4000-8000-{n:012d}" for n in range(9))
    stage = Stage(ids=lambda: next(ids))
    arn = stage.play(finish())
    assert arn.endswith(
        "/00000000-0000-4000-8000-000000000001/00000000-0000-4000-8000-000000000000"
    )
    assert stage.turns[0].context.aws_request_id == "00000000-0000-4000-8000-000000000002"


def test_history_without_data_then_wrappers_say_truncated(stage):
    """Without data the wrappers stay, empty and marked as truncated."""
    arn = stage.play(finish(update("STEP", "SUCCEED", Payload="1")))
    events = stage.client.get_durable_execution_history(
        DurableExecutionArn=arn, IncludeExecutionData=False
    )["Events"]
    assert events[0]["ExecutionStartedDetails"]["Input"] == {"Truncated": True}
    assert events[1]["StepSucceededDetails"] == {
        "Result": {"Truncated": True},
        "RetryDetails": {"CurrentAttempt": 1},
    }


@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 100])
def test_history_in_pages_then_each_event_once_in_order(stage, newest, most):
    """Pages give each event once, oldest or newest first, and EventIds stay what they are."""
    arn = stage.play(suspend(wait("w", 1)), finish())
    request = {"DurableExecutionArn": arn, "MaxItems": most, "ReverseOrder": newest}
    ids, marker = [], {}
    while True:
        page = stage.client.get_durable_execution_history(**request, **marker)
        assert len(page["Events"]) <= most
        ids += [event["EventId"] for event in page["Events"]]
        if "NextMarker" not in page:
            break
        marker = {"Marker": page["NextMarker"]}
    count = len(stage.service.history(arn))
    assert ids == (list(range(count, 0, -1)) if newest else list(range(1, count + 1)))


def test_marker_of_the_other_direction_then_refused(stage):
    """A marker keeps its direction."""
    arn = stage.play(suspend(wait("w", 1)), finish())
    request = {"DurableExecutionArn": arn, "MaxItems": 1}
    marker = stage.client.get_durable_execution_history(**request)["NextMarker"]
    with pytest.raises(ClientError) as error:
        stage.client.get_durable_execution_history(**request, Marker=marker, ReverseOrder=True)
    assert code(error) == ("InvalidParameterValueException", 400)


def test_max_items_out_of_range_then_refused(stage):
    """MaxItems is at most 1000."""
    arn = stage.play(finish())
    with pytest.raises(ClientError, match="MaxItems is 1001, expected 0 to 1000"):
        stage.client.get_durable_execution_history(DurableExecutionArn=arn, MaxItems=1001)


def test_same_name_and_payload_then_same_execution(stage):
    """A name with the same bytes finds its execution, running or closed."""
    stage.act("f", finish())
    arn = stage.service.start("f", "{}", "order-1")
    assert stage.service.start("f", "{}", "order-1") == arn
    stage.service.run(arn)
    assert stage.service.start("f", "{}", "order-1") == arn
    assert stage.service.executions() == [arn]


@pytest.mark.parametrize("other", ["{ }", "[]", None])
def test_same_name_and_other_payload_then_already_started(stage, other):
    """A name in use with other bytes is refused, 409."""
    stage.act("f", finish())
    stage.service.start("f", "{}", "order-1")
    with pytest.raises(ClientError) as error:
        stage.service.start("f", other, "order-1")
    assert code(error) == ("DurableExecutionAlreadyStartedException", 409)


def test_same_name_and_other_version_then_already_started(stage):
    """A name belongs to the function across its versions."""
    stage.act("f", finish(), version="1")
    stage.service.start("f", "{}", "order-1")
    stage.act("f", finish(), version="2")
    with pytest.raises(ClientError) as error:
        stage.service.start("f", "{}", "order-1")
    assert code(error) == ("DurableExecutionAlreadyStartedException", 409)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("nobody", "{}"), ("ResourceNotFoundException", 404)),
        (("f", "{"), ("InvalidRequestContentException", 400)),
        (("f", '"' + "x" * 6_291_456), ("RequestTooLargeException", 413)),
        (("f", "{}", "no blanks"), ("InvalidParameterValueException", 400)),
        (("f", "{}", "x" * 65), ("InvalidParameterValueException", 400)),
    ],
)
def test_start_of_what_cannot_start_then_the_models_fault(stage, arguments, expected):
    """A start that Lambda would refuse is refused with its code."""
    stage.act("f", finish())
    with pytest.raises(ClientError) as error:
        stage.service.start(*arguments)
    assert code(error) == expected
    assert stage.service.executions() == []


def test_list_then_newest_first_with_filters(stage):
    """A function's executions are listed newest first, filtered and in pages."""
    stage.act("f", finish(), finish())
    first, second = (stage.service.start("f", "{}", name) for name in ("one", "two"))
    stage.service.run(first)

    def listed(**more):
        page = stage.client.list_durable_executions_by_function(FunctionName="f", **more)
        return [item["DurableExecutionArn"] for item in page["DurableExecutions"]]

    assert [second, first] == listed()
    assert [first, second] == listed(ReverseOrder=True)
    assert [first] == listed(DurableExecutionName="one")
    assert listed(Statuses=["STOPPED"]) == []
    assert [second] == listed(MaxItems=1)


def test_pinned_version_then_every_invocation_runs_it(stage):
    """An execution stays with the version with which it began."""
    arn = stage.play(suspend(wait("w", 1)), finish(result="1"), version="1", run=False)
    stage.act("f", finish(result="2"), version="2")
    stage.service.run(arn)
    assert stage.service.describe(arn)["Result"] == "1"


def test_function_gone_then_failed_without_retry(stage):
    """An execution whose function was deleted fails when its next invocation is due."""
    arn = stage.play(suspend(wait("w", 1)), run=False)
    stage.service.step()
    stage.service.unregister("f")
    assert stage.service.run(arn) == "FAILED"
    assert stage.service.describe(arn)["Error"]["ErrorType"] == "ResourceNotFoundException"


def test_handler_with_using_then_it_gets_the_services_client(stage):
    """A function that takes a backend is given the service's client."""

    class Handler:
        def using(self, backend):
            assert backend is stage.client
            return finish_plainly

    def finish_plainly(event, context):
        return {"Status": "SUCCEEDED"}

    stage.service.register("f", Handler())
    assert stage.service.run(stage.service.start("f")) == "SUCCEEDED"


def test_observer_then_told_of_all_in_order_and_its_faults_do_no_harm(caplog):
    """The observer hears of each event and invocation in order; what it raises is only logged."""
    heard = []

    def observer(notice):
        heard.append(notice)
        raise RuntimeError("observer")

    stage = Stage(observer=observer)
    arn = stage.play(suspend(wait("w", 1)), finish())
    told = [n.event if hasattr(n, "event") else n.number for n in heard]
    assert [item for item in told if isinstance(item, dict)] == stage.service.history(arn)
    assert [n for n in told if isinstance(n, int)] == [1, 2]
    assert told[1] == 1
    assert "observer raised" in caplog.text


class Alone(MemoryStore):
    """A store that tells when two threads are in it at once."""

    def __init__(self):
        super().__init__()
        self.entered = threading.Lock()
        self.overlaps = []

    def execution(self, arn):
        return self._alone("execution", super().execution, arn)

    def executions(self):
        return self._alone("executions", lambda: list(MemoryStore.executions(self)))

    def write(self, changes):
        return self._alone("write", super().write, changes)

    def _alone(self, name, act, *arguments):
        if not self.entered.acquire(blocking=False):
            self.overlaps.append(name)
            return act(*arguments)
        try:
            threading.Event().wait(0.002)
            return act(*arguments)
        finally:
            self.entered.release()


def test_many_threads_then_one_at_a_time_in_the_store():
    """The store is let in by one thread at a time, whoever asks for what."""
    store = Alone()
    stage = Stage(store=store)
    stage.act("f", *[lambda t: PENDING] * 100)
    gone = stage.service.start("f", "{}")
    stage.client.stop_durable_execution(DurableExecutionArn=gone)
    stage.client.delete_durable_execution(DurableExecutionArn=gone)
    acts = [
        lambda: stage.service.start("f", "{}"),
        stage.service.executions,
        lambda: stage.service._work.status(gone),
    ]
    threads = [threading.Thread(target=lambda act=act: [act() for _ in range(20)]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(stage.service.executions()), store.overlaps) == (20, [])
