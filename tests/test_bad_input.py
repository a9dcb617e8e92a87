"""What cannot work is refused early, by an error of ours whose whole text a user can act on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

import pytest

from durable_gen import Completion, Poll, Retry, UsageError, current_step, durable
from replays import failure
from stub import ARN, Stub, event, result

FAR = "a wait must be from 1 to 31622400 seconds (366 days), not"
SECONDS = "must be a number of seconds or a timedelta, not"
CALLBACK = "must be from 1 to 99999999 seconds, or None for no limit, not"
WHOLE = "must be a whole number of at least 1"


def nothing(*_):
    return None


def yielded(make, stub=None):
    """Run a flow of one operation."""

    def flow(event, ctx):
        yield make(ctx)

    return durable(backend=stub or Stub())(flow)(event())


def refused(make):
    """Return the text of a UsageError raised by a call."""
    with pytest.raises(UsageError) as caught:
        make()
    return str(caught.value)


# --- names -------------------------------------------------------------------------------------------

NAME = "an operation's name must be 1 to 256 printable ASCII characters"
ELSE = "or put the rest into the step's arguments"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x" * 257, f"{NAME}, and {'x' * 257!r:.80} has 257: shorten it, {ELSE}"),
        ("für Zoë", f"{NAME}, and 'für Zoë' has 'ü': leave it out, {ELSE}"),
        ("two\nlines", f"{NAME}, and 'two\\nlines' has '\\n': leave it out, {ELSE}"),
        ("", f"{NAME}, not '': write None for an operation without a name"),
        (5, "an operation's name must be text or None, not 5"),
    ],
    ids=["long", "foreign", "unprintable", "empty", "number"],
)
def test_name_out_of_range_is_refused(name, text):
    """A name is 1 to 256 printable ASCII characters; the error says which of these is broken."""
    assert ("UsageError", text) == failure(yielded(lambda ctx: ctx.step(name, nothing)))


@pytest.mark.parametrize(
    "make",
    [
        lambda ctx, name: ctx.step(name, nothing),
        lambda ctx, name: ctx.wait(name, 5),
        lambda ctx, name: ctx.child(name, nothing),
        lambda ctx, name: ctx.map(name, [1], nothing),
        lambda ctx, name: ctx.map("ship", [1], nothing, item_name=lambda *_: name),
        lambda ctx, name: ctx.parallel("ship", {name: nothing}),
        lambda ctx, name: ctx.callback(name),
        lambda ctx, name: ctx.invoke(name, "other:1"),
        lambda ctx, name: ctx.all(nothing, name=name),
    ],
    ids=["step", "wait", "child", "map", "item", "branch", "callback", "invoke", "all"],
)
def test_name_of_every_operation_is_checked(make):
    """Names of items and branches are checked as those of operations are."""
    kind, text = failure(yielded(lambda ctx: make(ctx, "two\nlines")))
    assert "UsageError" == kind
    assert text.startswith(NAME)


@pytest.mark.parametrize("name", ["x", "x" * 256, " ~", "a/b #1"])
def test_name_in_range_is_taken(name):
    """Names of 1 and of 256 characters, and all of printable ASCII, are taken."""
    stub = Stub()
    yielded(lambda ctx: ctx.step(name, nothing), stub)
    assert [name, name] == [update["Name"] for update in stub.updates]


# --- durations -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda ctx: ctx.wait("settle", 0), f"ctx.wait('settle'): {FAR} 0"),
        (lambda ctx: ctx.wait("settle"), f"ctx.wait('settle'): {FAR} 0"),
        (lambda ctx: ctx.wait("settle", -1), f"ctx.wait('settle'): {FAR} -1"),
        (lambda ctx: ctx.wait("settle", 0.5), f"ctx.wait('settle'): {FAR} 0.5"),
        (lambda ctx: ctx.wait("settle", timedelta(0)), f"ctx.wait('settle'): {FAR} 0"),
        (lambda ctx: ctx.wait(seconds=0.5), f"ctx.wait(...): {FAR} 0.5"),
        (lambda ctx: ctx.wait("settle", 31_622_401), f"ctx.wait('settle'): {FAR} 31622401"),
        (lambda ctx: ctx.wait("settle", days=367), f"ctx.wait('settle'): {FAR} 31708800"),
        (lambda ctx: ctx.wait("settle", "5"), f"ctx.wait('settle') {SECONDS} '5'"),
        (lambda ctx: ctx.wait("settle", seconds="5"), f"ctx.wait('settle') {SECONDS} '5'"),
        (lambda ctx: ctx.wait("settle", True), f"ctx.wait('settle') {SECONDS} True"),
        (lambda ctx: ctx.wait("settle", float("nan")), f"ctx.wait('settle') {SECONDS} nan"),
        (
            lambda ctx: ctx.wait("settle", until=datetime(2030, 1, 1)),  # noqa: DTZ001
            (
                "ctx.wait('settle') until must be a datetime with a time zone, as datetime.now(UTC) "
                "has, not datetime.datetime(2030, 1, 1, 0, 0)"
            ),
        ),
        (
            lambda ctx: ctx.wait("settle", until=date(2030, 1, 1)),
            (
                "ctx.wait('settle') until must be a datetime with a time zone, as datetime.now(UTC) "
                "has, not datetime.date(2030, 1, 1)"
            ),
        ),
        (
            lambda ctx: ctx.wait("settle", 5, until=datetime.now(UTC)),
            "ctx.wait('settle'): write either until= or a duration",
        ),
        (
            lambda ctx: ctx.step("charge", nothing, timeout=0),
            "ctx.step(timeout=...) must be more than 0 seconds, or None for no limit, not 0",
        ),
        (
            lambda ctx: ctx.step("charge", nothing, timeout=timedelta(seconds=-1)),
            "ctx.step(timeout=...) must be more than 0 seconds, or None for no limit, not -1",
        ),
        (lambda ctx: ctx.step("x", nothing, timeout="5"), f"ctx.step(timeout=...) {SECONDS} '5'"),
        (lambda ctx: ctx.callback("x", timeout=0), f"ctx.callback(timeout=...) {CALLBACK} 0"),
        (lambda ctx: ctx.callback("x", timeout=-1), f"ctx.callback(timeout=...) {CALLBACK} -1"),
        (lambda ctx: ctx.callback("x", heartbeat=0), f"ctx.callback(heartbeat=...) {CALLBACK} 0"),
        (
            lambda ctx: ctx.callback("x", heartbeat=100_000_000),
            f"ctx.callback(heartbeat=...) {CALLBACK} 100000000",
        ),
        (
            lambda ctx: ctx.wait_for_callback("x", nothing, timeout=0),
            f"ctx.wait_for_callback(timeout=...) {CALLBACK} 0",
        ),
        (
            lambda ctx: ctx.wait_for_callback("x", nothing, heartbeat=-1),
            f"ctx.wait_for_callback(heartbeat=...) {CALLBACK} -1",
        ),
    ],
)
def test_duration_out_of_range_is_refused(make, text):
    """A duration that the service does not take is refused with what it takes and what came."""
    stub = Stub()
    assert ("UsageError", text) == failure(yielded(make, stub))
    assert [] == stub.updates


@pytest.mark.parametrize(
    ("seconds", "sent"), [(1, 1), (1.2, 2), (31_622_400, 31_622_400), (timedelta(days=1), 86400)]
)
def test_duration_in_range_is_sent_in_whole_seconds(seconds, sent):
    """Waits from 1 second to 366 days are taken; fractions are rounded up."""
    stub = Stub()
    assert {"Status": "PENDING"} == yielded(lambda ctx: ctx.wait("settle", seconds), stub)
    assert [{"WaitSeconds": sent}] == [update["WaitOptions"] for update in stub.updates]


# --- bounds of fan-outs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1.5])
@pytest.mark.parametrize(
    ("make", "what"),
    [
        (
            lambda ctx, value: ctx.map("ship", [1], nothing, max_concurrency=value),
            "ctx.map(max_concurrency=...)",
        ),
        (
            lambda ctx, value: ctx.parallel("ship", [nothing], max_concurrency=value),
            "ctx.parallel(max_concurrency=...)",
        ),
        (
            lambda ctx, value: ctx.map("ship", [1], nothing, batch_size=value),
            "ctx.map(batch_size=...)",
        ),
    ],
    ids=["map", "parallel", "batch_size"],
)
def test_bound_out_of_range_is_refused(make, what, value):
    """A bound is a whole number of at least 1, or None."""
    text = f"{what} {WHOLE}, or None for no bound, not {value!r}"
    assert ("UsageError", text) == failure(yielded(lambda ctx: make(ctx, value)))


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
def test_max_workers_out_of_range_is_refused(value):
    """`max_workers` is a whole number of at least 1."""
    text = f"@durable(max_workers=...) {WHOLE}, not {value!r}"
    assert text == refused(lambda: durable(max_workers=value))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda ctx, many: ctx.map("ship", [1, 2], nothing, completion=many),
            (
                "ctx.map(completion=Completion(min_successful=3)) can never be reached: "
                "there are 2 items"
            ),
        ),
        (
            lambda ctx, many: ctx.parallel("ship", [nothing, nothing], completion=many),
            (
                "ctx.parallel(completion=Completion(min_successful=3)) can never be reached: "
                "there are 2 branches"
            ),
        ),
        (
            lambda ctx, many: ctx.parallel("ship", [nothing], completion=many),
            (
                "ctx.parallel(completion=Completion(min_successful=3)) can never be reached: "
                "there is 1 branch"
            ),
        ),
        (
            lambda ctx, _: ctx.map("ship", [1], nothing, completion=3),
            "ctx.map(completion=...) must be a Completion or a function, not 3 (int)",
        ),
    ],
)
def test_completion_that_cannot_be_is_refused(make, text):
    """A completion that its branches can never reach is refused."""
    assert ("UsageError", text) == failure(
        yielded(lambda ctx: make(ctx, Completion(min_successful=3)))
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"min_successful": 0}, f"Completion(min_successful=...) {WHOLE}, not 0"),
        ({"min_successful": 1.5}, f"Completion(min_successful=...) {WHOLE}, not 1.5"),
        ({"min_successful": "2"}, f"Completion(min_successful=...) {WHOLE}, not '2'"),
        (
            {"tolerated_failures": -1},
            "Completion(tolerated_failures=...) must be a whole number of at least 0, not -1",
        ),
        (
            {"tolerated_failures": 0.5},
            "Completion(tolerated_failures=...) must be a whole number of at least 0, not 0.5",
        ),
        (
            {"tolerated_percentage": -1},
            "Completion(tolerated_percentage=...) must be from 0 to 100, not -1",
        ),
        (
            {"tolerated_percentage": 101},
            "Completion(tolerated_percentage=...) must be from 0 to 100, not 101",
        ),
        (
            {"tolerated_percentage": "x"},
            "Completion(tolerated_percentage=...) must be from 0 to 100, not 'x'",
        ),
        ({"predicate": 5}, "Completion(predicate=...) must be a function, not 5 (int)"),
    ],
    ids=str,
)
def test_completion_out_of_range_is_refused(options, text):
    """The numbers of a Completion are refused where it is made."""
    assert text == refused(lambda: Completion(**options))


RANGES = [
    ({"max_attempts": 0}, "(max_attempts=...) must be a whole number of at least 1, not 0"),
    ({"max_attempts": 1.5}, "(max_attempts=...) must be a whole number of at least 1, not 1.5"),
    ({"initial": -1}, "(initial=...) must be between 0 and 31622400 seconds, not -1"),
    ({"initial": "5"}, "(initial=...) must be between 0 and 31622400 seconds, not '5'"),
    ({"maximum": 10**9}, "(maximum=...) must be between 0 and 31622400 seconds, not 1000000000"),
    ({"backoff": 0.5}, "(backoff=...) must be a factor of at least 1, not 0.5"),
    ({"backoff": float("nan")}, "(backoff=...) must be a factor of at least 1, not nan"),
    ({"jitter": "some"}, "(jitter=...) must be 'full', 'half' or 'none', not 'some'"),
]


@pytest.mark.parametrize("policy", [Retry, Poll])
@pytest.mark.parametrize(("options", "text"), RANGES, ids=str)
def test_policy_out_of_range_is_refused(policy, options, text):
    """The numbers of a Retry or Poll are refused where it is made."""
    assert policy.__name__ + text == refused(lambda: policy(**options))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: Retry(retry_on="ValueError"),
            "Retry(retry_on=...) must be exception classes, not 'ValueError'",
        ),
        (lambda: Retry(retry_on=5), "Retry(retry_on=...) must be exception classes, not 5"),
        (lambda: Retry(retry_if=5), "Retry(retry_if=...) must be a function, not 5 (int)"),
        (lambda: Poll(until=5), "Poll(until=...) must be a function, not 5 (int)"),
        (lambda: durable(retry=5), "@durable(retry=...) must be a Retry or None, not 5"),
    ],
    ids=["text", "number", "retry_if", "until", "durable"],
)
def test_policy_of_the_wrong_type_is_refused(make, text):
    """A policy that could only fail when a step does is refused where it is made."""
    assert text == refused(make)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda ctx: ctx.step("charge", nothing, retry=3),
            "ctx.step(retry=...) must be a Retry or None, not 3",
        ),
        (
            lambda ctx: ctx.step("charge", nothing, semantics="at-most-once"),
            (
                "ctx.step(semantics=...) must be Semantics.AT_LEAST_ONCE or Semantics.AT_MOST_ONCE, "
                "not 'at-most-once'"
            ),
        ),
        (
            lambda ctx: ctx.step("charge", nothing, compensate=3),
            "ctx.step(compensate=...) must be a function, not 3 (int)",
        ),
        (
            lambda ctx: ctx.wait_for_condition("ready", nothing, poll=3),
            "ctx.wait_for_condition(poll=...) must be a Poll or None, not 3",
        ),
    ],
    ids=["retry", "semantics", "compensate", "poll"],
)
def test_option_of_the_wrong_type_is_refused(make, text):
    """An option that would silently mean something else is refused."""
    assert ("UsageError", text) == failure(yielded(make))


# --- nothing to do -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda ctx: ctx.map("ship", [], nothing),
        lambda ctx: ctx.map("ship", [], nothing, completion=Completion(min_successful=3)),
        lambda ctx: ctx.parallel("ship", []),
        lambda ctx: ctx.parallel("ship", {}),
    ],
    ids=["map", "map with a completion", "parallel", "parallel of a mapping"],
)
def test_fan_out_of_nothing_is_an_empty_batch(make):
    """A map or parallel of nothing ends at once with an empty Batch."""

    def flow(event, ctx):
        batch = yield make(ctx)
        batch.raise_if_failed()
        return [len(batch), batch.values, batch.errors, batch.reason]

    assert [0, [], [], "ALL_COMPLETED"] == result(durable(backend=Stub())(flow)(event()))


@pytest.mark.parametrize("word", ["all", "settled"])
def test_combinator_of_nothing_gives_an_empty_tuple(word):
    """`all()` and `settled()` of nothing give `()`."""
    given = []

    def flow(event, ctx):
        given.append((yield getattr(ctx, word)()))

    durable(backend=Stub())(flow)(event())
    assert [()] == given


@pytest.mark.parametrize("word", ["any", "race"])
def test_combinator_without_a_winner_is_refused(word):
    """`any()` and `race()` of nothing could never end."""
    text = f"ctx.{word}() of nothing would never end: give it at least one operation"
    assert ("UsageError", text) == failure(yielded(lambda ctx: getattr(ctx, word)()))


def test_combinator_of_values_is_refused():
    """A combinator takes operations and flows."""
    assert (
        "UsageError",
        "ctx.all(...) takes operations and flows, not 5 (int)",
    ) == failure(yielded(lambda ctx: ctx.all(5)))


# --- values that are no JSON -----------------------------------------------------------------------------------

NO_JSON = "step 'charge': its value cannot be stored as JSON: "
HINT = "annotate what the function returns, or pass returns=, so that it is read back as what it is"


class Text(str):
    __slots__ = ()


LOOP: list = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({1}, f"{{1}} (set) @ $; {HINT}"),
        ({"a": [1, {"b": {1}}]}, f"{{1}} (set) @ $.a[1].b; {HINT}"),
        ((1, {2}), f"{{2}} (set) @ $[1]; {HINT}"),
        (b"x", f"b'x' (bytes) @ $; {HINT}"),
        (date(2030, 1, 1), f"datetime.date(2030, 1, 1) (date) @ $; {HINT}"),
        (Text("x"), f"'x' (Text) @ $; {HINT}"),
        ({1: 2}, "the key 1 is int, not text @ $"),
        ([float("nan")], "JSON has no nan @ $[0]"),
        (float("-inf"), "JSON has no -inf @ $"),
        (2**64, "18446744073709551616 is beyond 64 bits @ $"),
        ("\ud800", "text with a lone surrogate @ $"),
        (LOOP, "it is nested too deeply or holds itself @ $"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_that_is_no_json_fails_the_step_at_once(value, why):
    """A value that cannot be read back is named with its path; the step is not tried again."""
    stub, ran = Stub(), []

    def charge():
        ran.append(1)
        return value

    assert ("SerializationError", NO_JSON + why) == failure(
        yielded(lambda ctx: ctx.step("charge", charge, retry=Retry(max_attempts=9)), stub)
    )
    assert [1] == ran
    assert ["STEP START charge", "STEP FAIL charge SerializationError", "--"] == stub.stream


def test_key_of_an_enum_is_not_called_nesting():
    """A reason that is not the value's own misleads: a dict with StrEnum keys is flat."""

    class Colour(StrEnum):
        RED = "red"

    envelope = yielded(lambda ctx: ctx.step("charge", lambda: {Colour.RED: 1}))
    assert "nested too deeply" not in str(envelope)


