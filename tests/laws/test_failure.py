"""Errors and their records: whoever waits sees what the record describes, first run or replay."""

import builtins
import traceback

import pytest

from durable_gen import durable, durable_error, errors
from durable_gen._failure import (
    LIBRARY,
    MAX_FRAMES,
    MAX_TEXT,
    describe,
    frames,
    raised,
    rebuild,
    story,
    type_name,
)
from durable_gen._model import ErrorObject
from durable_gen.errors import (
    CallbackFailed,
    ChildContextFailed,
    DurableError,
    OperationFailed,
    SerializationError,
    StepFailed,
    StepTimedOut,
    UsageError,
)
from stub import Stub, event, logged, result


class Plain(Exception):  # noqa: N818
    """An error of the user's that is not marked."""


@durable_error
class Declined(Exception):  # noqa: N818
    """An error of the user's that is marked."""

    def __init__(self, code, card=None):
        super().__init__(code, card)
        self.code = code
        self.card = card

    def __str__(self):
        return f"declined with code {self.code}"


@durable_error
class Odd(Exception):  # noqa: N818
    """A marked error whose constructor does not take its args."""

    def __init__(self, *, code):
        super().__init__(f"code {code}")
        self.code = code


def caught(error):
    """Raise an error here, so that it has a traceback."""
    try:
        raise error
    except type(error) as raised_:
        return raised_


def deep(n):
    if n == 0:
        raise Plain("at the bottom")
    deep(n - 1)


def fallen(n):
    try:
        deep(n)
    except Plain as error:
        return error
    raise AssertionError


# --- describe ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cls", "expected"),
    [
        (ValueError, "ValueError"),
        (KeyboardInterrupt, "KeyboardInterrupt"),
        (StepFailed, "StepFailed"),
        (UsageError, "UsageError"),
        (Plain, f"{__name__}.Plain"),
    ],
)
def test_exception_class_then_built_in_and_ours_are_bare_and_others_have_their_module(
    cls, expected
):
    """A class is named in the log so that no two are taken for one."""
    assert expected == type_name(cls)


def test_exception_then_type_text_and_stack_are_recorded():
    """FAIL carries ErrorType, ErrorMessage and StackTrace."""
    described = describe(fallen(0))
    assert (f"{__name__}.Plain", "at the bottom", None) == (
        described.type,
        described.message,
        described.data,
    )
    assert described.stack_trace[-1].endswith('raise Plain("at the bottom")\n')


def test_exception_without_a_traceback_then_it_has_no_stack():
    """An error that was made and never raised is recorded too."""
    assert ErrorObject("ValueError", "no") == describe(ValueError("no"))


def test_long_text_then_it_is_cut():
    """An error of a megabyte would be refused by the service."""
    message = describe(ValueError("x" * 100_000)).message
    assert "x" * MAX_TEXT + "…" == message


def test_text_at_the_limit_then_it_is_kept():
    """What fits is not cut."""
    assert "x" * MAX_TEXT == describe(ValueError("x" * MAX_TEXT)).message


class Broken(Exception):  # noqa: N818
    def __str__(self):
        raise RuntimeError("no text")


def test_exception_whose_text_cannot_be_made_then_it_is_still_recorded():
    """FAIL what fails: an error with a broken `__str__` is an error like any other."""
    assert f"{__name__}.Broken" == describe(Broken()).type


def test_text_with_a_lone_surrogate_then_it_can_be_sent():
    """What is recorded of an error is text that the wire takes."""
    assert describe(ValueError("bad \ud800 text")).message.encode()


# --- frames ------------------------------------------------------------------------------------------


def test_deep_stack_then_the_innermost_frames_are_kept():
    """The frames nearest to the raise say most."""
    found = list(frames(fallen(50).__traceback__))
    assert found[-1].endswith('raise Plain("at the bottom")\n')
    assert len(found) <= MAX_FRAMES + 1  # a note on repeated lines


def run(flow, *records, **options):
    stub = Stub()
    envelope = durable(backend=stub, **options)(flow)(event(*records))
    return envelope, stub


