"""The command line, as real processes: what it prints, how it ends, and what survives a kill."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

from durable_gen import VERSION

PATIENCE = 60  # seconds that anything may take on a slow machine
POLL = 0.02  # seconds between looks
CLI = [sys.executable, "-m", "durable_gen.cli"]
FLOWS = '''
import logging
import pathlib
import sys
import time

from durable_gen import CallbackTimedOut, durable


def note(event, word):
    """Count a side effect: a line in a file."""
    with pathlib.Path(event["log"]).open("a") as file:
        file.write(word + "\\n")


def hold(event, word):
    """Note that it began, and take until somebody lets go."""
    note(event, word)
    while not pathlib.Path(event["log"] + ".go").exists():
        time.sleep(0.02)


def refuse():
    text = "no funds\\non this card"
    raise ValueError(text)


def pay(ctx, event):
    yield from ctx.step("charge", refuse, retry=None)


@durable
def two(event, ctx):
    one = yield from ctx.step("one", lambda: 1)
    yield from ctx.wait("nap", hours=30)
    return [one, (yield from ctx.step("two", lambda: "é"))]


@durable
def talks(event, ctx):
    def talk():
        print(":smile: [red]said[/red]")
        print("no end", end="")
        logging.warning("logged")

    yield from ctx.step("talk", talk)
    ctx.log.info("settled", amount=3)
    return event


@durable
def fails(event, ctx):
    yield from ctx.child("payment", pay, event)


@durable
def drops(event, ctx):
    ctx.step("a", refuse)
    yield from ctx.wait("nap", seconds=1)


@durable
def exits(event, ctx):
    yield from ctx.step("exit", sys.exit, 0)


@durable
def stuck(event, ctx):
    yield from ctx.step("before", note, event, "before")
    yield from ctx.step("hold", hold, event, "hold")
    yield from ctx.step("after", note, event, "after")
    return "done"


@durable
def sleeps(event, ctx):
    yield from ctx.step("before", note, event, "before")
    yield from ctx.wait("nap", hours=30)
    yield from ctx.step("after", note, event, "after")
    return "done"


@durable
def crowd(event, ctx):
    yield from ctx.map("all", [1, 2], lambda c, n: (yield from c.step("hold", hold, event, "hold")))


@durable
def asks(event, ctx):
    return (yield from ctx.wait_for_callback("approval", lambda id: None))


@durable
def asks_until(event, ctx):
    try:
        answer = yield from ctx.wait_for_callback("approval", lambda id: None, timeout=event)
    except CallbackTimedOut:
        return "nobody"
    return answer


@durable
def asks_many(event, ctx):
    def one(ctx, item):
        return (yield from ctx.wait_for_callback("approval", lambda id: None))

    return (yield from ctx.map("ship", ["a", "b"], one, item_name=lambda item, _: item)).values


@durable
def many(event, ctx):
    def one(ctx, n):
        if n == 7:
            raise ValueError("bad luck")
        return (yield from ctx.step("one", lambda: n))

    return len((yield from ctx.map("all", range(150), one)).values)


@durable
def nests(event, ctx):
    yield from ctx.child("inside", lambda c: (yield from c.wait("nap", seconds=1)))
    yield from ctx.race(ctx.wait("short", seconds=1), ctx.wait("long", hours=1))


@durable
def invokes(event, ctx):
    return (yield from ctx.invoke("other", "talks:$LATEST", {"a": 1}))
'''


@pytest.fixture(name="here")
def _here(tmp_path):
    (tmp_path / "flows.py").write_text(FLOWS, "utf-8")
    return tmp_path


def environment(**more):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    for name in ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR"):
        kept.pop(name, None)
    return {**kept, "TERM": "xterm-256color", **more}


def run(here, *arguments, command=CLI):
    """Run a command to its end; give exit status, standard output, standard error."""
    ran = subprocess.run(
        [*command, *arguments],
        cwd=here,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return ran.returncode, ran.stdout, ran.stderr


def begin(here, *arguments):
    """Begin a command."""
    with (here / "err").open("w") as err:
        return subprocess.Popen(
            [*CLI, *arguments],
            cwd=here,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
        )


def until(true, process):
    """Poll for something that a process does."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never came"
        assert process.poll() is None, "it ended before"
        time.sleep(POLL)


def end(process, number):
    """Send a signal; give the exit status and the standard output."""
    process.send_signal(number)
    out, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, out


