"""`durable.deterministic` and `durable.replay`: pure replays of every prefix, in different worlds."""

import json
from itertools import pairwise

import pytest

from durable_gen import UsageError, durable
from durable_gen.testing import Answer
from replays import place
from testing import bugs

workflow = durable  # the fixture of a test has its name
WORLD = {"callbacks": {"approval": Answer(7)}, "invokes": {"ship:live": None}}
HERE = ("clock", "random", "environment")


def test_every_state_of_the_log_is_replayed(durable):
    """The first is empty, each further one has more, and in the last all has ended."""
    report = durable.deterministic(bugs.sound, vary=HERE, **WORLD)
    states = [
        {one["Id"]: one["Status"] for one in log["InitialExecutionState"]["Operations"][1:]}
        for log in report.logs
    ]
    assert {} == states[0]
    for one, other in pairwise(states):
        assert one != other
    replay = durable.replay(bugs.sound, report.logs[-1])
    assert ("SUCCEEDED", "7") == (replay.status, replay.text)
    assert place(bugs.sound, '"release"') == replay.line
    assert json.loads(json.dumps(report.logs)) == report.logs


def test_replay_runs_no_step_and_sends_nothing(durable):
    """Steps beyond the prefix are looked at: their names and arguments are seen, nothing runs."""
    ran = []

    @workflow
    def flow(event, ctx):
        yield ctx.step("first", ran.append, "first")
        with ctx.batch():
            yield ctx.step("second", ran.append, "second")
        yield ctx.map("items", [1, 2], lambda child, item: child.step("pack", ran.append, item))
        yield ctx.invoke("ship", "ship", {"id": 1})

    report = durable.deterministic(flow, vary=HERE, invokes={"ship": None})
    before = list(ran)
    seen = [durable.replay(flow, log) for log in report.logs]
    assert before == ran
    assert ["step 'first'"] == seen[0].operations
    assert {"RUNNING"} == {one.status for one in seen[:-1]}
    assert "SUCCEEDED" == seen[-1].status
    known = {name for one in seen for name in one.operations}
    assert {"step 'first'", "step 'second'", "map 'items'", "step 'pack'", "invoke 'ship'"} == known
    first = next(iter(seen[0].sights.values()))
    assert ("('first',)", "list.append") == (first.said["args"], first.said["fn"])
    assert place(flow, "first") == first.line


def test_failure_is_an_end_like_another(durable):
    """A flow that fails on the way is replayed to the same failure, at its line."""

    @workflow
    def failing(event, ctx):
        yield ctx.step("charge", lambda: 1)
        raise ValueError("no")

    report = durable.deterministic(failing, vary=HERE)
    replay = durable.replay(failing, report.logs[-1])
    assert ("FAILED", "ValueError: no") == (replay.status, replay.text)
    assert place(failing, "raise") == replay.line


NOT_VARIED = "The hash seed was not varied, which needs another process"


def note(durable, handler):
    return str(durable.deterministic(handler)).splitlines()[1:]


def test_handler_in_a_function_then_the_report_says_what_was_not_varied(durable):
    """One sentence says why, and what to do."""

    @workflow
    def inner(event, ctx):
        yield ctx.step("charge", lambda: 1)

    name = inner.flow.__qualname__
    text = f"{NOT_VARIED}: {name} is made inside a function; define it at the top of its module."
    assert [text] == note(durable, inner)


def test_handler_without_a_file_or_a_name_then_the_report_says_so(durable):
    """So it does of one in no file, and of one that its module has no name for."""
    namespace = {}
    exec(
        "from durable_gen import durable\n@durable\ndef flow(event, ctx):\n    yield ctx.wait('w', 1)",
        namespace,
    )
    (text,) = note(durable, namespace["flow"])
    assert text.endswith(": flow is in no file; define it at the top of a module.")
    (text,) = note(durable, workflow(bugs.sound.flow.__globals__["notify_flow"]))
    assert text.endswith(": notify_flow is no name of its module; give the handler a name there.")


def test_module_that_fails_elsewhere_then_the_report_says_so(durable, pytester, monkeypatch):
    """A module that cannot be imported in a process of its own leaves the hash seed as it is."""
    monkeypatch.setenv("KIT_PARENT", "1")
    path = pytester.makepyfile(
        fragile="""
        import os
        from durable_gen import durable

        if os.environ.pop("KIT_PARENT", None) is None:
            raise RuntimeError("not here")

        @durable
        def flow(event, ctx):
            yield ctx.step("charge", int)
        """
    )
    monkeypatch.syspath_prepend(path.parent)
    import fragile

    text = f"{NOT_VARIED}: its module fails in a process of its own: RuntimeError: not here."
    assert [text] == note(durable, fragile.flow)


def test_module_by_path_and_its_prints_are_no_hindrance(durable, pytester):
    """A module that only its path leads to is imported by that; what it prints is no answer."""
    import importlib.util
    import sys

    path = pytester.makepyfile(
        lonely="""
        from durable_gen import durable
        print("{not json}")

        @durable
        def flow(event, ctx):
            for name in {"a", "b", "c", "d", "e", "f", "g"}:
                yield ctx.step(name, int)
        """
    )
    spec = importlib.util.spec_from_file_location("orders.tests.lonely", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    with pytest.raises(AssertionError, match=r"lonely.py:7, in flow: the flow does something else"):
        durable.deterministic(module.flow)
    del sys.modules[spec.name]


@pytest.mark.parametrize("vary", ["clock", ("clock", "weather")])
def test_what_cannot_be_varied_is_refused(durable, vary):
    """The error lists what can be."""
    with pytest.raises(UsageError) as caught:
        durable.deterministic(bugs.sound, vary=vary)
    assert (
        f"vary= must be some of 'hash seed', 'clock', 'random', 'environment', not {vary!r}"
    ) == str(caught.value)


def test_nothing_remains_varied(durable, monkeypatch):
    """The environment, random numbers and the time are afterwards what they were."""
    import os
    import random
    from datetime import UTC, datetime

    monkeypatch.setenv("KIT_MODE", "fast")
    random.seed(7)
    expected = random.Random(7).random()
    with pytest.raises(AssertionError):
        durable.deterministic(bugs.environment, vary=HERE)
    assert "fast" == os.environ["KIT_MODE"]
    assert expected == random.random()
    assert datetime.now(UTC).year != 2025