def bottom():
    raise Plain("at the bottom")


def failing(event, ctx):
    yield from ctx.step("charge", bottom, retry=None)


def test_step_that_raised_then_no_frame_of_the_library_is_recorded():
    """Users read their own lines: the library's frames are trimmed."""
    _, stub = run(failing)
    recorded = stub.updates[-1]["Error"]["StackTrace"]
    assert 'raise Plain("at the bottom")\n' in recorded[-1]
    assert not [line for line in recorded if LIBRARY in line]


def test_error_with_a_cause_then_its_story_has_both_and_no_frame_of_the_library():
    """A whole traceback is formatted with its causes, without the library's frames."""
    try:
        try:
            deep(0)
        except Plain as error:
            raise StepFailed("charge", "Plain", str(error)) from error
    except StepFailed as error:
        told = story(error)
    assert "Plain: at the bottom" in told
    assert told.endswith(
        "durable_gen.errors.StepFailed: step failed for operation 'charge': Plain: at the bottom"
    )
    assert LIBRARY not in told


# --- rebuild -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), KeyError("k"), Plain("p"), SystemExit(3), TimeoutError()],
    ids=lambda error: type(error).__name__,
)
def test_error_of_anyones_then_it_is_raised_wrapped(error):
    """An error that is not marked is raised as the operation's own, with what was recorded."""
    recorded = describe(error)
    made = rebuild(recorded, StepFailed, "charge")
    assert (StepFailed, "charge", recorded.type, recorded.message) == (
        type(made),
        made.operation,
        made.error_type,
        made.message,
    )


def test_wrapped_error_then_its_text_names_operation_type_and_message():
    """A failure's text has one form everywhere."""
    recorded = describe(RuntimeError("something went wrong"))
    made = rebuild(recorded, ChildContextFailed, "x")
    assert "child context failed for operation 'x': RuntimeError: something went wrong" == str(made)


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        (ErrorObject(), "step failed for operation 'x'"),
        (ErrorObject("E"), "step failed for operation 'x': E"),
        (ErrorObject(message="no"), "step failed for operation 'x': no"),
        (ErrorObject("E", "no"), "step failed for operation 'x': E: no"),
        (ErrorObject("E", None, "{}"), "step failed for operation 'x': E: {}"),
        (ErrorObject("E", "", "{}"), "step failed for operation 'x': E"),
    ],
)
def test_record_with_little_in_it_then_the_text_has_what_there_is(recorded, expected):
    """What was not recorded leaves no gap in the text."""
    assert expected == str(rebuild(recorded, StepFailed, "x"))


def test_marked_error_then_it_comes_back_as_itself():
    """`except PaymentDeclined` around a step works on the first run and on every replay."""
    made = rebuild(describe(Declined(51, "visa")), StepFailed, "charge")
    assert (Declined, 51, "visa", (51, "visa"), "declined with code 51") == (
        type(made),
        made.code,
        made.card,
        made.args,
        str(made),
    )


def test_marked_error_with_keywords_then_it_comes_back_without_its_constructor():
    """An instance is made from its args and attributes, whatever its constructor wants."""
    made = rebuild(describe(Odd(code=3)), StepFailed, "charge")
    assert (Odd, 3, "code 3") == (type(made), made.code, str(made))


def test_marked_error_with_what_json_has_no_word_for_then_its_text_is_kept():
    """What JSON has no word for is stored as its text."""
    made = rebuild(describe(Declined(51, {1, 2}.__class__)), StepFailed, "charge")
    assert str(set) == made.card


def test_marked_error_with_what_json_refuses_then_it_is_still_recorded():
    """FAIL what fails: a marked error is recorded whatever it holds."""
    assert describe(Declined(2**70)).type.endswith("Declined")


def test_marked_error_without_data_then_it_is_wrapped():
    """A record that another program wrote under the same type has nothing to restore from."""
    recorded = ErrorObject(type_name(Declined), "no")
    assert StepFailed is type(rebuild(recorded, StepFailed, "charge"))


