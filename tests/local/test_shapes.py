import re
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_gen.local._wire import _fits, _report, check, model
from local.staging import callback, invoke, retry, update, wait

OPERATIONS = [name for name in model().operation_names if "DurableExecution" in name] + [
    "Invoke",
    "GetFunction",
    "ListFunctions",
]
ARN = (
    "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST/durable-execution/n/"
    "0b9b0b0e-0000-4000-8000-000000000000"
)
TYPICAL = [
    update("STEP", "START", Name="a step", SubType="Step"),
    update("STEP", "SUCCEED", Payload="x", at="p"),
    update("STEP", "FAIL", Error={"ErrorType": "E", "ErrorMessage": "m", "StackTrace": ["l"]}),
    retry("r", 5),
    wait("w", 5),
    callback("c", 60, 5),
    invoke("i", "g:1", Payload="{}"),
    update("CONTEXT", "SUCCEED", ContextOptions={"ReplayChildren": True}),
]


WORDS = ["", "a", "a b", "ä", ARN, "g:1", "Zm9v", "x" * 64, "x" * 65, "x" * 256, "x" * 257]


def rarely(strategy, otherwise):
    return st.integers(0, 19).flatmap(lambda n: strategy if n == 13 else otherwise)


def values(shape):
    """Make values that mostly fit a shape, at its bounds, and some just beyond them."""
    match shape.type_name:
        case "structure":
            members = {name: values(member) for name, member in shape.members.items()}
            required = {name: members.pop(name) for name in shape.required_members}
            return st.fixed_dictionaries(required, optional=members)
        case "list":
            return st.lists(values(shape.member), min_size=1, max_size=2)
        case "string":
            pattern = re.compile(shape.metadata.get("pattern", "(?s).*"))
            fit = shape.enum or [word for word in WORDS if pattern.fullmatch(word)]
            return rarely(st.sampled_from([*WORDS, 7]), st.sampled_from(fit or WORDS))
        case "integer" | "long":
            low, high = shape.metadata.get("min", 0), shape.metadata.get("max", 1000)
            return rarely(st.sampled_from([low - 1, high + 1, True, "1"]), st.integers(low, high))
        case "boolean":
            return rarely(st.sampled_from([1, "true"]), st.booleans())
        case "blob":
            return rarely(st.sampled_from(["text", 1]), st.binary(max_size=3))
        case _:
            return st.sampled_from([0, "2030-01-01", datetime(2030, 1, 1, tzinfo=UTC)])


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_quick_yes_then_the_report_has_nothing_to_say(data):
    """What is passed quickly is what the model passes when it looks closely."""
    operation = data.draw(st.sampled_from(OPERATIONS))
    request = data.draw(values(model().operation_model(operation).input_shape))
    if _fits(operation)(request):
        _report(operation, request)


@pytest.mark.parametrize("item", TYPICAL)
def test_typical_update_then_a_quick_yes(item):
    """What SDKs send is passed without a close look."""
    request = {"DurableExecutionArn": ARN, "CheckpointToken": "Zm9v", "ClientToken": "t"}
    assert _fits("CheckpointDurableExecution")({**request, "Updates": [item]})


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"CheckpointToken": 7}, ParamValidationError),
        ({"Updates": [{"Id": "a"}]}, ParamValidationError),
        ({"Other": 1}, ParamValidationError),
        ({"Updates": [update("STEP", "START", "a b")]}, ClientError),
        ({"Updates": [update("NO", "START")]}, ClientError),
        ({"ClientToken": "t" * 65}, ClientError),
    ],
)
def test_unfit_then_reported(more, error):
    """What does not fit is refused with the report."""
    request = {"DurableExecutionArn": ARN, "CheckpointToken": "Zm9v", **more}
    with pytest.raises(error):
        check("CheckpointDurableExecution", request)
