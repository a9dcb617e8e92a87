import logging

import pytest

from durable_gen.local._functions import Function
from durable_gen.local._host import Unreachable
from local.serving import Site, until

AGAIN = "The asynchronous invocation {} of plain is made again in {} seconds: {}"
GIVEN_UP = "The asynchronous invocation {} of plain is given up: {}"


@pytest.fixture(name="said")
def _said(caplog):
    caplog.set_level(logging.WARNING, "durable_gen.local")
    return lambda: [record.getMessage() for record in caplog.records]


class Refusing:
    """A host that is away so many times, then runs what it is given."""

    def __init__(self, times, host, *, gone=False):
        self.left, self.host, self.gone = times, host, gone
        self.asked = []

    def invoke(self, call):
        self.asked.append(call.request)
        if self.left:
            self.left -= 1
            raise Unreachable(code="ServiceException", message="away", gone=self.gone)
        return self.host.invoke(call)

    def close(self):
        self.host.close()


def event(site, **more):
    answer = site.client.invoke(FunctionName="plain", InvocationType="Event", **more)
    assert answer["StatusCode"] == 202
    return answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]


def deploy(site, fails, **more):
    """Deploy a function that fails so many times; give a list of when it ran, and as what."""
    ran = []

    def plain(body, context):
        ran.append((round(site.clock.now() / 1000), context.aws_request_id, body))
        if len(ran) <= fails:
            raise ValueError("no")

    site.service.deploy(Function("plain", "$LATEST", plain, durable=False, timeout=900, **more))
    return ran


def test_fails_twice_then_made_again_after_one_and_two_minutes(site, said):
    """A function that fails is run again after 60 and 120 seconds, as the same request."""
    ran = deploy(site, 2)
    request = event(site, Payload=b"[1]")
    until(lambda: len(ran) == 3)
    start = ran[0][0]
    assert [(at - start, id_, body) for at, id_, body in ran] == [
        (pytest.approx(0, abs=1), request, [1]),
        (pytest.approx(60, abs=1), request, [1]),
        (pytest.approx(180, abs=2), request, [1]),
    ]
    until(lambda: not site.service._engine.queued)
    assert said() == [AGAIN.format(request, n, "ValueError: no") for n in (60, 120)]


def test_fails_three_times_then_given_up_and_said_so(site, said):
    """The third failure is the last, and the log says which request it was."""
    ran = deploy(site, 9)
    request = event(site)
    until(lambda: len(said()) == 3)
    assert said()[-1] == GIVEN_UP.format(request, "ValueError: no")
    assert (len(ran), site.service._engine.queued) == (3, {})


@pytest.mark.parametrize(
    ("options", "times"),
    [({"retries": 0}, 1), ({"retries": 1}, 2), ({"age": 60}, 1), ({"age": 179}, 2)],
)
def test_fewer_retries_or_too_old_then_given_up_earlier(site, said, options, times):
    """A function's own number of retries holds, and its age after which nothing is tried."""
    ran = deploy(site, 9, **options)
    request = event(site)
    until(lambda: GIVEN_UP.format(request, "ValueError: no") in said())
    assert times == len(ran)


def test_delays_of_ones_own_then_those(said):
    """The service may be less patient."""
    site = Site(skip=True, event_delays=(1, 1))
    with site.serving:
        ran = deploy(site, 2)
        event(site)
        until(lambda: len(ran) == 3)
    site.client.close()
    assert ran[-1][0] - ran[0][0] <= 4


def test_host_away_then_tried_with_growing_delays_and_no_failure_counted(site, said):
    """What no host ran is tried until it is run, and then has all its attempts."""
    ran = deploy(site, 2)
    scheduler = site.serving._scheduler
    scheduler.host = host = Refusing(11, scheduler.host)
    request = event(site)
    until(lambda: len(ran) == 3)
    assert host.asked == [request] * 14
    delays = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    text = "ServiceException: away"
    assert said()[:11] == [AGAIN.format(request, n, text) for n in delays]


def test_host_away_for_six_hours_then_given_up(site, said):
    """An invocation is not tried when it is older than six hours."""
    deploy(site, 0)
    scheduler = site.serving._scheduler
    scheduler.host = host = Refusing(1_000, scheduler.host)
    request = event(site)
    until(lambda: GIVEN_UP.format(request, "ServiceException: away") in said())
    assert 70 < len(host.asked) < 90


def test_function_gone_then_given_up_at_once(site, said):
    """A host that does not know the function is not asked again."""
    deploy(site, 0)
    scheduler = site.serving._scheduler
    scheduler.host = Refusing(1, scheduler.host, gone=True)
    request = event(site)
    until(lambda: said() == [GIVEN_UP.format(request, "ServiceException: away")])


def test_service_ends_before_the_next_attempt_then_said_so(said):
    """What is still to be made again ends with the service, and the log says so."""
    site = Site(skip=False)
    with site.serving:
        deploy(site, 9)
        request = event(site)
        until(said)
    site.client.close()
    assert said()[1:] == [f"The asynchronous invocation {request} of plain ends with the service."]


def test_function_runs_then_time_is_not_skipped(site):
    """A timer does not jump while an asynchronous invocation runs."""
    ran, over = [], []

    def plain(*_):
        arn = site.play(
            lambda t: (
                t.send(
                    {
                        "Id": "w",
                        "Type": "WAIT",
                        "Action": "START",
                        "WaitOptions": {"WaitSeconds": 500},
                    }
                )
                and {"Status": "PENDING"}
            ),
            lambda t: over.append(1) or {"Status": "SUCCEEDED"},
            until_closed=False,
        )
        site.await_trace(arn, "WaitStarted |")
        ran.append(list(over))

    site.service.register("plain", plain, durable=False)
    event(site)
    until(lambda: over == [1])
    assert ran == [[]]


def test_request_id_then_the_one_of_the_answer(site):
    """A plain function's request id is the one that the caller is told."""
    ran = deploy(site, 0)
    answer = site.client.invoke(FunctionName="plain")
    assert ran[0][1] == answer["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize("options", [{"retries": 3}, {"retries": -1}, {"age": 59}])
def test_configuration_that_lambda_does_not_take_then_refused(stage, options):
    """Retries and age are bounded as Lambda bounds them."""
    function = Function("plain", "$LATEST", print, durable=False, timeout=900, **options)
    with pytest.raises(ValueError, match="expected MaximumRetryAttempts of 0 to 2"):
        stage.service.deploy(function)