def test_marked_error_with_data_of_others_then_it_is_wrapped():
    """Data that this library did not write is no reason to crash."""
    recorded = ErrorObject(type_name(Declined), "no", "not json")
    assert StepFailed is type(rebuild(recorded, StepFailed, "charge"))


@pytest.mark.parametrize("cls", [UsageError, SerializationError])
def test_error_of_ours_that_is_no_operations_then_it_comes_back_as_itself(cls):
    """A fault that the library found in a step is the same fault on replay."""
    made = rebuild(describe(cls("mend it")), StepFailed, "charge")
    assert (cls, "mend it") == (type(made), str(made))


def test_error_of_ours_that_passes_then_it_comes_back_as_itself():
    """A step's own errors are not wrapped again."""
    recorded = describe(StepTimedOut("charge", None, "it took longer than 3 s"))
    made = rebuild(recorded, StepFailed, "charge", (StepFailed,))
    assert StepTimedOut is type(made)
    assert "step timed out for operation 'charge': it took longer than 3 s" == str(made)


def test_error_of_ours_that_does_not_pass_then_it_is_wrapped():
    """What fails inside a child is the child's failure."""
    recorded = describe(StepFailed("charge", "ValueError", "no"))
    made = rebuild(recorded, ChildContextFailed, "payment")
    assert (
        "child context failed for operation 'payment': StepFailed: step failed for operation "
        "'charge': ValueError: no"
    ) == str(made)


@pytest.mark.parametrize(
    "cls",
    [
        cls
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, OperationFailed)
    ],
)
def test_error_of_any_operation_then_it_is_the_same_when_it_passes(cls):
    """Class, text, operation and code survive the log."""
    error = cls("charge", "ValueError", "no", '{"a": 1}')
    made = rebuild(describe(error), ChildContextFailed, "x", (OperationFailed,))
    assert (type(error), str(error), error.args, error.code) == (
        type(made),
        str(made),
        made.args,
        made.code,
    )


def test_callback_error_that_passes_then_it_keeps_its_callback_id():
    """The id is in the text, so it must be the same on replay."""
    error = CallbackFailed("ask", "E", "no", callback_id="cb-1")
    made = rebuild(describe(error), ChildContextFailed, "x", (OperationFailed,))
    assert "callback failed for operation 'ask' (callback_id: cb-1): E: no" == str(made)


def test_two_waiters_then_each_gets_an_error_of_its_own():
    """Errors are rebuilt per waiter: a traceback must not grow in another's."""
    recorded = describe(Declined(51))
    assert rebuild(recorded, StepFailed, "x") is not rebuild(recorded, StepFailed, "x")


def test_codes_then_no_two_classes_share_one():
    """A code is a stable word for one class."""
    ours = [
        cls
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, DurableError)
    ]
    codes = [cls.code for cls in ours]
    assert sorted(set(codes)) == sorted(codes)


# --- raised ------------------------------------------------------------------------------------------


def test_live_error_then_it_is_the_cause():
    """On the first run the user's raise is the cause."""
    live = fallen(0)
    made = raised(StepFailed("x"), describe(live), live)
    assert live is made.__cause__
    assert not hasattr(made, "__notes__")


def test_no_live_error_then_the_stored_stack_is_a_note():
    """On replay the stored stack is printed in its place."""
    recorded = describe(fallen(0))
    made = raised(StepFailed("x"), recorded, None)
    assert made.__cause__ is None
    assert made.__notes__[0].startswith("Recorded where it was raised:\n")
    assert made.__notes__[0].endswith('raise Plain("at the bottom")')


# --- first run and replay ----------------------------------------------------------------------------


def declines():
    raise Declined(51, "visa")


def told(error):
    return [type(error).__name__, str(error), getattr(error, "code", None)]


def of_step(event, ctx):
    try:
        yield from ctx.step("charge", bottom, retry=None)
    except Exception as error:
        return told(error)


def of_marked(event, ctx):
    try:
        yield from ctx.step("charge", declines, retry=None)
    except Declined as error:
        return [*told(error), error.card]