def noted(here):
    path = here / "log"
    return path.read_text("utf-8").split() if path.exists() else []


def stored(here, flow, *more):
    """Write the arguments of a run that can be gone on with."""
    event = json.dumps({"log": str(here / "log")})
    return ["run", f"flows.py:{flow}", "--event", event, "--name", "n", "--store", "s.db", *more]


def told(here):
    return (here / "err").read_text("utf-8")


# --- what it prints ----------------------------------------------------------------------------------


def test_success_then_result_on_stdout_and_story_on_stderr(here):
    """Standard output is the result and nothing else; the progress is on standard error, line by line."""
    status, out, err = run(here, "run", "flows.py:two", "--name", "n", "--skip-time")
    assert (0, '[\n  1,\n  "é"\n]\n') == (status, out)
    assert err == (
        "flows.py:two  n\n"
        "   0.0s  step one started\n"
        "   0.0s  step one succeeded\n"
        "   0.0s  wait nap started: 1d 06h\n"
        " 1d 06h  wait nap succeeded\n"
        " 1d 06h  step two started\n"
        " 1d 06h  step two succeeded\n"
        "SUCCEEDED after 1d 06h, 2 invocations\n"
    )


def test_steps_print_and_log_then_their_lines_are_whole_and_on_stderr(here):
    """What a workflow prints and logs stands among the progress, a line each, as it was written."""
    status, out, err = run(
        here, "run", "flows:talks", "--event", "[]", "--name", "n", "--skip-time"
    )
    assert (0, "[]\n") == (status, out)
    assert err == (
        "flows:talks  n\n"
        "   0.0s  step talk started\n"
        ":smile: [red]said[/red]\n"
        "WARNING:root:logged\n"
        "   0.0s  step talk succeeded\n"
        "info: settled amount=3\n"
        "SUCCEEDED after 0.0s, 1 invocation\n"
        "no end\n"
    )


def test_failure_then_one_block_of_the_users_frames(here):
    """A failure is one block: the user's frames down to the step that raised, the class, the whole text."""
    status, out, err = run(here, "run", "flows.py:fails", "--name", "n", "--skip-time")
    assert (1, "") == (status, out)

    def frame(line, function):
        number = FLOWS.split("\n").index(f"    {line}") + 1
        return f'  File "{here}/flows.py", line {number}, in {function}\n    {line}\n'

    assert err == (
        "flows.py:fails  n\n"
        "   0.0s  child context payment started\n"
        "   0.0s  step payment/charge started\n"
        "   0.0s  step payment/charge failed: ValueError: no funds\n"
        "   0.0s  child context payment failed: StepFailed\n"
        "FAILED after 0.0s, 1 invocation\n"
        + frame('yield from ctx.child("payment", pay, event)', "fails")
        + frame('yield from ctx.step("charge", refuse, retry=None)', "pay")
        + frame("raise ValueError(text)", "refuse")
        + "ChildContextFailed: child context failed for operation 'payment': "
        "StepFailed: step failed for operation 'charge': ValueError: no funds\non this card\n"
    )


def test_trap_then_the_text_says_how_it_is_written_right(here):
    """An error of the library's own is shown whole, and once."""
    status, _, err = run(here, "run", "flows.py:drops", "--name", "n", "--skip-time")
    line = FLOWS.split("\n").index('    ctx.step("a", refuse)') + 1
    assert 1 == status
    assert err == (
        "flows.py:drops  n\n"
        "FAILED after 0.0s, 1 invocation\n"
        f"UsageError: flows.py:{line}, in drops: ctx.step('a') was created and never yielded, "
        "so it never ran:\n"
        "    wrong:  ctx.step('a')\n"
        "    right:  yield from ctx.step('a')\n"
    )


def test_json_then_one_object_holds_the_outcome(here):
    """With --json a success is an object on standard output."""
    status, out, _ = run(here, "run", "flows.py:two", "--name", "n", "--skip-time", "--json")
    found = json.loads(out)
    assert found.pop("arn").endswith(f"/durable-execution/n/{found_id(out)}")
    expected = {"name": "n", "status": "SUCCEEDED", "result": [1, "é"], "error": None}
    assert (0, {**expected, "invocations": 2}) == (status, found)


def found_id(out):
    return json.loads(out)["arn"].rpartition("/")[2]


