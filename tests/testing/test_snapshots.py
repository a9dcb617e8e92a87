"""Snapshots: a text that is the same for every run that does the same, and how two differ."""

import textwrap

import pytest

from durable_gen import UsageError, current_step, durable
from durable_gen.testing import Durable, Raises
from durable_gen.testing._compare import difference
from testing.flows import order, patient, sleeper

durable_handler = durable


def test_run_then_its_snapshot_has_paths_times_and_values(durable):
    """A snapshot tells of the execution and of each operation, with times from its start."""
    run = durable(
        order,
        {"id": 7},
        callbacks={"approval": True},
        steps={"charge": [Raises(OSError("down")), {"receipt": "r-7"}]},
    )
    assert (
        textwrap.dedent("""\
            execution
              SUCCEEDED after 1h 5s
              invocations 4
              input {"id": 7}
              result {"receipt": "r-7", "approved": true}

            child context payment
              SUCCEEDED from 0s to 1h 5s
              result {"receipt": "r-7"}

            step payment/charge
              SUCCEEDED from 0s to 5s
              attempt 1 at 0s, again in 5s: failed with OSError: down
              attempt 2 at 5s
              result {"receipt": "r-7"}

            wait payment/settle
              SUCCEEDED from 5s to 1h 5s

            wait_for_callback approval
              SUCCEEDED at 1h 5s
              result true

            callback approval/approval
              SUCCEEDED at 1h 5s
              timeout 1d
              id callback-1
              result true

            step approval/approval submit
              SUCCEEDED at 1h 5s
              result "callback-1"
        """)
        == run.snapshot()
    )


def test_ids_differ_then_snapshots_do_not():
    """Whatever an execution's ids are, its snapshot is the same: they are renamed."""

    def keys():
        info = current_step()
        return [info.idempotency_key, info.execution_arn]

    @durable_handler
    def handler(event, ctx):
        yield ctx.step("keys", keys)
        return (yield ctx.invoke("go", "other:live"))

    runs = [
        Durable(seed)(handler, name=name, invokes={"other:live": patient}, callbacks={"*": 1})
        for seed, name in (("a", None), ("b", None), ("a", "order-7"))
    ]
    assert runs[0].arn != runs[1].arn != runs[2].arn
    assert runs[0].snapshot() == runs[1].snapshot() == runs[2].snapshot()
    assert 'result ["execution-1-keys", "arn of execution-1"]' in runs[0].snapshot()


def test_execution_fails_then_its_snapshot_has_no_lines_and_folders(durable):
    """Errors are told of without the numbers of lines, which change with every edit."""

    @durable_handler
    def handler(event, ctx):
        yield ctx.step("a", lambda: 1 / 0, retry=None)

    @durable_handler
    def forgetful(event, ctx):
        ctx.step("a", lambda: 1)
        yield ctx.wait("b", seconds=1)

    text = durable(handler).snapshot()
    assert "  FAILED at 0s\n  error ZeroDivisionError: division by zero\n" in text
    text = durable(forgetful).snapshot()
    assert "test_snapshots.py, in test_execution_fails" in text
    assert "    wrong:  ctx.step('a')\n" in text.replace("      wrong", "    wrong")


def test_execution_is_open_then_its_snapshot_says_since_when(durable):
    """What has not ended stands with the time of its beginning."""
    run = durable(sleeper, 3, until="day 1")
    assert "\nwait day 1\n  STARTED since 1d\n" in run.snapshot()


def test_value_is_long_then_it_has_lines_of_its_own(durable):
    """A long value is written over several lines, so that a difference is one of them."""
    run = durable(sleeper, 0)
    assert "\n  result 0\n" in run.snapshot()

    @durable_handler
    def handler(event, ctx):
        return [{"name": f"parcel {n}", "weight": n} for n in range(4)]
        yield

    assert (
        '\n  result\n    [\n      {\n        "name": "parcel 0",\n' in durable(handler).snapshot()
    )


# --- how two differ ------------------------------------------------------------------------------

BEFORE = """\
execution
  SUCCEEDED after 1h

step charge
  SUCCEEDED at 0s
  result 1

wait settle
  SUCCEEDED from 0s to 1h

step ship
  SUCCEEDED at 1h
"""
AFTER = """\
execution
  SUCCEEDED after 1h

step ship
  SUCCEEDED at 1h

step charge
  SUCCEEDED at 0s
  result 2

step refund
  FAILED at 1h
"""


def test_snapshots_are_the_same_then_nothing_differs():
    """Equal texts have no difference."""
    assert None is difference(BEFORE, BEFORE)


def test_snapshots_differ_then_operations_are_named():
    """The difference says which operations were removed, added, moved and changed, and how."""
    assert textwrap.dedent("""\
            removed: wait settle
            moved: step ship, now after execution
            changed: step charge
              - result 1
              + result 2
            added: step refund
              + FAILED at 1h""") == difference(BEFORE, AFTER)


def test_only_the_end_of_line_differs_then_it_is_told():
    """Texts that differ in nothing that blocks show are still different."""
    assert difference(BEFORE, f"{BEFORE}\n\n") is not None


def test_fixture_that_is_compared_then_the_error_says_to_call_it(durable, durable_snapshot):
    """As syrupy's is written; a comparison that is simply false would say nothing."""
    with pytest.raises(UsageError) as caught:
        assert durable(sleeper) == durable_snapshot
    assert (
        "durable_snapshot is called, not compared:\n"
        "    wrong:  assert run == durable_snapshot\n"
        "    right:  durable_snapshot(run)"
    ) == str(caught.value)