def breaks(ctx):
    yield ctx.step("charge", bottom, retry=None)


def of_child(event, ctx):
    try:
        yield from ctx.child("payment", breaks)
    except Exception as error:
        return told(error)


def of_branch(event, ctx):
    batch = yield from ctx.parallel("both", {"good": lambda _: 1, "bad": breaks})
    return [told(error) for error in batch.errors]


def of_all(event, ctx):
    try:
        yield from ctx.all(ctx.step("charge", bottom, retry=None), ctx.step("ok", len, "abc"))
    except Exception as error:
        return told(error)


def of_flat(event, ctx):
    batch = yield from ctx.map("each", [1, 2], lambda child, _: breaks(child), nesting="flat")
    return [told(error) for error in batch.errors]


def of_submit(event, ctx):
    try:
        yield from ctx.wait_for_callback("ask", lambda _: bottom(), retry=None)
    except Exception as error:
        return told(error)


def of_condition(event, ctx):
    try:
        yield from ctx.wait_for_condition("until", lambda _: bottom(), 0)
    except Exception as error:
        return told(error)


def of_serialization(event, ctx):
    try:
        yield from ctx.step("charge", lambda: {1, 2}, retry=None)
    except Exception as error:
        return told(error)


CALLBACK = {"CallbackId": "cb-1"}


class Service(Stub):
    """A stub whose answers give a callback its id."""

    def checkpoint_durable_execution(self, **request):
        answer = super().checkpoint_durable_execution(**request)
        answer["NewExecutionState"]["Operations"] = [
            logged(update, "STARTED", **CALLBACK)
            for update in request["Updates"]
            if update["Type"] == "CALLBACK"
        ]
        return answer


def records_of(stub):
    """Make the records that the service keeps of what a stub was sent."""
    found = {}
    for update in stub.updates:
        match update["Action"]:
            case "START":
                details = CALLBACK if update["Type"] == "CALLBACK" else {}
                found[update["Id"]] = logged(update, "STARTED", **details)
            case "SUCCEED":
                options = update.get("ContextOptions", {})
                found[update["Id"]] = logged(
                    update, "SUCCEEDED", Result=update.get("Payload"), **options
                )
            case "FAIL":
                found[update["Id"]] = logged(update, "FAILED", Error=update["Error"])
    return list(found.values())


@pytest.mark.parametrize(
    "flow",
    [
        of_step,
        of_marked,
        of_child,
        of_branch,
        of_all,
        of_flat,
        of_submit,
        of_condition,
        of_serialization,
    ],
)
def test_error_on_the_first_run_then_replay_sees_the_same_class_and_text(flow):
    """Equal errors on the first run and on replay."""
    first, second = Service(), Service()
    live = result(durable(backend=first)(flow)(event()))
    replayed = result(durable(backend=second)(flow)(event(*records_of(first))))
    assert live is not None
    assert live == replayed
    assert second.updates == []


def last_words(flow, *records):
    """Give the text of the error that a flow's own `except` prints, without causes and notes."""
    words = []

    def watching(event, ctx):
        try:
            return (yield from flow(event, ctx))
        except Exception as error:
            words.extend(traceback.format_exception_only(error))
            raise

    stub = Stub()
    durable(backend=stub)(watching)(event(*records))
    return stub, words[0]


def test_error_that_is_printed_then_it_prints_alike_on_replay():
    """Both print alike, but for where the raise is shown: as a cause or as a note."""
    stub, live = last_words(failing)
    _, replayed = last_words(failing, *records_of(stub))
    assert (
        "durable_gen.errors.StepFailed: step failed for operation 'charge': "
        f"{__name__}.Plain: at the bottom\n"
    ) == live
    assert live == replayed


def test_builtins_then_an_error_of_the_users_with_the_same_name_is_not_one():
    """A user's `ValueError` of another module is not the built-in."""
    own = type("ValueError", (Exception,), {"__module__": "mine"})
    assert "mine.ValueError" == type_name(own)
    assert own is not builtins.ValueError
