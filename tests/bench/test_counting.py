"""What is counted over time: how long a queue is, who is let on, how many fall into a window."""

import asyncio
import math
import time
from fractions import Fraction

import aiohttp
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asynclab import Services
from asynclab.counting import WatchedQueue, admissions, in_window, most_in_window, refused
from servers import servers

# ---------------------------------------------------------------- callers


class Open:
    """A limiter that lets everybody go at once, or as many as it is told."""

    def __init__(self, most=None):
        self.most, self.asked = most, 0

    async def acquire(self):
        self.asked += 1
        if self.most is not None and self.asked > self.most:
            raise ValueError("enough")


@pytest.fixture(scope="module")
def web():
    with servers() as running:
        yield running


def test_every_caller_is_admitted_once_and_the_moments_are_in_order():
    limiter = Open()
    before = time.perf_counter()
    times = asyncio.run(admissions(limiter, 30))
    assert limiter.asked == len(times) == 30
    assert before <= times[0] and times == sorted(times)


def test_the_loop_is_held_when_it_is_told():
    class Slow:
        async def acquire(self):
            await asyncio.sleep(0.05)

    start = time.perf_counter()
    [went] = asyncio.run(admissions(Slow(), 1, stall=0.3, after=0.01))
    assert went - start > 0.3


def test_a_limiter_that_fails_leaves_no_caller_and_no_stall():
    async def run():
        with pytest.raises(ExceptionGroup):
            await admissions(Open(most=3), 10, stall=5.0, after=0.05)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        start = time.perf_counter()
        await asyncio.sleep(0.1)
        assert time.perf_counter() - start < 3

    asyncio.run(run())


def test_the_server_refuses_whatever_is_above_its_limit_and_anew_each_time(web):
    async def run():
        return [await refused(web, Open(), 20, rate=5, per=30.0) for _ in range(2)]

    assert asyncio.run(run()) == [0.75, 0.75]


def test_calls_that_never_reached_the_server_are_not_taken_for_served(web):
    with pytest.raises(RuntimeError, match="the server saw 3 of 10"):
        asyncio.run(refused(web, Open(most=3), 10, rate=5, per=1.0))


def test_asking_puts_the_item_into_the_path_and_returns_the_json(web):
    async def run():
        async with web.asking("/users/{}") as ask:
            assert (await ask(101))["user_id"] == 101
        async with web.asking("{}", client="asking", key="a b") as ask:
            assert (await ask("/get?x=1"))["args"]["x"] == "1"
        return await web.stats("asking", reset=True)

    assert asyncio.run(run())["requests"] == 1


@pytest.mark.parametrize(
    ("path", "error"),
    [("/status/503", aiohttp.ClientResponseError), ("/never", TimeoutError), ("/drop", aiohttp.ClientConnectionError)],
)
def test_asking_raises_what_goes_wrong(web, path, error):
    async def run():
        async with web.asking(path, patience=0.2) as ask:
            with pytest.raises(error):
                await ask(1)

    asyncio.run(run())


def test_asking_before_the_start_says_what_to_do():
    async def run():
        async with Services().asking("/get") as ask:
            await ask(1)

    with pytest.raises(RuntimeError, match="have not started"):
        asyncio.run(run())


# ---------------------------------------------------------------- queues


def test_every_change_of_the_length_is_noted_in_order():
    async def use():
        queue = WatchedQueue()
        for item in "abc":
            await queue.put(item)
        assert [await queue.get(), queue.get_nowait()] == ["a", "b"]
        return queue.lengths

    lengths = asyncio.run(use())
    assert [length for _, length in lengths] == [0, 1, 2, 3, 2, 1]
    assert lengths[0][0] == 0.0
    assert [moment for moment, _ in lengths] == sorted(moment for moment, _ in lengths)


def test_it_keeps_to_its_size_and_to_its_accounts():
    async def use():
        queue = WatchedQueue(maxsize=1)
        queue.put_nowait("a")
        with pytest.raises(asyncio.QueueFull):
            queue.put_nowait("b")
        assert queue.get_nowait() == "a"
        with pytest.raises(asyncio.QueueEmpty):
            queue.get_nowait()
        queue.task_done()
        await queue.join()
        return queue.lengths

    assert [length for _, length in asyncio.run(use())] == [0, 1, 0]


# ---------------------------------------------------------------- windows

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
