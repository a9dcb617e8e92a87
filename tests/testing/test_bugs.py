"""Each classic bug of a workflow is found, with a message that names the line."""

import re

import pytest

from durable_gen import UsageError
from durable_gen.testing import Answer
from replays import place
from testing import bugs

TITLE = "the flow does something else when it is replayed"
NUMBER = re.compile(r"0\.\d+|\d{10,}\.\d+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RANDOM = "It depends on random numbers: draw them in a step, or use ctx.random()"
CLOCK = "It depends on the clock: ask ctx.now(), or ask the clock in a step"


HERE = ("clock", "random", "environment")  # what takes no other process
ALL = ("hash seed", *HERE)


def told(durable, handler, vary=HERE, **options):
    """Say what `deterministic` says; what differs each time is N."""
    with pytest.raises(AssertionError) as caught:
        durable.deterministic(handler, vary=vary, **options)
    return NUMBER.sub("N", str(caught.value))


def test_random_outside_a_step_is_named(durable):
    """The arguments of a step that are drawn at random are shown, at the line of the step."""
    assert (
        f"{place(bugs.random_outside, 'random.random()')}: {TITLE}\n"
        "  first:  step 'charge' args=(N,)\n"
        "  then:   step 'charge' args=(N,), replayed once more with prefix 2 of its log\n"
        f"{RANDOM}"
    ) == told(durable, bugs.random_outside)


def test_random_branch_is_named(durable):
    """Of two ways that chance decides between, both lines are shown."""
    heads = (place(bugs.random_branch, "heads"), "step 'heads'")
    tails = (place(bugs.random_branch, "tails"), "step 'tails'")
    texts = [
        f"{then[0]}: {TITLE}\n"
        f"  first:  {first[1]} ({first[0]})\n"
        f"  then:   {then[1]}, replayed once more with prefix 2 of its log\n"
        f"{RANDOM}"
        for first, then in ((heads, tails), (tails, heads))
    ]
    assert told(durable, bugs.random_branch) in texts


def test_ids_outside_a_step_are_named(durable):
    """What no seed decides is told apart from what one does."""
    assert (
        f"{place(bugs.ids_outside, 'uuid4')}: {TITLE}\n"
        "  first:  step 'charge' args=('N',)\n"
        "  then:   step 'charge' args=('N',), replayed once more with prefix 1 of its log\n"
        "It depends on something that no seed decides: ids (uuid4), secrets, addresses, files. Ask "
        "for it in a step, or use ctx.uuid4()"
    ) == told(durable, bugs.ids_outside)


def test_order_of_a_set_is_named(durable):
    """A set that is gone through in another order in another process is found."""
    text = told(durable, bugs.order_of_a_set, ALL)
    found = re.search(r"first:  step '(\w+)'\n  then:   step '(\w+)'", text)
    assert found is not None
    assert (
        f"{place(bugs.order_of_a_set, 'ctx.step')}: {TITLE}\n"
        f"  first:  step {found[1]!r}\n"
        f"  then:   step {found[2]!r}, replayed once more with prefix 3 of its log\n"
        "It depends on the order of a set, or on hash(): use sorted(...), or a dict or list"
    ) == text


def test_order_of_a_dict_made_of_a_set_is_named(durable):
    """The items of a fan-out are looked at too."""
    text = told(durable, bugs.order_of_a_dict, ALL)
    assert text.startswith(
        f"{place(bugs.order_of_a_dict, 'ctx.map')}: {TITLE}\n  first:  map 'cities' "
    )
    assert text.endswith("on the order of a set, or on hash(): use sorted(...), or a dict or list")


def test_wall_clock_is_named(durable):
    """A flow that asks the machine's clock goes another way in another year."""
    assert (
        f"{place(bugs.wall_clock, 'new price')}: {TITLE}\n"
        f"  first:  step 'old price' ({place(bugs.wall_clock, 'old price')})\n"
        "  then:   step 'new price', replayed once more with prefix 2 of its log\n"
        f"{CLOCK}"
    ) == told(durable, bugs.wall_clock)


def test_wall_clock_in_a_payload_is_named(durable):
    """The payload of an invoke is compared too."""
    assert (
        f"{place(bugs.wall_clock_in_a_payload, 'ctx.invoke')}: {TITLE}\n"
        "  first:  invoke 'ship' payload={'at': N}\n"
        "  then:   invoke 'ship' payload={'at': N}, replayed once more with prefix 1 of its log\n"
        f"{CLOCK}"
    ) == told(durable, bugs.wall_clock_in_a_payload, invokes={"ship:live": None})


def test_environment_is_named(durable, monkeypatch):
    """A flow that returns what a variable says returns something else when that changes."""
    monkeypatch.setenv("KIT_MODE", "fast")
    assert (
        f"{place(bugs.environment, 'KIT_MODE')}: {TITLE}\n"
        '  first:  returns "fast"\n'
        '  then:   returns "fast-changed", replayed once more with prefix 2 of its log\n'
        "It depends on the environment: read it in a step, or where the module is imported"
    ) == told(durable, bugs.environment)


CHANGES = (
    "A replay does not run the step,\n"
    "  so it finds what was there before: return the new value from the step instead"
)


def test_mutated_closure_is_named(durable):
    """Where the flow shows it, and where the step changes the variable."""
    nonlocal_ = place(bugs.mutated_closure, "total += amount").replace(
        "in mutated_closure", "in mutated_closure.<locals>.add"
    )
    assert (
        f"{place(bugs.mutated_closure, 'return total')}: {TITLE}\n"
        "  first:  returns 3\n"
        "  then:   returns 0, replayed with prefix 3 of its log\n"
        f"{nonlocal_}: step 'tea' changes the flow's variable `total`. {CHANGES}"
    ) == told(durable, bugs.mutated_closure, ())


def test_mutated_argument_is_named(durable):
    """A step that changes what the flow holds is named by the line of the step."""
    step = place(bugs.mutated_argument, "bought.append")
    assert (
        f"{place(bugs.mutated_argument, 'return')}: {TITLE}\n"
        "  first:  returns 1\n"
        "  then:   returns 0, replayed with prefix 2 of its log\n"
        f"{step}: step 'tea' changes one of its arguments. {CHANGES}"
    ) == told(durable, bugs.mutated_argument, ())


def test_mutated_closure_is_found_by_a_crash(durable):
    """The crash that shows it is told with why: the result of the run after it is another."""
    with pytest.raises(AssertionError) as caught:
        durable.crashes(bugs.mutated_closure)
    step, returned = place(bugs.mutated_closure, '"tea"'), place(bugs.mutated_closure, "return")
    nonlocal_ = place(bugs.mutated_closure, "total += amount").replace(
        "in mutated_closure", "in mutated_closure.<locals>.add"
    )
    assert (
        f"crash after checkpoint 1 (step tea START, step tea SUCCEED) at {step}: the result is "
        "another\n"
        "  expected: 3\n"
        "  got:      2\n"
        f"{returned}: {TITLE}\n"
        "  first:  returns 3\n"
        "  then:   returns 0, replayed with prefix 3 of its log\n"
        f"{nonlocal_}: step 'tea' changes the flow's variable `total`. {CHANGES}\n"
        "\n"
        "execution succeeded after 0s, 2 invocations\n"
        "                        began  took\n"
        "├─ step tea  succeeded     0s    0s\n"
        "└─ step cup  succeeded     0s    0s\n"
        "\n"
        "repeat it: durable(mutated_closure, crash='after checkpoint 1')"
    ) == str(caught.value)


def test_side_effect_in_finally_is_named(durable):
    """It happens again when the process ends between the workflow's end and its answer."""
    with pytest.raises(AssertionError) as caught:
        durable.crashes(bugs.side_effect_in_finally, effects=lambda: bugs.LOG)
    line = place(bugs.side_effect_in_finally, "LOG.append")
    assert (
        "crash before answer 1 (SUCCEEDED): a side effect outside of steps happened again: "
        "'released'\n"
        f'  {line}, in a `finally`: LOG.append("released")\n'
        "What stands outside of steps runs again on every replay: put it into a step\n"
        "\n"
        "execution succeeded after 0s, 2 invocations\n"
        "                           began  took\n"
        "└─ step charge  succeeded     0s    0s  -> 1\n"
        "\n"
        "repeat it: durable(side_effect_in_finally, crash='before answer 1')"
    ) == str(caught.value)


def test_side_effect_outside_of_steps_is_named(durable):
    """So is one that stands between two steps, at the first crash that repeats it."""
    with pytest.raises(AssertionError) as caught:
        durable.crashes(bugs.side_effect_outside, effects=lambda: bugs.LOG)
    text = str(caught.value)
    line = place(bugs.side_effect_outside, "LOG.append")
    assert f'\n  {line}: LOG.append("mailed")\n' in text
    assert text.startswith("crash before call 2 (step ship) at ")


def test_forgotten_yield_fails_the_run(durable):
    """The library refuses it: the execution fails with the line."""
    line = place(bugs.forgotten_yield, "ctx.step")
    with pytest.raises(UsageError) as caught:
        _ = durable(bugs.forgotten_yield).result
    assert (
        f"{line}: ctx.step('charge') was created and never yielded, so it never ran:\n"
        "    wrong:  ctx.step('charge')\n"
        "    right:  yield from ctx.step('charge')"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("handler", "function", "call"),
    [
        (bugs.forgotten_yield_from, bugs.forgotten_yield_from, "notify(ctx)"),
        (
            bugs.forgotten_yield_from_in_a_variable,
            bugs.forgotten_yield_from_in_a_variable,
            "notify(ctx)",
        ),
        (
            bugs.forgotten_yield_from_in_a_plain_flow,
            bugs.forgotten_yield_from_in_a_plain_flow,
            "notify(ctx)",
        ),
        (bugs.forgotten_yield_from_of_a_method, bugs.Shop.flow, "self.mail(ctx)"),
    ],
    ids=["statement", "variable", "plain flow", "method"],
)
def test_forgotten_yield_from_fails_the_run(durable, handler, function, call):
    """A generator that is made and never run is an error of every run, at its line."""
    with pytest.raises(UsageError) as caught:
        durable(handler)
    assert (
        f"{place(function, call)}: {call} makes a generator and nobody runs it, so nothing in it "
        "happens:\n"
        f"    wrong:  {call}\n"
        f"    right:  yield from {call}"
    ) == str(caught.value)


def test_generator_given_to_a_step_fails_the_run(durable):
    """So is one that a step gets instead of the value."""
    with pytest.raises(UsageError) as caught:
        durable(bugs.generator_given_to_a_step)
    assert (
        f"{place(bugs.generator_given_to_a_step, 'ctx.step')}: step 'ship' is given the generator "
        "notify(...), which nobody has run:\n"
        "    wrong:  value = notify(ctx)\n"
        "    right:  value = yield from notify(ctx)"
    ) == str(caught.value)


WORLD = {"callbacks": {"approval": Answer(7)}, "invokes": {"ship:live": None}}


def test_sound_workflow_passes_every_check(durable):
    """What does all of that in the right way is found sound: in crashes, shaken, and on replays."""
    report = durable.crashes(bugs.sound, effects=lambda: bugs.LOG, faults=False, **WORLD)
    assert 7 == report.whole.result
    assert durable.shake(bugs.sound, rounds=5, **WORLD).compared
    report = durable.deterministic(bugs.sound, **WORLD)
    assert ALL == tuple(report.varied)
    assert "" == report.note
