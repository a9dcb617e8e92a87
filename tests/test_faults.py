"""What becomes of an invocation when a call to the service fails (law 11)."""

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from durable_gen import _stage, durable
from replays import failure
from stub import Stub, event, result


def one_step(event, ctx):
    return (yield ctx.step("charge", int))


class Lambda:
    """Lambda's context, as far as time goes."""

    def __init__(self, seconds):
        self.seconds = seconds

    def get_remaining_time_in_millis(self):
        return self.seconds * 1000


NO_TIME = Lambda(0)


def client_error(code, status, message="", operation="CheckpointDurableExecution"):
    response = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, operation)


class Failing(Stub):
    """Raises at its first checkpoint, or when state is asked for."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def checkpoint_durable_execution(self, **request):
        raise self.error

    get_durable_execution_state = checkpoint_durable_execution


class Flaky(Stub):
    """Fails the first calls, before they are heard or after."""

    def __init__(self, error, times=1, heard=False):
        super().__init__()
        self.error, self.times, self.heard = error, times, heard
        self.tokens = []
        self.kept = {}

    def checkpoint_durable_execution(self, **request):
        token = request["ClientToken"]
        self.tokens.append(token)
        failing = len(self.tokens) <= self.times
        if (not failing or self.heard) and token not in self.kept:
            self.kept[token] = super().checkpoint_durable_execution(**request)
        if failing:
            raise self.error
        return self.kept[token]


PASSING = [
    client_error("TooManyRequestsException", 429),
    client_error("ThrottlingException", 429),
    client_error("ServiceException", 500),
    client_error("InternalFailure", 503),
    EndpointConnectionError(endpoint_url="https://lambda.eu-central-1.amazonaws.com"),
    ReadTimeoutError(endpoint_url="https://lambda.eu-central-1.amazonaws.com"),
]
REFUSED = [
    client_error("ResourceNotFoundException", 404),
    client_error("AccessDeniedException", 403),
    client_error("InvalidParameterValueException", 400, "Invalid update"),
    client_error("KMSAccessDeniedException", 502),
    client_error("KMSDisabledException", 502),
    client_error("KMSInvalidStateException", 502),
    client_error("KMSNotFoundException", 502),
    ParamValidationError(report="Missing required parameter"),
]
SPENT = [
    client_error("InvalidParameterValueException", 400, "Invalid Checkpoint Token: it is spent"),
    client_error("InvalidParameterValueException", 400, "Invalid checkpoint token"),
]


def name_of(error):
    return str(error)


@pytest.mark.parametrize("heard", [False, True], ids=["request lost", "answer lost"])
@pytest.mark.parametrize("error", PASSING, ids=name_of)
def test_fault_that_passes_is_survived(error, heard):
    """Throttling, 5xx and the network: the call is made again, with the same ClientToken, so that
    a checkpoint whose answer was lost is not lost."""
    stub = Flaky(error, heard=heard)
    assert 0 == result(durable(backend=stub)(one_step)(event()))
    assert 2 == len(stub.tokens)
    assert 1 == len(set(stub.tokens))
    assert ["STEP START charge", "STEP SUCCEED charge 0", "--"] == stub.stream


@pytest.mark.parametrize("error", PASSING, ids=name_of)
def test_fault_that_may_pass_is_raised_when_no_time_is_left(error):
    """Lambda is to invoke again."""
    stub = Flaky(error)
    with pytest.raises(type(error)) as caught:
        durable(backend=stub)(one_step)(event(), NO_TIME)
    assert error is caught.value
    assert 1 == len(stub.tokens)


def test_fault_that_may_pass_while_the_log_is_read_is_raised_when_no_time_is_left():
    """That holds for the pages of the log as well."""
    with pytest.raises(ClientError):
        durable(backend=Failing(PASSING[0]))(one_step)(event(marker="m1"), NO_TIME)


def test_fault_that_does_not_pass_is_raised_after_a_minute_of_delays(monkeypatch):
    """Delays are billed: they double from 0.1 s to 5 s, less up to a half by chance, and end at 60 s."""
    slept = []
    monkeypatch.setattr(_stage.time, "sleep", slept.append)
    stub = Failing(PASSING[0])
    with pytest.raises(ClientError):
        durable(backend=stub)(one_step)(event())
    for n, pause in enumerate(slept):
        longest = min(0.1 * 2**n, 5)
        assert longest / 2 <= pause <= longest
    assert 55 <= sum(slept) <= 60


def test_service_that_asks_to_wait_is_waited_for(monkeypatch):
    """`Retry-After` is heeded: longer than the invocation may last, and Lambda is to invoke again."""
    slept = []
    monkeypatch.setattr(_stage.time, "sleep", slept.append)
    throttled = client_error("TooManyRequestsException", 429)
    throttled.response["ResponseMetadata"]["HTTPHeaders"] = {"retry-after": "1"}
    stub = Flaky(throttled)
    with pytest.raises(ClientError):
        durable(backend=stub)(one_step)(event(), Lambda(1.2))
    assert 1 == len(stub.tokens)
    assert 0 == result(durable(backend=Flaky(throttled))(one_step)(event(), Lambda(30)))
    assert [1] == slept


BROKEN = [
    client_error("ExpiredTokenException", 403),
    NoCredentialsError(),
    KeyError("a fault of the backend itself"),
]


@pytest.mark.parametrize("error", BROKEN, ids=name_of)
def test_fault_that_cannot_pass_here_is_raised_at_once(error):
    """Another process may fare better: Lambda is to invoke again, and nothing is waited for."""
    stub = Flaky(error)
    with pytest.raises(type(error)):
        durable(backend=stub)(one_step)(event())
    assert 1 == len(stub.tokens)


def test_workflow_cannot_catch_a_fault_of_the_service():
    """A fault is between the library and Lambda: no except or finally of the workflow runs."""
    seen = []

    def flow(event, ctx):
        try:
            yield ctx.step("charge", int)
        except BaseException as error:
            seen.append(error)
        finally:
            seen.append("finally")

    with pytest.raises(ClientError):
        durable(backend=Failing(PASSING[0]))(flow)(event(), NO_TIME)
    assert [] == seen


@pytest.mark.parametrize("error", REFUSED, ids=name_of)
def test_call_that_is_refused_fails_the_execution(error):
    """Other 4xx and the key's faults cannot pass: FAILED with CheckpointFailed."""
    stub = Flaky(error)
    name, text = failure(durable(backend=stub)(one_step)(event()))
    assert 1 == len(stub.tokens)
    assert "CheckpointFailed" == name
    assert f"the service refused the call: {error}" == text


@pytest.mark.parametrize("error", SPENT, ids=name_of)
def test_spent_token_ends_the_invocation_quietly(error):
    """Another invocation goes on with the execution: PENDING, and no error."""
    assert {"Status": "PENDING"} == durable(backend=Failing(error))(one_step)(event())
    assert {"Status": "PENDING"} == durable(backend=Failing(error))(one_step)(event(marker="m1"))


@pytest.mark.parametrize("answer", [{}, {"CheckpointToken": None}, {"CheckpointToken": ""}])
def test_answer_without_a_token_ends_the_invocation_quietly(answer):
    """The execution has ended meanwhile: PENDING, and nothing more is sent (row 51)."""
    calls = []

    class Ended(Stub):
        def checkpoint_durable_execution(self, **request):
            calls.append(request)
            return answer

    handler = durable(backend=Ended())(
        lambda event, ctx: (yield ctx.step("a", int)) + (yield ctx.step("b", int))
    )
    assert {"Status": "PENDING"} == handler(event())
    assert 1 == len(calls)