def test_json_of_a_failure_then_it_holds_the_error(here):
    """With --json a failure is an object too, and the exit status is 1."""
    status, out, err = run(here, "run", "flows.py:fails", "--json")
    found = json.loads(out)
    assert (1, "FAILED", None) == (status, found["status"], found["result"])
    assert "ChildContextFailed" == found["error"]["ErrorType"]
    assert err.endswith("ValueError: no funds\non this card\n")


def test_module_run_then_it_is_the_command():
    """`python -m durable_gen.cli` is `durable-gen`."""
    assert (0, f"durable-gen, version {VERSION}\n", "") == run(None, "--version")


def test_other_handler_of_the_file_is_invoked_then_it_runs(here):
    """A workflow can invoke the other handlers of its file by their names."""
    status, out, _ = run(here, "run", "flows.py:invokes")
    assert (0, {"a": 1}) == (status, json.loads(out))


# --- wrong command lines -----------------------------------------------------------------------------

USAGE = "Usage: durable-gen run [OPTIONS] TARGET\nTry 'durable-gen run --help' for help.\n\nError: "
TARGETS = "write FILE.py:NAME or MODULE:NAME, such as orders.py:handler, not"
ANSWERS = "Invalid value for --callback: write NAME=JSON, such as approval=true, not"
ALL = (
    "asks, asks_many, asks_until, crowd, drops, exits, fails, invokes, many, nests, sleeps, stuck, "
    "talks, two"
)
WRONG = [
    (["flows.py"], f"Invalid value for TARGET: {TARGETS} 'flows.py'"),
    (["flows.py:"], f"Invalid value for TARGET: {TARGETS} 'flows.py:'"),
    (["no.py:f"], "Invalid value for TARGET: no.py: no such file"),
    (
        ["nowhere.at_all:f"],
        (
            "Invalid value for TARGET: no module is named 'nowhere.at_all'; "
            "a file is named with its .py: nowhere.at_all.py"
        ),
    ),
    (["flows.py:nix"], f"Invalid value for TARGET: flows.py: has no 'nix'; it has: {ALL}"),
    (
        ["flows.py:pay"],
        f"Invalid value for TARGET: flows.py: 'pay' is not decorated with @durable; it has: {ALL}",
    ),
    (
        ["empty.py:f"],
        "Invalid value for TARGET: empty.py: has no 'f'; no function in it is decorated with @durable",
    ),
    (
        ["flows.py:two", "--event", "no.json"],
        (
            "Invalid value for --event: 'no.json' is neither a file nor JSON: "
            "Expecting value: line 1 column 1 (char 0)"
        ),
    ),
    (
        ["flows.py:two", "--event", "bad.json"],
        "Invalid value for --event: bad.json is not JSON: NaN is no JSON",
    ),
    (["flows.py:two", "--callback", "yes"], f"{ANSWERS} 'yes'"),
    (["flows.py:two", "--callback", "approval=yes"], f"{ANSWERS} 'approval=yes'"),
    (["flows.py:two", "--callback", "=true"], f"{ANSWERS} '=true'"),
    (
        ["flows.py:two", "--name", "a b"],
        "--name 'a b' cannot be a name: use 1 to 64 letters, digits, - and _",
    ),
    (
        ["flows.py:two", "--store", "flows.py"],
        "--store flows.py is no store: file is not a database",
    ),
    (["flows.py:two", "--nix"], "No such option '--nix'."),
    ([], "Missing argument 'TARGET'."),
]


@pytest.mark.parametrize(("arguments", "text"), WRONG)
def test_wrong_command_line_then_it_says_what_to_write(here, arguments, text):
    """A wrong command line ends with 2, and says what was expected; nothing runs."""
    (here / "empty.py").write_text("")
    (here / "bad.json").write_text("NaN")
    assert (2, "", f"{USAGE}{text}\n") == run(here, "run", *arguments)


def test_store_in_no_directory_then_it_says_so(here):
    """A store cannot be made where no directory is."""
    text = f"--store no/s.db cannot be opened: there is no directory {here}/no"
    assert (2, "", f"{USAGE}{text}\n") == run(here, "run", "flows.py:two", "--store", "no/s.db")


