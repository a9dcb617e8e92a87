"""Suspension runs none of the workflow's code: no `except`, `finally` or `with` exit, then or later."""

import gc
import subprocess
import sys
import textwrap
import warnings
from collections import deque
from contextlib import contextmanager, suppress

import pytest

from durable_gen import _park, durable
from durable_gen._fibers import Fiber
from durable_gen._park import every, guarded, park
from durable_gen._scope import Scope
from stub import Stub, event

SEEN = []


@pytest.fixture(name="seen")
def _seen():
    SEEN.clear()
    return SEEN


@pytest.fixture(name="kept")
def _kept(monkeypatch):
    """Give each test a shelf of its own; what is on it stays alive for ever, as it must."""
    shelf = deque()
    monkeypatch.setattr(_park, "_kept", shelf)
    return shelf


@contextmanager
def watched():
    try:
        yield
    finally:
        SEEN.append("with")


# --- inside ------------------------------------------------------------------------------------------


def in_try_finally():
    try:
        yield 1
    finally:
        SEEN.append("finally")


def in_try_except():
    try:
        yield 1
    except BaseException:
        SEEN.append("except")
        raise


def in_try_except_of_one_class():
    try:
        yield 1
    except ValueError:
        SEEN.append("except")


def in_try_else_finally():
    try:
        yield 1
    except ValueError:
        SEEN.append("except")
    else:
        SEEN.append("else")
    finally:
        SEEN.append("finally")


def in_except():
    try:
        raise ValueError
    except ValueError:
        yield 1
        SEEN.append("except")


def in_finally():
    try:
        pass
    finally:
        yield 1
        SEEN.append("finally")


def in_finally_after_an_error():
    with suppress(ValueError):
        try:
            raise ValueError
        finally:
            yield 1
            SEEN.append("finally")


def in_with():
    with watched():
        yield 1


def in_with_as():
    with watched() as _, watched():
        yield 1


def in_nested_try():
    try:
        try:
            yield 1
        finally:
            SEEN.append("inner")
    finally:
        SEEN.append("outer")


def in_for_in_try():
    try:
        for _ in range(3):
            yield 1
    finally:
        SEEN.append("finally")


def in_try_in_for():
    for _ in range(3):
        try:
            yield 1
        finally:
            SEEN.append("finally")


def in_try_in_while():
    while True:
        try:
            yield 1
        except GeneratorExit:
            SEEN.append("except")
            raise


def in_try_with_a_value():
    try:
        got = yield 1
        SEEN.append(got)
    finally:
        SEEN.append("finally")


def in_try_star():
    try:
        yield 1
    except* ValueError:
        SEEN.append("except*")


def in_try_return():
    try:
        return (yield 1)
    finally:
        SEEN.append("finally")


def in_try_yield_from():
    try:
        yield from outside()
    finally:
        SEEN.append("finally")


def in_with_yield_from():
    with watched():
        yield from outside()


def in_match_in_try():
    try:
        match 3:
            case 3:
                yield 1
    finally:
        SEEN.append("finally")


def in_except_with_finally():
    try:
        raise ValueError
    except ValueError:
        yield 1
    finally:
        SEEN.append("finally")


def in_except_as_with_finally():
    try:
        raise ValueError
    except ValueError as error:
        yield error
    finally:
        SEEN.append("finally")


def in_except_in_try():
    try:
        try:
            raise ValueError
        except ValueError:
            yield 1
    finally:
        SEEN.append("finally")


def in_except_in_with():
    with watched():
        try:
            raise ValueError
        except ValueError:
            yield 1


def in_finally_after_an_error_in_try():
    with suppress(ValueError):
        try:
            try:
                raise ValueError
            finally:
                yield 1
        finally:
            SEEN.append("finally")


def in_except_in_except_in_try():
    try:
        try:
            raise ValueError
        except ValueError:
            try:
                raise KeyError
            except KeyError:
                yield 1
    finally:
        SEEN.append("finally")


def in_except_yield_from_with_finally():
    try:
        raise ValueError
    except ValueError:
        yield from outside()
    finally:
        SEEN.append("finally")


def in_else_with_finally():
    try:
        pass
    except ValueError:
        SEEN.append("except")
    else:
        yield 1
    finally:
        SEEN.append("finally")


# --- outside -----------------------------------------------------------------------------------------


def outside():
    yield 1
    SEEN.append("after")


