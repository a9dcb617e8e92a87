import pytest
from botocore.exceptions import ClientError

from local.staging import DONE, PENDING, Stage, code, finish, suspend, update, wait


def box(id_, action, **more):
    return update("CONTEXT", action, id_, **more)


def step(id_, **more):
    return update("STEP", "SUCCEED", id_, Payload='"x"', **more)


def kept(flag):
    return {"ContextOptions": {"ReplayChildren": flag}}


def pages(t, **more):
    """Read the whole state page by page."""
    found, marker = [], {}
    while True:
        page = t.client.get_durable_execution_state(
            DurableExecutionArn=t.arn, CheckpointToken=t.token, **marker, **more
        )
        found.append([item["Id"] for item in page["Operations"]])
        if "NextMarker" not in page:
            return found
        marker = {"Marker": page["NextMarker"]}


@pytest.mark.parametrize(
    ("inner", "outer", "seen"),
    [
        (False, False, ["out", "after"]),
        (True, False, ["out", "after"]),
        (False, True, ["out", "s1", "in", "after"]),
        (True, True, ["out", "s1", "in", "s2", "after"]),
    ],
)
def test_finished_contexts_then_children_pruned_unless_replayed(stage, inner, outer, seen):
    """What is below a finished context leaves the state, but for ReplayChildren; history keeps it."""

    def second(t):
        assert [item["Id"] for item in t.items[1:]] == [*seen, "w"]
        assert pages(t) == [[item["Id"] for item in t.items]]
        return DONE

    arn = stage.play(
        suspend(
            box("out", "START"),
            step("s1", at="out"),
            box("in", "START", at="out"),
            step("s2", at="in"),
            box("in", "SUCCEED", **kept(inner)),
            box("out", "SUCCEED", Payload="1", **kept(outer)),
            step("after"),
            wait("w", 1),
        ),
        second,
    )
    assert stage.status(arn) == "SUCCEEDED"
    assert stage.trace(arn).count("StepSucceeded") == 3


def test_open_context_then_children_stay(stage):
    """A context that has not finished hides nothing."""

    def second(t):
        assert [item["Id"] for item in t.items[1:]] == ["out", "s1", "w"]
        return DONE

    arn = stage.play(suspend(box("out", "START"), step("s1", at="out"), wait("w", 1)), second)
    assert stage.status(arn) == "SUCCEEDED"


def test_straggler_under_a_pruned_context_then_pruned_like_its_siblings(stage):
    """A straggling branch's operation is answered once, and not in the state."""

    def turn(t):
        t.send(box("out", "START"), box("out", "SUCCEED"))
        assert [item["Id"] for item in t.send(step("late", at="out"))] == ["late"]
        assert [ids[1:] for ids in pages(t)] == [["out"]]
        return DONE

    assert stage.status(stage.play(turn)) == "SUCCEEDED"


def test_state_over_the_page_then_event_has_a_marker_and_the_rest_follows():
    """The event is cut at the page's bytes, and its marker leads to the rest, nothing twice."""
    stage = Stage(page_size=2000)

    def second(t):
        first = [item["Id"] for item in t.items]
        marker, rest = t.event["InitialExecutionState"]["NextMarker"], []
        while marker:
            page = t.client.get_durable_execution_state(
                DurableExecutionArn=t.arn, CheckpointToken=t.token, Marker=marker
            )
            rest += [item["Id"] for item in page["Operations"]]
            marker = page.get("NextMarker")
        root = t.arn.split("/")[-1]
        assert 1 < len(first) < 41
        assert first + rest == [root, *(f"s{n}" for n in range(40)), "w"]
        return DONE

    first = suspend(*(step(f"s{n}") for n in range(40)), wait("w", 1))
    assert stage.status(stage.play(first, second)) == "SUCCEEDED"
    assert stage.turns[0].event["InitialExecutionState"]["NextMarker"] == ""