BROKEN = [
    (
        "import nowhere\n",
        (
            '  File "{path}", line 1, in <module>\n    import nowhere\n'
            "ModuleNotFoundError: No module named 'nowhere'"
        ),
    ),
    (
        "def f():\n    raise ValueError('a\\nb')\n\n\nf()\n",
        (
            '  File "{path}", line 5, in <module>\n    f()\n'
            "  File \"{path}\", line 2, in f\n    raise ValueError('a\\nb')\n"
            "ValueError: a\nb"
        ),
    ),
    (
        "x = = 1\n",
        '  File "{path}", line 1\n    x = = 1\n        ^\nSyntaxError: invalid syntax',
    ),
    (
        "raise SystemExit(7)\n",
        '  File "{path}", line 1, in <module>\n    raise SystemExit(7)\nSystemExit: 7',
    ),
]


@pytest.mark.parametrize(("source", "block"), BROKEN)
@pytest.mark.parametrize("target", ["broken.py", "broken"])
def test_file_cannot_be_imported_then_one_block_of_its_frames(here, target, source, block):
    """A file that cannot be imported ends with 2, and only its own frames are shown."""
    path = here / "broken.py"
    path.write_text(source, "utf-8")
    text = f"Error: {target} cannot be imported:\n{block.format(path=path)}\n"
    assert (2, "", text) == run(here, "run", f"{target}:handler")


def test_file_is_named_like_a_module_of_the_library_then_it_runs(here):
    """A user's file may be called as a module that is loaded already."""
    (here / "mine").mkdir()
    (here / "mine" / "logging.py").write_text(FLOWS, "utf-8")
    status, out, _ = run(here, "run", "mine/logging.py:two", "--skip-time", "--json")
    assert (0, [1, "é"]) == (status, json.loads(out)["result"])


# --- names and stores --------------------------------------------------------------------------------


def test_store_is_in_use_then_the_second_command_says_so(here):
    """A store belongs to one process at a time; the other one ends with 2."""
    first = begin(here, *stored(here, "stuck"))
    until(lambda: "hold" in noted(here), first)
    text = "--store s.db is in use by another process: end that one first, or use another file"
    assert (2, "", f"{USAGE}{text}\n") == run(here, *stored(here, "two"))
    end(first, signal.SIGKILL)


def test_name_is_taken_by_another_event_then_it_says_so(here):
    """A name stands for one event; how that is laid out does not matter, and it may be left out."""
    named = ["run", "flows.py:talks", "--name", "n", "--store", "s.db"]
    expected = (0, '{\n  "a": 1\n}\n')
    assert expected == run(here, *named, "--event", '{"a":1}')[:2]
    assert expected == run(here, *named, "--event", '{\n  "a": 1}')[:2]
    assert expected == run(here, *named)[:2]
    text = (
        "--name n is taken: the store has an execution of that name with another event. "
        "Use another --name, or leave out --event to go on with it"
    )
    assert (2, "", f"{USAGE}{text}\n") == run(here, *named, "--event", "{}")


def test_ended_execution_is_run_again_then_nothing_runs(here):
    """An execution that has ended gives its result again."""
    (here / "log.go").touch()
    first = run(here, *stored(here, "stuck"))
    again = run(here, *stored(here, "stuck"))
    assert (0, '"done"\n') == first[:2] == again[:2]
    assert ["before", "hold", "after"] == noted(here)
    assert again[2].startswith(
        "flows.py:stuck  n\nit ended before: 3 operations are done; another --name runs it anew\nSUCCEEDED"
    )


def test_another_execution_is_open_in_the_store_then_it_is_left_alone(here):
    """A run moves the execution that it names, and no other one of its store."""
    first = begin(here, *stored(here, "stuck"))
    until(lambda: "hold" in noted(here), first)
    end(first, signal.SIGKILL)
    assert (0, "{}\n") == run(here, "run", "flows.py:talks", "--store", "s.db")[:2]
    assert 0 == run(here, "run", "flows.py:two", "--store", "s.db", "--skip-time")[0]
    assert ["before", "hold"] == noted(here)


# --- killed and gone on with -------------------------------------------------------------------------


def test_killed_in_a_step_then_only_that_step_runs_again(here):
    """After `kill -9` the same command goes on: steps that were acknowledged do not run again."""
    for times in (1, 2, 3, 4, 5, 6):
        process = begin(here, *stored(here, "stuck"))
        until(lambda times=times: times == noted(here).count("hold"), process)
        assert (-signal.SIGKILL, "") == end(process, signal.SIGKILL)
    (here / "log.go").touch()
    status, out, err = run(here, *stored(here, "stuck"))
    assert (0, '"done"\n') == (status, out)
    assert ["before", *["hold"] * 7, "after"] == noted(here)
    assert "it goes on: 1 operation is done already\n" in err


