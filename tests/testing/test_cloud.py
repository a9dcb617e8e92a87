"""On AWS: the same run over a deployed function, here one that `durable-gen serve` serves."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from durable_gen import CallbackFailed, UsageError
from durable_gen.testing import After, Answer, DurableCloud, Fails, history
from local.serving import PATIENCE, botocore_client
from testing.flows import brief

HERE = Path(__file__).parent


@pytest.fixture(name="endpoint", scope="module")
def _endpoint():
    """A real `durable-gen serve`, with its functions in its own process."""
    command = [
        sys.executable,
        "-u",
        "-m",
        "durable_gen.cli",
        "serve",
        "--in-process",
        "--port",
        "0",
    ]
    command += ["--code", str(HERE), "--skip-time"]
    command += ["--function", "brief=flows:brief", "--function", "long=flows:sleeper"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    said = process.stdout.readline()
    yield re.search(r"http://\S+", said)[0]
    process.terminate()
    process.wait(PATIENCE)
    process.stdout.close()


@pytest.fixture(name="cloud")
def _cloud(endpoint):
    kit = DurableCloud(botocore_client(endpoint), "brief:$LATEST")
    yield kit
    kit.close()


def test_function_is_run_then_the_run_is_like_one_in_process(cloud, durable):
    """One script, one run: what is read of it on AWS is what the kit reads in process."""
    script = {"callbacks": {"approval": After(True, seconds=0.2)}}
    there, here = cloud({"id": 7}, name="order-7", **script), durable(brief, {"id": 7}, **script)
    assert here.result == there.result == {"receipt": "r-7", "approved": True}
    assert [(one.path, one.status) for one in here] == [(one.path, one.status) for one in there]
    assert (here.input, len(here.invocations)) == (there.input, len(there.invocations))
    assert there.arn.endswith(f"/order-7/{there.arn.rpartition('/')[2]}")
    assert [there] == cloud.runs


def test_nobody_answers_then_the_run_rests_and_can_be_answered(cloud):
    """A callback that nothing bounds stops the run; the test answers, and goes on."""
    run = cloud({"id": 7})
    assert ("RUNNING", "STARTED") == (run.status, run["approval"].status)
    assert {"receipt": "r-7", "approved": 5} == run.answer("approval", 5).go_on().result


def test_until_then_the_run_stops_there(cloud):
    """A run can be stopped at a path and at an instant, and stopped for good."""
    run = cloud({"id": 7}, until="approval")
    assert "STARTED" == run["approval"].status
    run.go_on(datetime.now(UTC) + timedelta(milliseconds=50))
    assert "STOPPED" == run.stop("enough").go_on().status
    assert "enough" == run.error.message


def test_callback_fails_then_the_run_has_the_error(cloud):
    """Failures are sent and rebuilt as in process."""
    run = cloud({"id": 7}, callbacks={"approval": Fails("too dear", "Refused")})
    assert isinstance(run.error, CallbackFailed)
    assert ("Refused", "too dear") == (run.error.error_type, run.error.message)


def test_run_then_its_golden_history_is_read_back(cloud):
    """Golden histories and snapshots are made of what AWS tells, and are the same for two runs."""
    one, two = (cloud({"id": 7}, callbacks={"*": Answer(1)}) for _ in range(2))
    assert one.arn != two.arn
    assert [one.path for one in history(one.golden())] == [one.path for one in two]
    assert '"CallbackId": "callback-1"' in one.golden()


def test_path_is_never_waited_for_then_the_error_lists_what_was(cloud):
    """A path that is never waited for is an error there too."""
    with pytest.raises(LookupError, match="the execution is SUCCEEDED and 'aproval' was never"):
        cloud({"id": 7}, callbacks={"approval": 1}, until="aproval")


def test_updates_are_asked_for_then_the_error_says_that_nobody_sees_them(cloud):
    """What the function sends cannot be seen from outside."""
    with pytest.raises(UsageError, match="cannot be seen from outside"):
        _ = cloud({"id": 7}, callbacks={"approval": 1}).updates


def test_patience_ends_then_the_error_draws_the_run(cloud):
    """An execution that takes too long is an error with its tree."""
    with pytest.raises(TimeoutError) as caught:
        cloud({"id": 7}, callbacks={"approval": After(1, hours=1)}, patience=1)
    assert "is not over after 1 s:\nexecution running after" in str(caught.value)


def test_event_is_no_json_then_it_is_refused(cloud):
    """An event that Lambda could not be sent is the test's mistake."""
    with pytest.raises(UsageError, match="the event of an execution is JSON"):
        cloud(object())


TEST = """
    from durable_gen.testing import Answer

    def test_deployed(durable_cloud):
        run = durable_cloud({"id": 7}, callbacks={"approval": Answer(True)})
        assert run.result["approved"]
        assert run["charge"].result == {"receipt": "r-8"}
"""


def test_fixture_then_options_say_where_the_function_is(pytester, endpoint, monkeypatch):
    """`durable_cloud` finds the function by options; a failed test shows its run."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    pytester.makepyfile(TEST)
    options = ["--durable-function=brief:$LATEST", f"--durable-endpoint={endpoint}"]
    result = pytester.runpytest("-p", "no:xdist", *options, "--durable-region=eu-west-1")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*durable run 1*", "execution succeeded after *"])


def test_no_function_is_given_then_the_test_is_skipped(pytester):
    """Without a deployed function there is nothing to test, and the reason says what to give."""
    pytester.makepyfile(TEST)
    result = pytester.runpytest("-p", "no:xdist", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        ["*durable_cloud needs a deployed function: pytest --durable-function ARN"]
    )
