"""Retries and polls: whole seconds, within bounds, from what is written and one number drawn."""

import math
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_gen import Poll, Retry
from durable_gen._schedule import jittered, poll_delay, retry_delay, spread
from durable_gen.errors import (
    DeserializationError,
    PayloadTooLarge,
    SerializationError,
    StepTimedOut,
    UsageError,
)

NO = ValueError("no")
FIXED = {"initial": 2, "maximum": 10, "backoff": 2, "jitter": "none"}

seconds = st.floats(0, 5_000, allow_nan=False)
factors = st.floats(1, 50)
draws = st.floats(0, 1)
jitters = st.sampled_from(["full", "half", "none"])
attempts = st.integers(1, 2_000)
spans = st.fixed_dictionaries(
    {"initial": seconds, "maximum": seconds, "backoff": factors, "jitter": jitters}
)


@pytest.mark.parametrize(("attempt", "expected"), [(1, 2), (2, 4), (3, 8), (4, 10), (9, 10)])
def test_delay_without_jitter_then_it_grows_by_the_factor_up_to_the_maximum(attempt, expected):
    """The delay after attempt n is initial · backoff^(n-1), at most the maximum."""
    assert expected == retry_delay(Retry(max_attempts=99, **FIXED), attempt, NO, 0.3)
    assert expected == poll_delay(Poll(max_attempts=99, **FIXED), attempt, 0.3)


@pytest.mark.parametrize(
    ("jitter", "draw", "expected"),
    [
        ("none", 0.0, 10),
        ("none", 1.0, 10),
        ("full", 0.0, 1),
        ("full", 0.5, 5),
        ("full", 0.51, 6),
        ("full", 1.0, 10),
        ("half", 0.0, 5),
        ("half", 0.5, 8),
        ("half", 1.0, 10),
    ],
)
def test_jitter_then_the_draw_says_which_part_of_the_delay(jitter, draw, expected):
    """Full draws from 0 to the delay, half from its second half, none does not look at the draw."""
    assert expected == jittered(10, jitter, draw)


@pytest.mark.parametrize(("delay", "expected"), [(0, 1), (0.2, 1), (1, 1), (1.001, 2), (59.5, 60)])
def test_fraction_of_a_second_then_it_is_rounded_up_to_at_least_one(delay, expected):
    """The service counts whole seconds, from 1."""
    assert expected == jittered(delay, "none", 0.5)


def test_growth_beyond_what_a_float_holds_then_the_maximum_is_the_delay():
    """A policy that goes on for long must not overflow."""
    assert 60 == spread(5, 60, 1e300, 2_000)


@pytest.mark.parametrize(
    ("attempt", "expected"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (6, None)]
)
def test_default_retry_then_six_attempts_from_5_s_doubling_to_60(attempt, expected):
    """The default that `ctx.step` documents: 6 attempts, 5 s doubling to 60 s, full jitter."""
    assert expected == retry_delay(Retry(), attempt, NO, 1.0)


@pytest.mark.parametrize(
    ("attempt", "expected"), [(1, 5), (2, 8), (20, 300), (59, 300), (60, None)]
)
def test_default_poll_then_sixty_looks_from_5_s_growing_by_half_to_300(attempt, expected):
    """The default that `ctx.wait_for_condition` documents."""
    assert expected == poll_delay(Poll(), attempt, 1.0)


class DeclinedError(ValueError): ...


picky = partial(Retry, jitter="none", initial=3)


@pytest.mark.parametrize(
    ("retry", "error", "expected"),
    [
        (None, NO, None),
        (picky(max_attempts=1), NO, None),
        (picky(), NO, 3),
        (picky(), KeyboardInterrupt(), None),
        (picky(retry_on=ValueError), NO, 3),
        (picky(retry_on=ValueError), DeclinedError("d"), 3),
        (picky(retry_on=DeclinedError), NO, None),
        (picky(retry_on=(KeyError, ValueError)), NO, 3),
        (picky(retry_on=[KeyError]), NO, None),
        (picky(retry_if=lambda error: "no" in str(error)), NO, 3),
        (picky(retry_if=lambda error: "yes" in str(error)), NO, None),
        (picky(retry_on=KeyError, retry_if=lambda _: True), NO, None),
        (picky(), StepTimedOut("x"), 3),
        (picky(), SerializationError("s"), None),
        (picky(), PayloadTooLarge("p"), None),
        (picky(), UsageError("u"), None),
        (picky(), DeserializationError("d"), 3),
    ],
)
def test_error_then_the_policy_tells_whether_it_is_tried_again(retry, error, expected):
    """`retry_on` comes first, then `retry_if`; what trying cannot mend is never tried again."""
    assert expected == retry_delay(retry, 1, error, 0.5)