def test_news_over_the_page_then_answer_has_a_marker_to_page_on_with():
    """A checkpoint's answer is cut too, and goes on with the new token."""
    stage = Stage(page_size=2000)

    def turn(t):
        found = [item["Id"] for item in t.send(*(step(f"s{n}") for n in range(40)))]
        marker = t.answers[0]["NewExecutionState"]["NextMarker"]
        while marker:
            page = t.client.get_durable_execution_state(
                DurableExecutionArn=t.arn, CheckpointToken=t.token, Marker=marker
            )
            found += [item["Id"] for item in page["Operations"]]
            marker = page.get("NextMarker")
        assert found == [f"s{n}" for n in range(40)]
        return DONE

    assert stage.status(stage.play(turn)) == "SUCCEEDED"


@pytest.mark.parametrize(("most", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (0, [5])])
def test_max_items_then_pages_of_that_many(stage, most, sizes):
    """MaxItems bounds a page; 0 is the default of 100."""

    def turn(t):
        t.send(*(step(f"s{n}") for n in range(4)))
        assert [len(page) for page in pages(t, MaxItems=most)] == sizes
        return DONE

    assert stage.status(stage.play(turn)) == "SUCCEEDED"


def test_marker_from_before_a_checkpoint_then_refused(stage):
    """A marker is bound to the state that it was made from."""

    def turn(t):
        t.send(*(step(f"s{n}") for n in range(4)))
        request = {"DurableExecutionArn": t.arn, "MaxItems": 2}
        page = t.client.get_durable_execution_state(CheckpointToken=t.token, **request)
        t.send()
        for marker in (page["NextMarker"], "junk"):
            with pytest.raises(ClientError) as error:
                t.client.get_durable_execution_state(
                    CheckpointToken=t.token, Marker=marker, **request
                )
            assert code(error) == ("InvalidParameterValueException", 400)
        return DONE

    assert stage.status(stage.play(turn)) == "SUCCEEDED"


def test_event_changed_by_the_function_then_service_is_untouched(stage):
    """The event and the answers share nothing with the service."""

    def first(t):
        t.items[0]["ExecutionDetails"]["InputPayload"] = "spoilt"
        mine = step("s")
        (seen,) = t.send(mine, ClientToken="x")
        seen["StepDetails"]["Result"] = "spoilt"
        mine["Payload"] = "spoilt"
        t.send(wait("w", 1))
        return PENDING

    def second(t):
        assert t.items[0]["ExecutionDetails"]["InputPayload"] == '{"a":1}'
        assert t.state["s"]["StepDetails"]["Result"] == '"x"'
        return DONE

    assert stage.status(stage.play(first, second, payload='{"a":1}')) == "SUCCEEDED"


def test_event_then_times_are_integers_in_milliseconds(stage):
    """The event's timestamps are epoch milliseconds; the API's are aware datetimes."""

    def second(t):
        assert t.items[0]["StartTimestamp"] == 1_893_456_000_000
        assert t.state["w"]["WaitDetails"] == {"ScheduledEndTimestamp": 1_893_456_001_000}
        page = t.client.get_durable_execution_state(
            DurableExecutionArn=t.arn, CheckpointToken=t.token
        )
        assert page["Operations"][1]["EndTimestamp"].timestamp() == 1_893_456_001
        return DONE

    assert stage.status(stage.play(suspend(wait("w", 1)), second)) == "SUCCEEDED"


def test_lambda_context_then_as_lambda_gives_it(stage):
    """The Lambda context names the function, its version, its ARN, the tenant and the request."""
    stage.act("f", finish(), version="3")
    arn = stage.service.start("f", "{}", tenant_id="t1")
    stage.service.run(arn)
    context = stage.turns[0].context
    assert (
        context.function_name,
        context.function_version,
        context.tenant_id,
    ) == ("f", "3", "t1")
    assert context.invoked_function_arn == "arn:aws:lambda:us-east-1:123456789012:function:f:3"
    assert context.get_remaining_time_in_millis() == 900_000
    assert stage.details(arn, "InvocationCompleted")[0]["RequestId"] == context.aws_request_id