def test_value_that_is_no_json_can_be_caught():
    """The workflow may handle it: the side effect was done."""
    from durable_gen import SerializationError

    def flow(event, ctx):
        try:
            yield ctx.step("charge", lambda: {1})
        except SerializationError:
            return "handled"

    assert "handled" == result(durable(backend=Stub())(flow)(event()))


def test_payload_that_is_no_json_is_refused_before_it_is_sent():
    """A payload's error names the payload, and gives no advice for results."""
    stub = Stub()
    kind, text = failure(yielded(lambda ctx: ctx.invoke("other", "other:1", {"a": {1}}), stub))
    assert "SerializationError" == kind
    assert text.startswith("the payload of invoke 'other': ")
    assert "@ $.a" in text
    assert "annotate what the function returns" not in text
    assert [] == stub.updates


def test_result_of_a_child_that_is_no_json_fails_the_child():
    """The same of what a child's flow returns."""
    kind, text = failure(yielded(lambda ctx: ctx.child("payment", lambda child: {1})))
    assert "SerializationError" == kind
    assert text.startswith("child context 'payment': its value cannot be stored as JSON: {1} (set)")


def test_result_of_the_handler_that_is_no_json_fails_the_execution():
    """The same of what the handler returns."""

    def flow(event, ctx):
        return {"a": {1}}

    assert (
        "SerializationError",
        f"the handler's result: its value cannot be stored as JSON: {{1}} (set) @ $.a; {HINT}",
    ) == failure(durable(backend=Stub())(flow)(event()))