@pytest.mark.parametrize(
    ("poll", "state", "expected"),
    [
        (Poll(), None, False),
        (Poll(), 0, False),
        (Poll(), "", False),
        (Poll(), "ready", True),
        (Poll(until=lambda n: n >= 3), 2, False),
        (Poll(until=lambda n: n >= 3), 3, True),
        (Poll(until=lambda state: state is None), None, True),
    ],
)
def test_state_then_it_is_done_when_truthy_or_as_until_says(poll, state, expected):
    """Without `until` a truthy state ends the wait."""
    assert expected is poll.done(state)


@given(spans, attempts, draws)
def test_any_retry_then_its_delay_is_whole_seconds_from_1_to_the_maximum(span, attempt, draw):
    """Whole seconds of at least 1, at most the maximum rounded up."""
    delay = retry_delay(Retry(max_attempts=10_000, **span), attempt, NO, draw)
    assert type(delay) is int
    assert 1 <= delay <= max(1, math.ceil(span["maximum"]))


@given(spans, attempts, draws)
def test_any_poll_then_its_delay_is_whole_seconds_from_1_to_the_maximum(span, attempt, draw):
    """Polling has the same law as retrying: there is one schedule."""
    delay = poll_delay(Poll(max_attempts=10_000, **span), attempt, draw)
    assert delay == retry_delay(Retry(max_attempts=10_000, **span), attempt, NO, draw)


@given(spans, attempts, draws)
def test_any_schedule_then_a_later_attempt_never_waits_less(span, attempt, draw):
    """For one draw the delays grow until they reach the maximum."""
    retry = Retry(max_attempts=10_000, **span)
    assert retry_delay(retry, attempt, NO, draw) <= retry_delay(retry, attempt + 1, NO, draw)


@given(spans, attempts, draws, draws)
def test_any_schedule_then_a_greater_draw_never_waits_less(span, attempt, one, other):
    """The delay depends on nothing but the draw, and grows with it."""
    retry = Retry(max_attempts=10_000, **span)
    less, more = sorted((one, other))
    assert retry_delay(retry, attempt, NO, less) <= retry_delay(retry, attempt, NO, more)


@given(st.integers(1, 50), attempts)
def test_any_policy_then_no_attempt_follows_the_last(most, attempt):
    """`max_attempts` counts all attempts, the first too."""
    again = retry_delay(Retry(max_attempts=most), attempt, NO, 0.5)
    assert (attempt < most) == (again is not None)


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [Retry, Poll])
@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        *(
            ("max_attempts", bad, f"must be a whole number of at least 1, not {bad!r}")
            for bad in (0, -1, 1.5, True, "3", None)
        ),
        *(
            (option, bad, f"must be between 0 and 31622400 seconds, not {bad!r}")
            for option in ("initial", "maximum")
            for bad in (-1, 31_622_401, math.nan, math.inf, True, "5", None)
        ),
        *(
            ("backoff", bad, f"must be a factor of at least 1, not {bad!r}")
            for bad in (0.5, 0, -2, math.nan, True, "2", None)
        ),
        *(
            ("jitter", bad, f"must be 'full', 'half' or 'none', not {bad!r}")
            for bad in ("FULL", "", None, True)
        ),
    ],
)
def test_option_out_of_range_then_the_error_says_what_was_expected_and_what_came(
    cls, option, value, text
):
    """A number out of range is refused when the policy is made."""
    with pytest.raises(UsageError) as caught:
        cls(**{option: value})
    assert f"{cls.__name__}({option}=...) {text}" == str(caught.value)


@pytest.mark.parametrize("value", [3, "ValueError", (ValueError, 3), NO, int], ids=repr)
def test_retry_on_something_that_is_no_exception_class_then_it_is_refused(value):
    """What cannot be raised cannot be retried: it is refused early, not when a step has failed."""
    with pytest.raises(UsageError) as caught:
        Retry(retry_on=value)
    assert str(caught.value).startswith("Retry(retry_on=...) must be")


@pytest.mark.parametrize(
    ("cls", "option"), [(Retry, "retry_if"), (Poll, "until")], ids=["retry_if", "until"]
)
def test_predicate_that_is_no_function_then_it_is_refused(cls, option):
    """A predicate that cannot be called is refused early."""
    with pytest.raises(UsageError) as caught:
        cls(**{option: 3})
    assert str(caught.value).startswith(f"{cls.__name__}({option}=...) must be a function")
