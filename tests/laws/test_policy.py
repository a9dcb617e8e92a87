"""When a fan-out is over: `Completion` by `Progress` gives a reason, or None to go on."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_gen import Completion, Progress
from durable_gen._policy import Reason, over
from durable_gen.errors import UsageError

DONE = Reason.ALL_COMPLETED
ENOUGH = Reason.MIN_SUCCESSFUL_REACHED
TOO_MANY = Reason.FAILURE_TOLERANCE_EXCEEDED
SAID = Reason.PREDICATE_SATISFIED

EITHER = Completion(min_successful=2, tolerated_failures=1)
BOTH = Completion(tolerated_failures=3, tolerated_percentage=25)


@pytest.mark.parametrize(
    ("completion", "succeeded", "failed", "total", "expected"),
    [
        # nothing asked: all run
        (Completion(), 0, 0, 0, DONE),
        (Completion(), 0, 0, 3, None),
        (Completion(), 2, 0, 3, None),
        (Completion(), 0, 2, 3, None),
        (Completion(), 3, 0, 3, DONE),
        (Completion(), 1, 2, 3, DONE),
        (Completion(), 0, 3, 3, DONE),
        # enough successes
        (Completion(min_successful=2), 1, 0, 3, None),
        (Completion(min_successful=2), 1, 1, 3, None),
        (Completion(min_successful=2), 2, 0, 3, ENOUGH),
        (Completion(min_successful=2), 2, 1, 3, DONE),
        (Completion(min_successful=3), 3, 0, 3, DONE),
        (Completion(min_successful=2), 1, 2, 3, DONE),
        (Completion(min_successful=1), 0, 0, 0, DONE),
        # too many failures
        (Completion(tolerated_failures=0), 2, 0, 3, None),
        (Completion(tolerated_failures=0), 0, 1, 3, TOO_MANY),
        (Completion(tolerated_failures=0), 3, 0, 3, DONE),
        (Completion(tolerated_failures=1), 1, 1, 3, None),
        (Completion(tolerated_failures=1), 0, 2, 3, TOO_MANY),
        (Completion(tolerated_failures=1), 1, 2, 3, TOO_MANY),
        # too great a share of failures
        (Completion(tolerated_percentage=0), 1, 0, 2, None),
        (Completion(tolerated_percentage=0), 0, 1, 2, TOO_MANY),
        (Completion(tolerated_percentage=50), 0, 1, 2, None),
        (Completion(tolerated_percentage=50), 1, 1, 2, DONE),
        (Completion(tolerated_percentage=50), 0, 2, 4, None),
        (Completion(tolerated_percentage=49.9), 0, 2, 4, TOO_MANY),
        (Completion(tolerated_percentage=100), 0, 4, 4, DONE),
        (Completion(tolerated_percentage=0), 0, 0, 0, DONE),
        # several at once
        (EITHER, 2, 0, 4, ENOUGH),
        (EITHER, 2, 1, 4, ENOUGH),
        (EITHER, 1, 2, 4, TOO_MANY),
        (EITHER, 2, 2, 4, TOO_MANY),
        (BOTH, 0, 1, 4, None),
        (BOTH, 0, 2, 4, TOO_MANY),
        (BOTH, 0, 4, 100, TOO_MANY),
        # a predicate
        (Completion(predicate=lambda p: p.completed >= 2), 1, 0, 3, None),
        (Completion(predicate=lambda p: p.completed >= 2), 1, 1, 3, SAID),
        (Completion(predicate=lambda p: p.completed >= 2), 2, 1, 3, SAID),
        (Completion(predicate=lambda p: p.succeeded == p.total), 2, 1, 3, DONE),
        (Completion(predicate=lambda _: True, tolerated_failures=0), 0, 1, 3, TOO_MANY),
        (Completion(predicate=lambda _: True, min_successful=1), 1, 0, 3, SAID),
    ],
)
def test_progress_then_the_completion_says_whether_it_is_over(
    completion, succeeded, failed, total, expected
):
    """Failures beyond tolerance, then the predicate, then all done, then enough successes."""
    assert expected == over(completion, Progress(succeeded, failed, total))


def test_progress_then_completed_counts_both_ends():
    """A branch that ended has completed, however it ended."""
    assert 5 == Progress(2, 3, 9).completed


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"min_successful": 0}, "(min_successful=...) must be a whole number of at least 1, not 0"),
        (
            {"min_successful": -2},
            "(min_successful=...) must be a whole number of at least 1, not -2",
        ),
        (
            {"tolerated_failures": -1},
            "(tolerated_failures=...) must be a whole number of at least 0, not -1",
        ),
        ({"tolerated_percentage": -1}, "(tolerated_percentage=...) must be from 0 to 100, not -1"),
        (
            {"tolerated_percentage": 101},
            "(tolerated_percentage=...) must be from 0 to 100, not 101",
        ),
    ],
)
def test_number_out_of_range_then_the_error_says_what_was_expected(options, text):
    """A completion that cannot be meant is refused when it is made."""
    with pytest.raises(UsageError) as caught:
        Completion(**options)
    assert f"Completion{text}" == str(caught.value)


completions = st.builds(
    Completion,
    min_successful=st.none() | st.integers(1, 9),
    tolerated_failures=st.none() | st.integers(0, 9),
    tolerated_percentage=st.none() | st.floats(0, 100),
)


@given(completions, st.lists(st.booleans(), max_size=9))
def test_any_fan_out_then_it_is_over_at_the_latest_when_all_have_ended(completion, ends):
    """A fan-out always ends."""
    succeeded = sum(ends)
    assert over(completion, Progress(succeeded, len(ends) - succeeded, len(ends))) is not None


@given(completions, st.lists(st.booleans(), min_size=1, max_size=9))
def test_any_fan_out_that_is_over_then_more_ends_do_not_open_it_again(completion, ends):
    """Being over is for good, so a branch that ends late changes nothing."""
    states = [
        over(completion, Progress(sum(ends[:n]), n - sum(ends[:n]), len(ends)))
        for n in range(len(ends) + 1)
    ]
    assert not any(was is not None and now is None for was, now in pairwise(states))