# --- sizes -----------------------------------------------------------------------------------------------------

LIMIT = 1_048_576


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT])
def test_step_result_up_to_the_limit_is_kept(size):
    """A result of 1 MiB as text, quotes and all, is kept."""
    stub = Stub()
    envelope = yielded(lambda ctx: ctx.step("fetch", lambda: "x" * (size - 2)), stub)
    assert "SUCCEEDED" == envelope["Status"]
    assert size == len(stub.updates[-1]["Payload"])


def test_step_result_over_the_limit_fails_the_step_at_once():
    """A result of one byte more is refused by name, never sent, and the step is not tried again."""
    stub, ran = Stub(), []

    def fetch():
        ran.append(1)
        return "x" * (LIMIT - 1)

    assert (
        "PayloadTooLarge",
        (
            "step 'fetch': its value takes 1048577 bytes as text, and the service keeps at most "
            "1048576 of an operation: keep it elsewhere (S3, a table) and return where, or give it a "
            "serde that does: Json() | S3(bucket)"
        ),
    ) == failure(yielded(lambda ctx: ctx.step("fetch", fetch), stub))
    assert [1] == ran
    assert ["STEP START fetch", "STEP FAIL fetch PayloadTooLarge", "--"] == stub.stream


def test_step_result_is_measured_in_bytes():
    """Text outside ASCII counts by its bytes in UTF-8."""
    assert (
        "PayloadTooLarge"
        == failure(yielded(lambda ctx: ctx.step("fetch", lambda: "ü" * (LIMIT // 2))))[0]
    )


def test_invoke_payload_over_the_limit_is_refused():
    """A payload over the limit is refused as a payload."""
    stub = Stub()
    assert (
        "PayloadTooLarge",
        (
            "the payload of invoke 'other' takes 1048577 bytes as text, and the service keeps at most "
            "1048576 of an operation: keep it elsewhere (S3, a table) and send where"
        ),
    ) == failure(yielded(lambda ctx: ctx.invoke("other", "other:1", "x" * (LIMIT - 1)), stub))
    assert [] == stub.updates


def test_handler_result_over_the_limit_is_refused():
    """A handler's result has a limit of its own."""

    def flow(event, ctx):
        return "x" * 6_291_455

    assert (
        "PayloadTooLarge",
        (
            "the handler's result takes 6291457 bytes as text, and the service takes at most 6291456: "
            "keep it elsewhere (S3, a table) and return where"
        ),
    ) == failure(durable(backend=Stub())(flow)(event()))


FN = (
    "ctx.step(name, fn, *args): fn must be a function, not {}. Its arguments follow it:\n"
    '    wrong:  ctx.step("charge", charge(order))\n'
    '    right:  ctx.step("charge", charge, order)'
)

# --- functions and words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda ctx: ctx.step("x"), FN.format("None")),
        (lambda ctx: ctx.step("x", 5), FN.format("5 (int)")),
        (
            lambda ctx: ctx.map("x", 5, nothing),
            "ctx.map(name, items, flow): items must be a list or another iterable, not 5",
        ),
        (
            lambda ctx: ctx.parallel("x", 5),
            "ctx.parallel(name, flows): flows must be a list or another iterable, not 5",
        ),
        (
            lambda ctx: ctx.child("x", 5),
            "ctx.child(name, flow, *args): flow must be a function, not 5 (int)",
        ),
        (
            lambda ctx: ctx.map("x", [1], 5),
            "ctx.map(name, items, flow): flow must be a function, not 5 (int)",
        ),
        (
            lambda ctx: ctx.parallel("x", [5]),
            "ctx.parallel(name, flows): each flow must be a function, not 5 (int)",
        ),
        (
            lambda ctx: ctx.wait_for_condition("x", 5),
            "ctx.wait_for_condition(name, check): check must be a function, not 5 (int)",
        ),
        (
            lambda ctx: ctx.wait_for_callback("x", 5),
            "ctx.wait_for_callback(name, submit): submit must be a function, not 5 (int)",
        ),
        (
            lambda ctx: ctx.invoke("x", ""),
            "ctx.invoke(name, function): function must be a name or ARN, not ''",
        ),
        (
            lambda ctx: ctx.invoke("x", 5),
            "ctx.invoke(name, function): function must be a name or ARN, not 5",
        ),
        (
            lambda ctx: ctx.map("x", [1], nothing, nesting="deep"),
            "nesting must be 'nested' or 'flat', not 'deep'",
        ),
        (
            lambda ctx: ctx.parallel("x", [nothing], nesting=None),
            "nesting must be 'nested' or 'flat', not None",
        ),
        (
            lambda ctx: ctx.child("x", nothing, sub_type="a b"),
            "sub_type must be 1 to 32 of [a-zA-Z0-9-_], not 'a b'",
        ),
        (
            lambda ctx: ctx.child("x", nothing, sub_type=""),
            "sub_type must be 1 to 32 of [a-zA-Z0-9-_], not ''",
        ),
        (
            lambda ctx: ctx.child("x", nothing, sub_type="x" * 33),
            f"sub_type must be 1 to 32 of [a-zA-Z0-9-_], not {'x' * 33!r}",
        ),
        (
            lambda ctx: ctx.child("x", nothing, sub_type="ü"),
            "sub_type must be 1 to 32 of [a-zA-Z0-9-_], not 'ü'",
        ),
        (
            lambda ctx: ctx.child("x", nothing, sub_type=5),
            "sub_type must be 1 to 32 of [a-zA-Z0-9-_], not 5",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_argument_of_the_wrong_kind_is_refused(make, text):
    """What cannot be run, or is no word of the wire, is refused where it is written."""
    kind, got = failure(yielded(make))
    assert ("UsageError", text) == (kind, got.removesuffix(" (NoneType)"))


def test_current_step_outside_a_step_is_refused():
    """Only the function that a step runs may ask which step it is."""
    text = "current_step() was called outside a step: call it in the function that a step runs"
    assert text == refused(current_step)


def test_current_step_in_a_flow_is_refused():
    """A flow is no step."""

    def flow(event, ctx):
        yield ctx.step("charge", nothing)
        current_step()

    text = "current_step() was called outside a step: call it in the function that a step runs"
    assert ("UsageError", text) == failure(durable(backend=Stub())(flow)(event()))


# --- decoration and events -----------------------------------------------------------------------------------------


def test_unknown_dialect_is_refused_at_decoration():
    """A dialect that there is not is refused where it is written."""
    text = "dialect 'azure' is unknown: write dialect='core' or dialect='aws'"
    assert text == refused(lambda: durable(dialect="azure"))


def test_unknown_dialect_of_the_environment_names_the_variable(monkeypatch):
    """A dialect that the environment names is refused by the variable's name."""
    monkeypatch.setenv("DURABLE_GEN_DIALECT", "azure")
    text = "DURABLE_GEN_DIALECT='azure' is unknown: set it to core or aws"
    assert text == refused(lambda: yielded(lambda ctx: ctx.step("charge", nothing)))


@pytest.mark.parametrize("what", [5, "core"])
def test_decoration_of_no_function_is_refused(what):
    """`@durable` decorates a function; `@durable("core")` does not."""
    assert f"@durable decorates a function, not {what!r}" == refused(lambda: durable(what))


NOT_DURABLE = (
    "Enable durable execution when the function is created (DurableConfig with an "
    "ExecutionTimeout), and invoke it with a qualifier: a version, an alias or $LATEST. "
    "To run it here: durable-gen run FILE.py:handler --event FILE"
)


@pytest.mark.parametrize(
    ("given", "has"),
    [
        ({}, "it has: nothing"),
        ({"orders": 1, "items": 2}, "it has: items, orders"),
        (None, "it is None"),
        ([1], "it is [1]"),
    ],
    ids=str,
)
def test_event_that_is_not_durable_is_refused(given, has):
    """An ordinary event is raised, with how durable execution is enabled."""

    @durable(backend=Stub())
    def handler(event, ctx):
        yield ctx.step("charge", nothing)

    assert (
        f"this is not a durable invocation: the event has no DurableExecutionArn ({has}). "
        f"{NOT_DURABLE}"
    ) == refused(lambda: handler(given))


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"InitialExecutionState": {"Operations": []}}, "CheckpointToken"),
        ({"CheckpointToken": "t0"}, "InitialExecutionState"),
        ({"CheckpointToken": "t0", "InitialExecutionState": None}, "InitialExecutionState"),
    ],
    ids=["token", "state", "state of None"],
)
def test_event_without_its_members_is_refused(given, missing):
    """A durable event without its token or its state is raised by name."""

    @durable(backend=Stub())
    def handler(event, ctx):
        yield ctx.step("charge", nothing)

    assert f"the event of {ARN} has no {missing}" == refused(
        lambda: handler({"DurableExecutionArn": ARN, **given})
    )


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"DurableExecutionArn": None}, "the event's DurableExecutionArn is None, not text"),
        ({"CheckpointToken": 5}, "the event's CheckpointToken is 5, not text"),
        (
            {"InitialExecutionState": {"Operations": 5}},
            "the event's InitialExecutionState.Operations is 5, not a list",
        ),
    ],
    ids=["arn", "token", "operations"],
)
def test_event_whose_members_are_of_another_kind_is_refused(changed, text):
    """A durable event with something else in a member is raised by that member's name."""

    @durable(backend=Stub())
    def handler(event, ctx):
        yield ctx.step("charge", nothing)

    assert text == refused(lambda: handler({**event(), **changed}))


def test_decoration_applied_twice_is_refused():
    """A handler is no flow."""

    def flow(event, ctx):
        yield ctx.step("charge", nothing)

    line = flow.__code__.co_firstlineno
    where = f"test_bad_input.py:{line}, in {flow.__qualname__}"
    assert f"{where}: @durable was applied twice" == refused(lambda: durable(durable(flow)))


def test_input_that_is_no_json_fails_the_execution():
    """An execution's input that is no JSON can never be read: FAILED, not raised."""
    given = event()
    execution = given["InitialExecutionState"]["Operations"][0]
    execution["ExecutionDetails"]["InputPayload"] = "{nope"

    @durable(backend=Stub())
    def handler(event, ctx):
        yield ctx.step("charge", nothing)

    assert (
        "DeserializationError",
        (
            "the execution's input is not JSON (Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)): '{nope'"
        ),
    ) == failure(handler(given))
