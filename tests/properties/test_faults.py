"""Whatever a call to the service meets, a workflow ends as if it had met nothing, or says honestly why not."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from attrs import define, field
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from programs import WAYS, programs
from running import Peace, execute

from durable_gen import _stage

pytestmark = pytest.mark.filterwarnings("ignore:.*a workflow that was suspended:RuntimeWarning")

MANY = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
PAGED = {"page_size": 600}  # bytes: a record or two, so that most states have pages


def refusal(code: str, status: int, text: str = "no") -> ClientError:
    answer = {"Error": {"Code": code, "Message": text}}
    return ClientError({**answer, "ResponseMetadata": {"HTTPStatusCode": status}}, "Checkpoint")


LOST = ReadTimeoutError(endpoint_url="https://lambda.eu-central-1.amazonaws.com")
RAISED = {
    "request lost": LOST,
    "429": refusal("TooManyRequestsException", 429),
    "500": refusal("ServiceException", 500),
    "502": refusal("InternalFailure", 502),
    "token revoked": refusal("InvalidParameterValueException", 400, "Invalid checkpoint token"),
    "400": refusal("InvalidParameterValueException", 400),
    "403": refusal("AccessDeniedException", 403),
    "KMS": refusal("KMSAccessDeniedException", 502),
}
REFUSED = ("400", "403", "KMS")
HARMLESS = (
    *(name for name in RAISED if name not in REFUSED),
    "answer lost",
    "duplicate",
    "token withheld",
    "late",
)


@define
class Faults(Peace):
    """What befalls the calls of a run, counted over all invocations.

    Attributes:
        at: the number of a call -> the name of its fault.
        seconds: the time that Lambda gives the invocation, in which a call may be repeated.
        backwards: whether records come in pages out of order, and twice.
        happened: the faults that befell it.
    """

    at: dict[int, str]
    seconds: float = 1000.0
    backwards: bool = False
    calls: int = 0
    happened: list[str] = field(factory=list)
    late: bool = False

    @property
    def context(self) -> Any:
        self.late = False  # a new invocation
        return self

    def get_remaining_time_in_millis(self) -> float:
        return 0 if self.late else self.seconds * 1000

    def around(self, client: Any) -> Any:
        return Faulty(client, self)


@define
class Faulty:
    """The service's client, over a line with faults."""

    client: Any
    faults: Faults

    def checkpoint_durable_execution(self, **request: Any) -> Any:
        return self._call(self.client.checkpoint_durable_execution, request)

    def get_durable_execution_state(self, **request: Any) -> Any:
        page = self._call(self.client.get_durable_execution_state, request)
        if self.faults.backwards:
            records = page["Operations"]
            page = {**page, "Operations": [*reversed(records), *records[:1]]}
        return page

    def _call(self, method: Any, request: Any) -> Any:
        faults = self.faults
        faults.calls += 1
        fault = faults.at.get(faults.calls)
        if fault is None:
            return method(**request)
        faults.happened.append(fault)
        if fault in RAISED:
            raise RAISED[fault]
        answer = method(**request)
        match fault:
            case "answer lost":
                raise LOST
            case "duplicate":
                return method(**request)
            case "token withheld":
                return {key: answer[key] for key in answer if key != "CheckpointToken"}
            case "late":
                faults.late = True
        return answer


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr(_stage.time, "sleep", lambda _: None)  # time is the service's here
    logging.getLogger("durable_gen").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("durable_gen").setLevel(logging.NOTSET)


harmless = st.dictionaries(st.integers(1, 40), st.sampled_from(HARMLESS), max_size=4)


@pytest.mark.parametrize("way", WAYS)
@MANY
@given(
    program=programs,
    at=harmless,
    seconds=st.sampled_from([0.0, 1000.0]),
    backwards=st.booleans(),
)
def test_faults_that_pass_then_it_ends_as_without_them(way, program, at, seconds, backwards):
    """A request or an answer that is lost, one that is delivered twice, throttling, a failing
    service, a token that is revoked, time that runs out, pages out of order: whether there is time
    to call again or the invocation is raised, the result, the error and the log are those of a
    run without faults, and nothing that was acknowledged runs twice."""
    whole = execute(program, way)
    faults = Faults(at, seconds, backwards)
    faulted = execute(program, way, faults, **PAGED)
    event(f"faults: {len(faults.happened)}")
    assert whole == faulted


@settings(MANY, max_examples=8)
@given(program=programs, fault=st.sampled_from(HARMLESS))
def test_one_fault_at_every_call_then_it_ends_as_without_it(program, fault):
    """Of each fault at each call alone, the law holds too."""
    whole = execute(program, "inline")
    call = 1
    while True:
        faults = Faults({call: fault})
        assert whole == execute(program, "inline", faults, **PAGED), f"{fault} at call {call}"
        if not faults.happened:
            break
        call += 1


@settings(MANY, max_examples=8)
@given(program=programs, fault=st.sampled_from(REFUSED))
def test_a_call_that_is_refused_at_any_point_then_the_execution_fails_with_its_text(program, fault):
    """What trying again cannot help ends the execution: FAILED, with what the service said."""
    call = 1
    while True:
        faults = Faults({call: fault})
        ended = execute(program, "inline", faults, **PAGED)
        if not faults.happened:
            break
        assert "FAILED" == ended.status
        expected = ("CheckpointFailed", f"the service refused the call: {RAISED[fault]}")
        assert expected == ended.error, f"{fault} at call {call}"
        call += 1