def test_killed_in_a_wait_then_no_step_runs_again(here):
    """After `kill -9` during a wait the same command finishes, and no step runs twice."""
    process = begin(here, *stored(here, "sleeps"))
    until(lambda: "wait nap started" in told(here), process)
    assert (-signal.SIGKILL, "") == end(process, signal.SIGKILL)
    assert ["before"] == noted(here)
    assert (0, '"done"\n') == run(here, *stored(here, "sleeps", "--skip-time"))[:2]
    assert ["before", "after"] == noted(here)


@pytest.mark.parametrize(
    ("flow", "sign"), [("stuck", "step hold started"), ("sleeps", "wait nap started")]
)
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_then_a_hint_that_goes_on(here, flow, sign, number, status):
    """Ctrl-C ends with 130 and says by which command it goes on; that command does."""
    arguments = [one for one in stored(here, flow) if one not in ("--name", "n")]
    process = begin(here, *arguments)
    until(lambda: sign in told(here) and "before" in noted(here), process)
    until(lambda: flow == "sleeps" or "hold" in noted(here), process)
    assert (status, "") == end(process, number)
    *_, hint, command = told(here).splitlines()
    assert "interrupted; to go on where it was:" == hint
    (here / "log.go").touch()
    words = shlex.split(command)
    assert ["python", "-m", "durable_gen.cli"] == words[:3]
    assert (0, '"done"\n') == run(here, *words[3:], "--skip-time")[:2]
    assert 1 == noted(here).count("before")


def test_interrupted_in_memory_then_it_says_that_it_is_gone(here):
    """Without a store there is nothing to go on with; steps in threads do not delay the end."""
    process = begin(
        here, "run", "flows.py:crowd", "--event", json.dumps({"log": str(here / "log")})
    )
    until(lambda: 2 == len(noted(here)), process)
    assert (130, "") == end(process, signal.SIGINT)
    hint = "interrupted; it lived in memory and is gone: with --name and --store it can go on\n"
    assert told(here).endswith(f"started\n{hint}")


def test_step_exits_then_the_command_does_not_pretend_success(here):
    """`sys.exit(0)` in a step is no result."""
    status, out, err = run(here, "run", "flows.py:exits")
    assert (1, "") == (status, out)
    assert "the workflow called sys.exit(0); it lived in memory and is gone" in err


# --- callbacks ---------------------------------------------------------------------------------------


def test_callback_is_answered_on_the_command_line_then_it_goes_on(here):
    """`--callback NAME=JSON` answers a callback of that name; one that is left over is mentioned."""
    options = ["--callback", 'approval={"by": "Ada"}', "--callback", "other=1"]
    status, out, err = run(here, "run", "flows.py:asks", *options)
    assert (0, {"by": "Ada"}) == (status, json.loads(out))
    assert 'callback approval is answered: {"by": "Ada"}\n' in err
    assert "no callback asked for the answer 'other'\n" in err


def test_callbacks_share_a_name_then_paths_tell_them_apart(here):
    """An answer by path is for one callback, by name for all the others."""
    options = ["--callback", "approval=0", "--callback", "ship/b/approval=1"]
    status, out, _ = run(here, "run", "flows.py:asks_many", *options)
    assert (0, [0, 1]) == (status, json.loads(out))


def test_nobody_answers_then_it_says_how_and_can_be_answered_later(here):
    """With nobody there it ends with 1, and says by which command an answer is given."""
    named = ["run", "flows.py:asks", "--name", "n", "--store", "s.db"]
    status, out, err = run(here, *named)
    assert (1, "") == (status, out)
    *_, first, second, command = err.splitlines()
    assert re.fullmatch(r"WAITS after \d+\.\ds, 1 invocation", first)
    assert "for an answer to callback approval:" == second
    assert f"  python -m durable_gen.cli {shlex.join(named)} --callback approval=JSON" == command
    assert (0, "7\n") == run(here, *named, "--callback", "approval=7")[:2]


# --- in a terminal -----------------------------------------------------------------------------------

