"""Sandboxes: real processes with the real runtime client, and what becomes of invocations in them."""

import json
import os
import signal
import textwrap
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from durable_gen.local import _sandbox
from durable_gen.local._sandbox import FunctionSpec
from durable_gen.local._sandbox_calls import Failure, Response
from durable_gen.local._sandboxes import PASSED, Closed, Sandboxes
from local.sandboxing import PATIENCE, eventually, gone, pids

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f:7"
CODE = """
    import logging, os, sys, time
    from pathlib import Path

    count = 0
    print("loading")

    def echo(event, context):
        return event

    def who(event, context):
        global count
        count += 1
        return [os.getpid(), count]

    def meet(event, context):
        mine = Path(event["here"], str(os.getpid()))
        mine.touch()
        while len(list(mine.parent.iterdir())) < 2:
            time.sleep(0.01)
        return os.getpid()

    def gated(event, context):
        print("begin", event["n"])
        Path(event["begun"]).touch()
        while not Path(event["gate"]).exists():
            time.sleep(0.01)
        print("end", event["n"])

    def leave(event, context):
        match event:
            case {"sys": code}:
                sys.exit(code)
            case {"os": code}:
                os._exit(code)
            case {"signal": number}:
                os.kill(os.getpid(), number)
                time.sleep(60)
        return "alive"

    def fail(event, context):
        raise LookupError("no Stück")

    def spin(event, context):
        print("spinning")
        Path(event["pid"]).write_text(str(os.getpid()))
        while True:
            pass

    def hog(event, context):
        kept = [b"x" * (16 << 20) for _ in range(event)]
        time.sleep(30 if event > 8 else 0)
        return len(kept)

    def talk(event, context):
        print("one")
        print("two", file=sys.stderr)
        os.write(1, b"three\\r\\n")
        logging.getLogger("app").warning("four")
        print("five ü")
        print("six", end="")

    def log(event, context):
        logging.getLogger("app").info("hello", extra={"durableExecutionArn": "arn"})
        logging.getLogger("app").debug("not shown")
        print("plain")

    def tell(event, context):
        names = [
            "aws_request_id", "function_name", "function_version", "memory_limit_in_mb",
            "invoked_function_arn", "log_group_name", "tenant_id",
        ]
        return {
            **{name: getattr(context, name) for name in names},
            "remaining": context.get_remaining_time_in_millis(),
            "custom": context.client_context and context.client_context.custom,
            "identity": context.identity.cognito_identity_id,
            "cwd": os.getcwd(),
            "pid": os.getpid(),
            "env": dict(os.environ),
        }

    def big(event, context):
        return "x" * event
"""