def before_try():
    yield 1
    try:
        SEEN.append("try")
    finally:
        SEEN.append("finally")


def after_try():
    try:
        pass
    finally:
        pass
    yield 1
    SEEN.append("after")


def after_try_except():
    try:
        raise ValueError
    except ValueError:
        pass
    yield 1
    SEEN.append("after")


def after_with():
    with suppress(ValueError):
        pass
    yield 1
    SEEN.append("after")


def between_tries():
    with suppress(ValueError):
        pass
    yield 1
    try:
        SEEN.append("try")
    finally:
        SEEN.append("finally")


def in_for():
    for _ in range(3):
        yield 1
        SEEN.append("after")


def in_while_after_try():
    while True:
        with suppress(ValueError):
            pass
        yield 1
        SEEN.append("after")


def in_comprehension():
    got = [n for n in range(3)]  # noqa: C416
    yield got
    SEEN.append("after")


def in_yield_from():
    yield from outside()
    SEEN.append("after")


def in_else():
    try:
        pass
    except ValueError:
        pass
    else:
        yield 1
        SEEN.append("else")


def with_a_value():
    got = yield 1
    SEEN.append(got)


def in_match():
    match 3:
        case 3:
            yield 1
            SEEN.append("after")


def beside_a_class():
    class Local:
        def method(self):
            try:
                return 1
            finally:
                pass

    yield Local
    SEEN.append("after")


INSIDE = [
    in_try_finally,
    in_try_except,
    in_try_except_of_one_class,
    in_try_else_finally,
    in_with,
    in_with_as,
    in_nested_try,
    in_for_in_try,
    in_try_in_for,
    in_try_in_while,
    in_try_with_a_value,
    in_try_star,
    in_try_return,
    in_try_yield_from,
    in_with_yield_from,
    in_match_in_try,
    in_finally_after_an_error,
    in_except_with_finally,
    in_except_as_with_finally,
    in_except_in_try,
    in_except_in_with,
    in_finally_after_an_error_in_try,
    in_except_in_except_in_try,
    in_except_yield_from_with_finally,
    in_else_with_finally,
]
# A handler or `finally` that runs already would not run again: either way of letting go is right.
HARMLESS = [in_except, in_finally]
OUTSIDE = [
    outside,
    before_try,
    after_try,
    after_try_except,
    after_with,
    between_tries,
    in_for,
    in_while_after_try,
    in_comprehension,
    in_yield_from,
    with_a_value,
    in_match,
    beside_a_class,
]


def suspended(function):
    generator = function()
    next(generator)
    return generator


def fiber(*generators):
    return Fiber(Scope(None), None, stack=list(generators))


@pytest.mark.parametrize("function", INSIDE)
def test_generator_suspended_inside_then_it_is_guarded(function):
    """Its code's exception table tells, at the instruction where it is suspended."""
    assert any(guarded(one) for one in every(suspended(function)))


@pytest.mark.parametrize("function", OUTSIDE)
def test_generator_suspended_outside_then_it_is_not_guarded(function):
    """The compiler's own entries, for `StopIteration` and `yield from`, do not count."""
    assert not any(guarded(one) for one in every(suspended(function)))


@pytest.mark.parametrize("times", [2, 3])
def test_generator_that_went_on_in_a_loop_then_it_is_guarded_as_before(times):
    """Each turn of a loop is suspended at the same instruction."""
    inside, beyond = suspended(in_try_in_for), suspended(in_for)
    for _ in range(times - 1):
        next(inside)
        next(beyond)
    assert (True, False) == (guarded(inside), guarded(beyond))


@pytest.mark.parametrize("function", [in_try_finally, outside])
def test_generator_that_has_not_begun_or_has_ended_then_it_is_not_guarded(function):
    """No code of it is under way."""
    new, old = function(), function()
    list(old)
    assert not guarded(new)
    assert not guarded(old)


def test_generators_in_one_another_then_all_are_listed_outermost_first():
    """A `yield from` chain is looked along."""
    generator = suspended(in_yield_from)
    assert ["in_yield_from", "outside"] == [one.__name__ for one in every(generator)]


def holding(boxes):
    """Yield, and hold what is in a box: itself, or another one that holds this one."""
    held = boxes.pop()
    yield
    return held