CONTROL = (
    "import fcntl, os, sys, termios\n"
    "os.setsid()\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)


class Terminal:
    """A command in a terminal of its own, with a keyboard to type on."""

    def __init__(self, here, *arguments, columns=80, **more):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self.slave = slave
        self.mode = termios.tcgetattr(slave)
        self.output = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", CONTROL, *CLI, *arguments],
            cwd=here,
            env=environment(**more),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )

    def read(self):
        if select.select([self.master], [], [], POLL)[0]:
            self.output += os.read(self.master, 65536).decode(errors="replace")

    def until(self, text):
        end = time.monotonic() + PATIENCE
        while text not in self.output:
            assert time.monotonic() < end, self.output
            assert self.process.poll() is None or select.select([self.master], [], [], 0)[0], (
                self.output
            )
            self.read()

    def type(self, text):
        self.output = ""
        os.write(self.master, text.encode())

    def end(self):
        """Wait for the end; give exit status and the text of the last output."""
        limit = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < limit, self.output
            self.read()
        while select.select([self.master], [], [], POLL)[0]:
            self.read()
        assert self.mode == termios.tcgetattr(self.slave)
        os.close(self.master)
        os.close(self.slave)
        return self.process.returncode, plain(self.output)


def plain(text):
    """Take the colours, the cursor's moves and erased lines out of a terminal's output."""
    text = re.sub(r"[^\n]*\r\x1b\[2K", "", text)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r\n", "\n").replace("\r", "")


TREE = """\
flows.py:asks  n
└── ✔ wait for callback approval
    ├── ✔ callback approval
    └── ✔ step approval submit
SUCCEEDED after 0.0s, 2 invocations
{
  "by": "Ada"
}
"""


def test_answer_is_typed_then_it_goes_on(here):
    """In a terminal a callback is asked for, again if the answer is no JSON, and a tree tells the rest."""
    terminal = Terminal(here, "run", "flows.py:asks", "--name", "n", "--skip-time")
    terminal.until("? approval: answer as JSON: ")
    terminal.type("yes\n")
    terminal.until('that is not JSON; write JSON: true, 7, "text" or {"by": "Ada"}: ')
    terminal.type('{"by": "Ada"}\n')
    status, text = terminal.end()
    assert 0 == status
    assert 'callback approval is answered: {"by": "Ada"}\n' in text
    assert TREE == text[text.rindex("flows.py:asks") :]


def test_nobody_types_in_time_then_the_deadline_passes(here):
    """When nobody answers before the deadline, the workflow goes on as it says."""
    terminal = Terminal(here, "run", "flows.py:asks_until", "--event", "2")
    terminal.until("s left): ")
    terminal.type("tr")  # half an answer is none
    status, text = terminal.end()
    assert (0, '"nobody"\n') == (status, text[text.rindex('"nobody"') :])
    assert re.search(r"✘ callback approval  \d\.\ds  timed out", text)


def test_time_is_skipped_then_enter_lets_the_deadline_pass(here):
    """With --skip-time somebody may still answer; Enter makes the clock jump."""
    arguments = ["run", "flows.py:asks_until", "--event", "86400", "--skip-time"]
    terminal = Terminal(here, *arguments)
    terminal.until("answer as JSON (1d 00h left, Enter lets it pass): ")
    terminal.type("\n")
    status, text = terminal.end()
    assert 0 == status
    assert text.endswith('SUCCEEDED after 1d 00h, 2 invocations\n"nobody"\n')


def test_interrupted_at_the_question_then_the_command_ends(here):
    """Ctrl-C at the question ends with 130, with the hint on a line of its own."""
    terminal = Terminal(here, "run", "flows.py:asks", "--name", "n", "--store", "s.db")
    terminal.until("answer as JSON: ")
    terminal.type("\x03")
    status, text = terminal.end()
    assert 130 == status
    assert text.endswith(
        "\ninterrupted; to go on where it was:\n"
        "  python -m durable_gen.cli run flows.py:asks --name n --store s.db\n"
    )
    named = ["run", "flows.py:asks", "--name", "n", "--store", "s.db"]
    assert (0, "7\n") == run(here, *named, "--callback", "approval=7")[:2]


def test_killed_at_the_question_then_it_asks_again(here):
    """After `kill -9` at the question the same command asks again."""
    arguments = ["run", "flows.py:asks", "--name", "n", "--store", "s.db"]
    terminal = Terminal(here, *arguments)
    terminal.until("answer as JSON: ")
    terminal.process.kill()
    assert -signal.SIGKILL == terminal.end()[0]
    terminal = Terminal(here, *arguments)
    terminal.until("answer as JSON: ")
    assert "it goes on: 1 operation is done already" in plain(terminal.output)
    terminal.type("7\n")
    status, text = terminal.end()
    assert (0, "\n7\n") == (status, text[-3:])


