"""How rate limits are judged: counting moments in windows of time."""

import math
import time
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asynclab.counting import in_window, most_in_window

# A coarse grid, on which moments often coincide or lie just a window apart, and arbitrary numbers, which get rounded.
MOMENTS = st.lists(
    st.integers(-40, 40).map(lambda n: n / 8) | st.integers(-40, 40).map(lambda n: n / 10) | st.floats(-1e6, 1e6),
    max_size=40,
)
WIDTHS = st.integers(1, 24).map(lambda n: n / 8) | st.integers(1, 24).map(lambda n: n / 10) | st.floats(1e-9, 1e7)
EIGHTHS = st.lists(st.integers(0, 80).map(lambda n: n / 8), max_size=40)  # which no subtraction rounds
WIDE = st.integers(1, 24).map(lambda n: n / 8)


def most_by_trying(times, per):
    """Return the same by looking at every window that begins with a moment."""
    return max((sum(t >= first and t - first < per for t in times) for first in times), default=0)


def at(steps, moment):
    """Return the value of a step line at `moment`."""
    return next((value for when, value in reversed(steps) if when <= moment), 0)


@pytest.mark.parametrize(
    ("times", "per", "most"),
    [
        ([], 1, 0),
        ([5], 1, 1),
        ([0, 1], 1, 1),  # just a window apart
        ([0, 0.999], 1, 2),
        ([3, 3, 3], 0.001, 3),
        ([9, 0.5, 9.25, 1, 0], 0.75, 2),
        ([0, 0.9, 1.0, 1.1, 1.9], 1, 4),  # the most is not in a window that begins at a multiple of its width
        ((n / 8 for n in range(100)), 1, 8),
        (range(1000), 10.5, 11),
        ([-2, -1.5, -1], 1, 2),
    ],
)
def test_the_most_in_a_window(times, per, most):
    assert most_in_window(times, per) == most


@settings(deadline=None)
@given(MOMENTS, WIDTHS)
def test_no_window_holds_more(times, per):
    assert most_in_window(times, per) == most_by_trying(times, per)


@settings(deadline=None)
@given(MOMENTS, WIDTHS)
@example([-1e6, -1e-9, 0.0], 1e-9)  # counted from the first, the last two are one
@example([-1e6, 0.0, 1e-12], 1e-11)  # counted from the first, they come and go in no time
@example([0.1, 0.2, 0.3, 0.4], 0.1)
@example([0.0, 1e-5, 0.50001], 0.5)
def test_the_steps_reach_the_most(times, per):
    steps = in_window(times, per)
    assert max((value for _, value in steps), default=0) == most_in_window(times, per)
    moments = [moment for moment, _ in steps]
    assert moments == sorted(set(moments))  # each later than the one before
    assert not steps or (moments[0] == 0 and steps[-1][1] == 0)


@settings(deadline=None)
@given(EIGHTHS, WIDE)
def test_the_steps_count_the_last_seconds(times, per):
    steps, first = in_window(times, per), min(times, default=0)
    for sixteenth in range(-8, 16 * 14):
        moment = sixteenth / 16
        assert at(steps, moment) == sum(0 <= moment - (t - first) < per for t in times)


@settings(deadline=None)
@given(EIGHTHS, WIDE)
def test_order_and_start_do_not_matter(times, per):
    later = [t + 4096 for t in reversed(times)]
    assert in_window(later, per) == in_window(times, per)
    assert most_in_window(later, per) == most_in_window(times, per)


def test_steps():
    assert in_window([], 1) == []
    assert in_window([7], 2) == [(0, 1), (2, 0)]
    assert in_window([7, 7, 8], 2) == [(0, 2), (1, 3), (2, 1), (3, 0)]
    assert in_window([7, 9], 2) == [(0, 1), (2, 1), (4, 0)]  # one goes as the next comes
    assert in_window(iter([12, 10, 20]), 5) == [(0, 1), (2, 2), (5, 1), (7, 0), (10, 1), (15, 0)]


def test_windows_are_judged_as_a_limiter_asks():
    """It asks whether `now - went < per`: `went + per` is rounded, and not always to the same answer."""
    went, now, per = 0.4, 1.4, 1.0
    assert now - went < per and went + per <= now
    assert most_in_window([went, now], per) == 2
    assert max(value for _, value in in_window([went, now], per)) == 2


def test_exact_numbers_stay_exact():
    tenth = Fraction(1, 10)
    assert most_in_window([n * tenth for n in range(50)], 10 * tenth) == 10


@pytest.mark.parametrize("function", [most_in_window, in_window])
@pytest.mark.parametrize(
    ("times", "per", "says"),
    [
        ([1], 0, "per must be a time above 0, in seconds, not 0"),
        ([], -1, "per must be"),
        ([1], math.nan, "per must be"),
        ([1], math.inf, "per must be"),
        ([1, math.nan, 2], 1, "times must be finite"),
        ([1, math.inf], 1, "times must be finite"),
    ],
)
def test_what_makes_no_sense_is_refused(function, times, per, says):
    with pytest.raises(ValueError, match=says):
        function(times, per)


def test_many_moments_take_no_longer_than_sorting_them():
    times = [n % 1000 for n in range(100_000)]  # at each of 1,000 moments a hundred
    began = time.perf_counter()
    assert most_in_window(times, 500) == 50_000
    assert max(value for _, value in in_window(times, 500)) == 50_000
    assert time.perf_counter() - began < 5  # comparing all with all would take minutes
