"""Golden histories: as AWS's command prints them, the same for every run, and read back."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from durable_gen import UsageError, durable
from durable_gen.testing import Durable, Raises, history
from durable_gen.testing._compare import difference
from testing.flows import order, patient

durable_handler = durable
DATA = Path(__file__).parent / "data"


def played(seed="", name=None, start=None):
    return Durable(seed)(
        order,
        {"id": 7},
        name=name,
        start=start,
        callbacks={"approval": True},
        steps={"charge": [Raises(OSError("down")), {"receipt": "r-7"}]},
    )


def test_run_then_its_golden_history_is_what_the_command_prints():
    """Events have the model's members in its order, and times in ISO 8601."""
    golden = json.loads(played().golden())
    assert ["Events"] == list(golden)
    assert {
        "EventType": "ExecutionStarted",
        "EventId": 1,
        "Id": "00000000-0000-4000-8000-000000000001",
        "Name": "00000000-0000-4000-8000-000000000000",
        "EventTimestamp": "2025-01-01T00:00:00+00:00",
        "ExecutionStartedDetails": {
            "Input": {"Payload": '{"id":7}', "Truncated": False},
            "ExecutionTimeout": 31622400,
        },
    } == golden["Events"][0]
    assert {
        "EventType": "StepFailed",
        "SubType": "Step",
        "EventId": 4,
        "Name": "charge",
        "EventTimestamp": "2025-01-01T00:00:00+00:00",
        "StepFailedDetails": {
            "Error": {
                "Payload": {
                    "ErrorMessage": "down",
                    "ErrorType": "OSError",
                },
                "Truncated": False,
            },
            "RetryDetails": {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 5},
        },
    } == {key: value for key, value in golden["Events"][3].items() if key not in ("Id", "ParentId")}


def test_ids_names_and_times_differ_then_golden_histories_do_not():
    """What differs from run to run is made the same; an execution's own name stays."""
    at = datetime(2031, 5, 6, 7, 8, 9, 123000, tzinfo=UTC)
    assert played("a").golden() == played("b", start=at).golden()
    assert '"Name": "order-7"' in played(name="order-7").golden()


def test_golden_history_is_read_then_it_is_the_same_tree():
    """`history` reads back what `golden` wrote: operations, times, values and errors."""
    run = played()
    again = history(run.golden())
    assert run.snapshot() == again.snapshot()
    assert run.golden() == again.golden()
    assert ("SUCCEEDED", run.result, {"id": 7}) == (again.status, again.result, again.input)
    assert [one.path for one in run] == [one.path for one in again]


def test_file_of_the_real_command_is_read_then_it_is_a_tree():
    """What AWS's command line printed, in either form of its timestamps, can be read."""
    assert (DATA / "aws-cli.snapshot").read_text("utf-8") == history(
        DATA / "aws-cli.json"
    ).snapshot()
    assert (
        history(DATA / "aws-cli.json").snapshot()
        == history(str(DATA / "aws-cli-seconds.json")).snapshot()
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{", "a history is JSON, as `aws lambda get-durable-execution-history` prints it"),
        ("{}", "a history is an object with the list `Events`"),
        ({"Events": [], "NextMarker": "m"}, "the history goes on after this page"),
    ],
)
def test_source_is_no_history_then_the_error_says_what_one_is(source, message):
    """A file that is something else is refused, and so is a part of a history."""
    with pytest.raises(UsageError) as caught:
        history(source)
    assert message in str(caught.value)


def test_history_of_an_open_execution_then_it_is_running(durable):
    """A history may be of an execution that goes on; it has no result yet."""
    found = history(durable(patient).golden())
    assert "RUNNING" == found.status
    with pytest.raises(UsageError, match="has no result; it waits for callback 'approval'"):
        _ = found.result


def test_threads_end_in_another_order_then_nothing_differs(durable):
    """In which order operations that run at once have ended is no difference."""

    @durable_handler
    def handler(event, ctx):
        yield ctx.all(ctx.step("a", lambda: 1), ctx.step("b", lambda: 2))

    golden = durable(handler).golden()
    found = json.loads(golden)
    first, second = (one for one in found["Events"] if one["EventType"] == "StepSucceeded")
    first["EventId"], second["EventId"] = second["EventId"], first["EventId"]
    found["Events"].sort(key=lambda event: event["EventId"])
    other = json.dumps(found)
    assert ["a", "b"] == [one.name for one in history(other)["all"]]
    assert None is difference(golden, other)


def test_golden_histories_differ_then_operations_are_named(durable):
    """The difference of two histories is told by operations, member by member."""

    @durable_handler
    def one(event, ctx):
        yield ctx.all(ctx.step("a", lambda: 1), ctx.step("b", lambda: 2))

    @durable_handler
    def other(event, ctx):
        yield ctx.all(ctx.step("a", lambda: 1), ctx.step("b", lambda: 3))
        yield ctx.wait("c", seconds=1)

    told = difference(durable(one).golden(), durable(other).golden())
    assert told is not None
    lines = told.splitlines()
    assert "changed: step all/b" in lines
    assert '  - StepSucceeded.StepSucceededDetails.Result.Payload = "2"' in lines
    assert '  + StepSucceeded.StepSucceededDetails.Result.Payload = "3"' in lines
    assert "added: wait c" in lines
    assert "changed: step all/a" not in lines
    assert None is difference(durable(one).golden(), durable(one).golden())