def test_generators_that_hold_one_another_then_they_are_looked_at_all_the_same():
    """A generator that refers to itself, or to one that refers to it, is gone through once."""
    boxes, other = [], []
    one, two = holding(boxes), holding(other)
    boxes.append(two)
    other.append(one)
    next(one)
    next(two)
    assert not guarded(one)


class Unhashable(type):  # noqa: PLW1641 - that is what it is for
    def __eq__(cls, other):
        raise AssertionError("it is asked what it is")


class Odd(metaclass=Unhashable):
    """Its class can be neither hashed nor compared."""


def beside_an_odd_object():
    odd = Odd()
    yield
    return odd


def test_generator_that_holds_an_object_of_an_odd_class_then_the_object_is_not_asked():
    """None of the user's code runs, not even that of a metaclass."""
    assert not guarded(suspended(beside_an_odd_object))


def outer_plain():
    yield from in_try_finally()


def outer_guarded():
    try:
        yield from outside()
    finally:
        SEEN.append("finally")


@pytest.mark.parametrize("function", [outer_plain, outer_guarded])
def test_chain_with_one_guarded_then_all_of_it_is_kept(seen, kept, function):
    """Closing the outer one would close the inner one."""
    park([fiber(suspended(function))], "over")
    gc.collect()
    assert 1 == len(kept)
    assert seen == []


@pytest.mark.parametrize("function", [*INSIDE, *HARMLESS, *OUTSIDE])
def test_parked_generator_then_none_of_its_code_runs_then_or_later(seen, kept, function):
    """At Park no `except`, `finally` or `with` exit of a workflow runs."""
    park([fiber(suspended(function))], "over")
    gc.collect()
    assert seen == []


@pytest.mark.parametrize("function", OUTSIDE)
def test_parked_generator_outside_then_it_is_closed_and_not_kept(kept, function):
    """What can be closed without running anything is, so that its memory is free."""
    generator = suspended(function)
    park([fiber(generator)], "over")
    assert generator.gi_frame is None
    assert not kept


def test_parked_generator_that_never_began_then_it_is_closed(seen, kept):
    """Code that was never begun has nothing to undo."""
    generator = in_try_finally()
    park([fiber(generator)], "over")
    assert generator.gi_frame is None
    assert (seen, len(kept)) == ([], 0)


def test_parked_fiber_then_its_scope_is_over_and_its_stack_empty(kept):
    """A parked context is dead: its operations are refused."""
    parked = fiber(suspended(in_try_finally))
    park([parked], "its invocation has ended")
    assert ("its invocation has ended", []) == (parked.scope.over, parked.stack)


def test_scope_that_was_over_then_it_keeps_its_reason(kept):
    """The first reason is the one that explains."""
    parked = fiber()
    parked.scope.over = "its flow has ended"
    park([parked], "its invocation has ended")
    assert "its flow has ended" == parked.scope.over


def test_stack_of_several_generators_then_each_is_looked_at(seen, kept):
    """`yield subflow(ctx)` stacks generators that are not linked by `yield from`."""
    plain, inside = suspended(outside), suspended(in_with)
    park([fiber(inside, plain)], "over")
    gc.collect()
    assert (1, [], True) == (len(kept), seen, plain.gi_frame is None)


# --- the bound ---------------------------------------------------------------------------------------


def test_past_the_bound_then_the_oldest_is_closed_with_a_warning_that_names_its_line(
    monkeypatch, seen, kept
):
    """What is kept is bounded; past the bound the oldest are closed."""
    monkeypatch.setattr(_park, "MOST_KEPT", 1)
    first, second = suspended(in_try_finally), suspended(in_with)
    park([fiber(first)], "over")
    line = in_try_finally.__code__.co_firstlineno + 2
    with pytest.warns(RuntimeWarning) as caught:
        park([fiber(second)], "over")
    assert (
        f"test_park.py:{line}, in in_try_finally: a workflow that was suspended inside a try or with "
        "was closed, because more than 1 of them are kept; its finally blocks ran, and operations that "
        "they yield did not"
    ) == str(caught[0].message)
    assert ["finally"] == seen
    assert (True, False) == (first.gi_frame is None, second.gi_frame is None)


def inner_of_two():
    try:
        yield 1
    finally:
        SEEN.append("inner")


def outer_of_two():
    try:
        yield from inner_of_two()
    finally:
        SEEN.append("outer")