@pytest.fixture(name="code", scope="module")
def _code(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code")
    (folder / "code.py").write_text(textwrap.dedent(CODE))
    (folder / "broken.py").write_text("import no_such_module\n")
    (folder / "untidy.py").write_text("def f(:\n")
    (folder / "raising.py").write_text("1 / 0\n")
    (folder / "leaving.py").write_text("import os\nprint('bye')\nos._exit(3)\n")
    (folder / "hanging.py").write_text("import time\ntime.sleep(600)\n")
    return folder


@pytest.fixture(name="log", scope="module")
def _log(tmp_path_factory):
    return tmp_path_factory.mktemp("log") / "log"


@pytest.fixture(name="pool", scope="module")
def _pool(code, log):
    with Sandboxes(code=code, log=log, endpoint="http://127.0.0.1:9") as pool:
        yield pool


def function(name, **more):
    more = {"version": "7", "timeout": PATIENCE, "memory": 256, **more}
    return FunctionSpec("f", name if "." in name else f"code.{name}", **more)


def invoke(pool, name, event=None, **more):
    of_the_function = {"environment", "timeout", "memory", "log_format", "log_level"} & more.keys()
    spec = function(name, **{key: more.pop(key) for key in of_the_function})
    more = {"request_id": str(uuid.uuid4()), "arn": ARN, **more}
    return pool.invoke(spec, json.dumps(event).encode(), **more)


def value(answer):
    assert isinstance(answer, Response), answer
    return json.loads(answer.body)


# --- what is asked and answered ----------------------------------------------------------------------


@pytest.mark.parametrize("event", [None, 1.5, "ü€😀", {"a": [1, {"b": None}]}, "x" * 5_000_000])
def test_event_then_the_function_sees_it_and_its_answer_comes_back(pool, event):
    """JSON goes in and comes out as it is, up to what Lambda lets through."""
    assert value(invoke(pool, "echo", event)) == event


def test_second_invocation_then_the_sandbox_is_warm(pool):
    """A free sandbox is used again, with the state of its module."""
    pid, before = value(invoke(pool, "who"))
    assert value(invoke(pool, "who")) == [pid, before + 1]


def test_context_then_it_is_as_on_lambda(pool, code, monkeypatch):
    """The context and the environment hold what Lambda puts there, and nothing of this machine."""
    monkeypatch.setenv("SECRET_OF_MINE", "s")
    monkeypatch.setenv("AWS_PROFILE", "production")
    deadline = time.time_ns() // 1_000_000 + 3_600_000
    answer = invoke(
        pool,
        "tell",
        request_id="r-1",
        tenant_id="blue",
        trace_id="Root=1-2",
        client_context='{\n"custom": {"k": "ü"}}',
        cognito_identity='{"cognitoIdentityId": "me"}',
        deadline_ms=deadline,
        environment={"TABLE": "t", "AWS_REGION": "eu-west-1", "_HANDLER": "x"},
    )
    told = value(answer)
    environment = told.pop("env")
    assert 3_500_000 < told.pop("remaining") <= 3_600_000
    assert told.pop("pid") > 0
    assert told == {
        "aws_request_id": "r-1",
        "function_name": "f",
        "function_version": "7",
        "memory_limit_in_mb": "256",
        "invoked_function_arn": ARN,
        "log_group_name": "/aws/lambda/f",
        "tenant_id": "blue",
        "custom": {"k": "ü"},
        "identity": "me",
        "cwd": str(code),
    }
    wanted = {
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_LAMBDA_LOG_FORMAT": "Text",
        "AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_REGION": "eu-west-1",
        "LAMBDA_TASK_ROOT": str(code),
        "_HANDLER": "code.tell",
        "_X_AMZN_TRACE_ID": "Root=1-2",
        "TABLE": "t",
    }
    assert wanted == {name: environment.get(name) for name in wanted}
    assert "[7]" in environment["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert not {"SECRET_OF_MINE", "AWS_PROFILE"} & environment.keys()


def test_no_deadline_given_then_the_timeout_counts_from_the_take_up(pool):
    """Without a deadline, the function has its timeout from when its sandbox takes the event up."""
    told = value(invoke(pool, "tell", timeout=900))
    assert 890_000 < told["remaining"] <= 900_000


def test_tenants_then_each_has_sandboxes_of_its_own(pool):
    """What one tenant has used is not used for another."""
    seen = [value(invoke(pool, "tell", tenant_id=tenant)) for tenant in ("a", "b", "a", None)]
    assert [one["tenant_id"] for one in seen] == ["a", "b", "a", None]
    assert seen[0]["pid"] == seen[2]["pid"]
    assert len({one["pid"] for one in seen}) == 3


# --- failures ------------------------------------------------------------------------------------


def test_handler_raises_then_its_error_and_the_sandbox_stays(pool):
    """An exception is told with its class, its text and its lines, and the process goes on."""
    answer = invoke(pool, "fail", request_id="r-2")
    assert (answer.kind, answer.error_type, answer.message) == (
        "handler",
        "LookupError",
        "no Stück",
    )
    assert "raise LookupError" in answer.stack_trace[-1]
    assert json.loads(answer.body) == {
        "errorType": "LookupError",
        "errorMessage": "no Stück",
        "requestId": "r-2",
        "stackTrace": list(answer.stack_trace),
    }


@pytest.mark.parametrize(
    ("event", "how"),
    [
        ({"sys": 0}, "Runtime exited without providing a reason"),
        ({"sys": 2}, "Runtime exited with error: exit status 2"),
        ({"os": 3}, "Runtime exited with error: exit status 3"),
        ({"signal": signal.SIGKILL}, "Runtime exited with error: signal: killed"),
        ({"signal": signal.SIGSEGV}, "Runtime exited with error: signal: segmentation fault"),
    ],
)
def test_process_dies_then_exit_error_and_another_goes_on(pool, event, how):
    """A death is told in Lambda's words, logged, and the next invocation has a new process."""
    answer = invoke(pool, "leave", event, request_id=f"r-{how}")
    message = f"RequestId: r-{how} Error: {how}"
    assert (answer.kind, answer.error_type, answer.message) == (
        "exit",
        "Runtime.ExitError",
        message,
    )
    assert json.loads(answer.body) == {"errorType": "Runtime.ExitError", "errorMessage": message}
    assert answer.log.decode().endswith(f"{message}\nRuntime.ExitError\n")
    assert value(invoke(pool, "leave", {})) == "alive"


def test_idle_sandbox_dies_then_nobody_notices(pool):
    """What dies between two invocations is replaced."""
    pid, _ = value(invoke(pool, "who", environment={"X": "idle"}))
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: gone(pid))
    other, count = value(invoke(pool, "who", environment={"X": "idle"}))
    assert other != pid
    assert count == 1


def test_endless_loop_then_killed_at_the_timeout(pool, tmp_path):
    """A function that takes longer than its timeout is killed, as Lambda reports it."""
    answer = invoke(pool, "spin", {"pid": str(tmp_path / "pid")}, timeout=1, request_id="r-4")
    text = "Task timed out after 1.00 seconds"
    assert (answer.kind, answer.error_type) == ("timeout", "Sandbox.Timedout")
    assert answer.message == f"RequestId: r-4 Error: {text}"
    assert [line.text for line in pool.lines("r-4")][1] == "spinning"
    assert pool.lines("r-4")[2].text.endswith(f" r-4 {text}")
    assert gone(*pids(tmp_path / "pid"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_too_much_memory_then_killed(pool):
    """A function that holds more than it may is killed; one that holds less is not."""
    answer = invoke(pool, "hog", 64)
    assert (answer.kind, answer.error_type) == ("memory", "Runtime.OutOfMemory")
    assert answer.message.endswith("Error: Runtime exited with error: signal: killed")
    assert value(invoke(pool, "hog", 2)) == 2


@pytest.mark.parametrize(
    ("handler", "kind", "error_type", "message"),
    [
        ("broken.f", "init", "Runtime.ImportModuleError", "No module named 'no_such_module'"),
        ("absent.f", "init", "Runtime.ImportModuleError", "No module named 'absent'"),
        ("untidy.f", "init", "Runtime.UserCodeSyntaxError", "Syntax error in module 'untidy'"),
        ("raising.f", "init", "ZeroDivisionError", "division by zero"),
        ("code.absent", "init", "Runtime.HandlerNotFound", "'absent' missing on module 'code'"),
        ("leaving.f", "exit", "Runtime.ExitError", "exit status 3"),
    ],
)
def test_function_cannot_be_loaded_then_said_why(pool, handler, kind, error_type, message):
    """What goes wrong while a function loads is the end of the invocation that wanted it."""
    answer = invoke(pool, handler, request_id="r-5")
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.error_type) == (kind, error_type)
    assert message in answer.message
    assert json.loads(answer.body)["errorType"] == error_type


def test_loading_hangs_then_timed_out(pool, monkeypatch):
    """A function that does not finish loading is killed too."""
    monkeypatch.setattr(_sandbox, "INIT", 0.2)
    answer = invoke(pool, "hanging.f", timeout=0.1)
    assert (answer.kind, answer.error_type) == ("timeout", "Sandbox.Timedout")


def test_too_large_an_answer_then_refused_and_the_sandbox_stays(pool):
    """What Lambda does not carry is a failure of the function, not of its process."""
    pid, before = value(invoke(pool, "who"))
    answer = invoke(pool, "big", 7_000_000)
    assert (answer.kind, answer.error_type) == ("handler", "Function.ResponseSizeTooLarge")
    assert value(invoke(pool, "big", 3)) == "xxx"
    assert value(invoke(pool, "who")) == [pid, before + 1]


# --- output --------------------------------------------------------------------------------------


def test_output_then_line_by_line_in_order_with_its_request(pool, log):
    """Both streams and the log are kept in order, as printed, under the invocation's id."""
    requests = [str(uuid.uuid4()) for _ in range(2)]
    answers = [invoke(pool, "talk", request_id=request) for request in requests]
    for request, answer in zip(requests, answers, strict=True):
        lines = [line.text for line in pool.lines(request)]
        assert lines[:-6] == (["loading"] if request == requests[0] else [])
        assert [*lines[-6:-3], *lines[-2:]] == ["one", "two", "three", "five ü", "six"]
        assert lines[-3].startswith("[WARNING]")
        assert lines[-3].endswith(f"{request}\tfour")
        assert answer.log.decode() == "".join(f"{line}\n" for line in lines)
    written = log.read_text("utf-8")
    assert written.endswith("".join(answer.log.decode() for answer in answers))


def test_json_log_format_then_records_in_the_file(pool, log):
    """With JSON asked for, each record is a line of JSON with the request id, from INFO upwards."""
    invoke(pool, "log", request_id="r-6", tenant_id="blue", log_format="JSON")
    _, line, plain = [line.text for line in pool.lines("r-6")]
    record = json.loads(line)
    assert record.pop("timestamp")
    assert record == {
        "level": "INFO",
        "message": "hello",
        "logger": "app",
        "requestId": "r-6",
        "tenantId": "blue",
        "durableExecutionArn": "arn",
    }
    assert plain == "plain"
    assert log.read_text("utf-8").endswith(f"\n{line}\nplain\n")


def test_log_level_then_it_is_the_functions(pool):
    """A level that the function's configuration names is obeyed."""
    invoke(pool, "log", request_id="r-7", log_format="JSON", log_level="DEBUG")
    assert ["hello", "not shown"] == [
        json.loads(line.text)["message"] for line in pool.lines("r-7") if "{" in line.text
    ]


# --- many at once --------------------------------------------------------------------------------


def test_two_at_once_then_two_processes(pool, tmp_path):
    """A sandbox runs one invocation at a time; a second one starts a second sandbox."""
    with ThreadPoolExecutor() as threads:
        both = threads.map(lambda _: value(invoke(pool, "meet", {"here": str(tmp_path)})), range(2))
        assert len(set(both)) == 2


def test_as_many_as_may_be_run_then_the_next_one_waits(code, tmp_path):
    """At the limit, an invocation waits for a sandbox, and gets it."""
    log = tmp_path / "log"
    with Sandboxes(code=code, log=log, most=1) as pool, ThreadPoolExecutor() as threads:
        events = [
            {"n": n, "begun": str(tmp_path / f"begun{n}"), "gate": str(tmp_path / "gate")}
            for n in range(2)
        ]
        first = threads.submit(invoke, pool, "gated", events[0])
        eventually((tmp_path / "begun0").exists)
        second = threads.submit(invoke, pool, "gated", events[1])
        eventually(lambda: pool._turns)
        (tmp_path / "gate").touch()
        assert [value(one.result(PATIENCE)) for one in (first, second)] == [None, None]
    assert log.read_text().split("\n")[1:-1] == ["begin 0", "end 0", "begin 1", "end 1"]


def test_limit_and_others_are_idle_then_the_longest_idle_one_makes_room(code):
    """An idle sandbox of another function does not keep a function waiting."""
    with Sandboxes(code=code, most=2) as pool:
        first, second = (
            value(invoke(pool, "who", environment={"X": x}))[0] for x in ("one", "two")
        )
        assert value(invoke(pool, "echo", 1)) == 1
        assert gone(first)
        assert value(invoke(pool, "who", environment={"X": "two"})) == [second, 2]


@pytest.mark.parametrize(
    ("queue", "expected"),
    [("ab" * 10, [10, 10]), ("ab" + "a" * (PASSED + 4), [1, 4, PASSED + 1])],
)
def test_many_wait_then_a_sandbox_is_kept_for_its_function_but_not_for_ever(
    code, tmp_path, queue, expected
):
    """A free sandbox goes to who waits for its function, until others have been passed over enough."""
    event = {"n": 0, "begun": str(tmp_path / "begun"), "gate": str(tmp_path / "gate")}
    with Sandboxes(code=code, most=1) as pool, ThreadPoolExecutor(32) as threads:
        first = threads.submit(invoke, pool, "gated", event)
        eventually((tmp_path / "begun").exists)
        waiting = []
        for n, which in enumerate(queue, 1):
            waiting.append(threads.submit(invoke, pool, "who", environment={"X": which}))
            eventually(lambda n=n: len(pool._turns) == n)
        (tmp_path / "gate").touch()
        assert value(first.result(PATIENCE)) is None
        served = Counter(value(one.result(PATIENCE))[0] for one in waiting)
        assert sorted(served.values()) == expected


def test_many_threads_then_each_gets_its_own_answer(code):
    """Many threads share few sandboxes, and nothing is mixed up."""
    with Sandboxes(code=code, most=3) as pool, ThreadPoolExecutor(16) as threads:
        answers = threads.map(lambda n: value(invoke(pool, "echo", n)), range(200))
        assert list(answers) == list(range(200))
        assert len(pool._all) == 3


def test_client_context_is_no_json_then_refused_before_it_runs(pool):
    """What the runtime could not read is not sent to it."""
    with pytest.raises(ValueError, match="Expecting value"):
        invoke(pool, "echo", client_context="x")


def test_no_sandbox_allowed_then_refused(code):
    """A limit at which everything would wait forever is refused."""
    with pytest.raises(ValueError, match="expected most to be at least 1, got 0"):
        Sandboxes(code=code, most=0)


def test_no_runtime_client_then_said_what_to_install(code, tmp_path):
    """An interpreter without awslambdaric is refused before anything runs."""
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\necho\n")
    bare.chmod(0o755)
    with pytest.raises(ModuleNotFoundError, match="pip install awslambdaric"):
        Sandboxes(code=code, python=str(bare))


def test_closed_while_one_waits_then_it_is_told(code, tmp_path):
    """Closing ends what runs and what waits; neither is taken for a failure of the function."""
    with ThreadPoolExecutor() as threads:
        pool = Sandboxes(code=code, most=1)
        running = threads.submit(invoke, pool, "spin", {"pid": str(tmp_path / "pid")})
        (pid,) = pids(tmp_path / "pid")
        waiting = threads.submit(invoke, pool, "echo")
        eventually(lambda: pool._turns)
        pool.close()
        assert gone(pid)
        for one in (running, waiting):
            with pytest.raises(Closed):
                one.result(PATIENCE)
        with pytest.raises(Closed):
            invoke(pool, "echo")