def test_keyboard_ends_then_nobody_is_asked_any_more(here):
    """Ctrl-D says that nobody is there: it ends as without a terminal."""
    terminal = Terminal(here, "run", "flows.py:asks")
    terminal.until("answer as JSON: ")
    terminal.type("\x04")
    status, text = terminal.end()
    assert 1 == status
    assert "WAITS after" in text
    assert "--callback approval=JSON\n" in text


def test_steps_print_in_a_terminal_then_their_lines_stand_above_the_tree(here):
    """What steps print does not break the tree: it stands above it, whole and as it was written."""
    terminal = Terminal(here, "run", "flows.py:talks", "--name", "n", "--skip-time")
    status, text = terminal.end()
    assert 0 == status
    said = {":smile: [red]said[/red]", "WARNING:root:logged", "info: settled amount=3"}
    assert set() == said - set(text.split("\n"))
    ending = "flows.py:talks  n\n└── ✔ step talk\nSUCCEEDED after 0.0s, 1 invocation\nno end\n{}\n"
    assert text.endswith(ending)


def test_tree_is_tall_then_what_succeeded_is_counted(here):
    """A fan-out that would fill screens is folded; what failed stays in sight."""
    terminal = Terminal(here, "run", "flows.py:many", "--name", "n", "--skip-time")
    status, text = terminal.end()
    assert 0 == status
    assert text[text.rindex("flows.py:many") :] == (
        "flows.py:many  n\n"
        "└── ✔ map all\n"
        "    ├── … 6 succeeded\n"
        "    ├── ✔ item map-item-6  1 inside\n"
        "    ├── ✘ item map-item-7  ValueError: bad luck\n"
        "    ├── … 141 succeeded\n"
        "    └── ✔ item map-item-149  1 inside\n"
        "SUCCEEDED after 0.0s, 1 invocation\n"
        "149\n"
    )


def test_wait_ends_while_nothing_runs_then_the_tree_is_whole(here):
    """What happened between two runs has its place; what nobody waits for any more is left behind."""
    arguments = ["run", "flows.py:nests", "--name", "n", "--store", "s.db"]
    process = begin(here, *arguments)
    until(lambda: "wait inside/nap started" in told(here), process)
    end(process, signal.SIGKILL)
    time.sleep(1.1)
    status, text = Terminal(here, *arguments, "--skip-time").end()
    tree = re.sub(r"\d+\.\ds", "S", text[text.rindex("flows.py:nests") :])
    assert 0 == status
    assert tree == (
        "flows.py:nests  n\n"
        "├── ✔ child context inside  S\n"
        "│   └── ✔ wait nap  S\n"
        "└── ✔ parallel race  S\n"
        "    ├── ✔ wait short  S\n"
        "    └── · wait long  left behind\n"
        "SUCCEEDED after S, 3 invocations\n"
        "null\n"
    )


def test_colour_is_unwanted_then_there_is_none(here):
    """NO_COLOR is heeded; bold and dim are no colours."""
    terminal = Terminal(here, "run", "flows.py:talks", NO_COLOR="1")
    terminal.process.wait(PATIENCE)
    raw = terminal.output
    assert 0 == terminal.end()[0]
    assert [] == re.findall(r"\x1b\[(?:\d+;)*3\dm", raw + terminal.output)


def test_terminal_is_dumb_then_plain_lines(here):
    """A terminal that cannot move its cursor gets plain lines."""
    terminal = Terminal(here, "run", "flows.py:two", "--name", "n", "--skip-time", TERM="dumb")
    status, text = terminal.end()
    assert 0 == status
    assert "   0.0s  step one started\n   0.0s  step one succeeded\n" in text
    assert text == terminal.output.replace("\r\n", "\n")


def test_terminal_is_narrow_then_the_error_is_whole(here):
    """A narrow terminal folds the tree's lines; the block at the end keeps every word."""
    terminal = Terminal(here, "run", "flows.py:fails", columns=30)
    status, text = terminal.end()
    assert 1 == status
    assert text.endswith(
        "StepFailed: step failed for operation 'charge': ValueError: no funds\non this card\n"
    )