def test_past_the_bound_then_a_chain_is_closed_innermost_first(monkeypatch, seen, kept):
    """An inner flow's cleanup runs before that of the flow around it."""
    monkeypatch.setattr(_park, "MOST_KEPT", 0)
    with pytest.warns(RuntimeWarning):
        park([fiber(suspended(outer_of_two))], "over")
    assert ["inner", "outer"] == seen


def test_past_the_bound_then_a_stack_is_closed_innermost_first(monkeypatch, seen, kept):
    """`yield subflow(ctx)` nests flows as `yield from` does."""
    monkeypatch.setattr(_park, "MOST_KEPT", 0)
    with pytest.warns(RuntimeWarning):
        park([fiber(suspended(in_try_finally), suspended(inner_of_two))], "over")
    assert ["inner", "finally"] == seen


def stubborn():
    while True:
        with suppress(GeneratorExit):
            yield 1


def test_past_the_bound_then_a_generator_that_goes_on_yielding_is_left_alone(monkeypatch, kept):
    """A workflow that swallows its end must not hang the next invocation."""
    monkeypatch.setattr(_park, "MOST_KEPT", 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        park([fiber(suspended(stubborn))], "over")
        assert not kept


def raising():
    try:
        yield 1
    finally:
        raise RuntimeError("at the end")


def test_past_the_bound_then_what_a_dead_workflow_raises_concerns_nobody(monkeypatch, kept):
    """An error in the cleanup of an old execution must not fail a new one."""
    monkeypatch.setattr(_park, "MOST_KEPT", 0)
    with pytest.warns(RuntimeWarning):
        park([fiber(suspended(raising))], "over")
    assert not kept


# --- end to end --------------------------------------------------------------------------------------


def releasing(event, ctx):
    try:
        yield ctx.wait("pause", 60)
    except BaseException:
        SEEN.append("except")
        raise
    finally:
        SEEN.append("finally")
        yield ctx.step("release", SEEN.append, "released")


def test_workflow_that_waits_inside_a_try_then_its_cleanup_does_not_run(seen, kept):
    """Suspension is a state of the kernel: user code cannot catch it."""
    stub = Stub()
    assert {"Status": "PENDING"} == durable(backend=stub)(releasing)(event())
    gc.collect()
    assert seen == []
    assert ["WAIT START pause", "--"] == stub.stream


def test_workflow_past_the_bound_then_the_operations_of_its_cleanup_are_refused(
    monkeypatch, seen, kept
):
    """A dead context's operations never reach the service."""
    monkeypatch.setattr(_park, "MOST_KEPT", 0)
    stub = Stub()
    with pytest.warns(RuntimeWarning):
        durable(backend=stub)(releasing)(event())
    assert ["except", "finally"] == seen
    assert ["WAIT START pause", "--"] == stub.stream


def fails():
    raise ValueError("no")


def apologising(event, ctx):
    try:
        yield ctx.step("charge", fails, retry=None)
    except Exception:
        yield ctx.wait("pause", 60)
    finally:
        SEEN.append("finally")


def test_workflow_that_waits_in_an_except_then_the_finally_beside_it_does_not_run(seen, kept):
    """What is suspended in a handler is still inside the `try` around it."""
    assert {"Status": "PENDING"} == durable(backend=Stub())(apologising)(event())
    gc.collect()
    assert seen == []


SCRIPT = """
    import sys
    sys.path.insert(0, {tests!r})
    from stub import Stub, event
    from durable_gen import durable

    class Loud:
        def __enter__(self): return self
        def __exit__(self, *exc): print("with exit", exc)

    def inner(ctx):
        try:
            with Loud():
                yield ctx.wait("pause", 60)
        finally:
            print("inner finally")

    @durable(backend=Stub())
    def handler(event, ctx):
        try:
            yield from ctx.all(ctx.wait("one", 60), inner(ctx))
        except BaseException as error:
            print("except", repr(error))
            raise
        finally:
            print("finally")

    print(handler(event())["Status"])
"""


def test_interpreter_that_ends_then_no_cleanup_of_a_parked_workflow_runs():
    """A generator that is kept is never finalised, not even when the interpreter ends."""
    tests = [path for path in sys.path if path.endswith("tests")][0]  # noqa: RUF015
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(SCRIPT).format(tests=tests)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("PENDING\n", "", 0) == (done.stdout, done.stderr, done.returncode)
