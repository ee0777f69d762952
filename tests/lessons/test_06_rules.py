"""Attacks on the five rules of chapter 6: what is caught, whose clock ran out, what runs at once, what is released.

Most of it runs in virtual time, where every run is the same, and which sees what is left. A coroutine that is never
awaited is a warning, and so an error. Nothing here depends on how busy the machine is.
"""

import asyncio
import contextlib
import functools
import gc
import heapq
import sys
import tracemalloc
import warnings
from contextvars import ContextVar

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynclab.taught import taught
from limiter_scenes import often
from virtual_time import play, virtual
from watched import at_every_await, outcome

m = taught(6)

HOUR = 3600


class Poison(Exception):
    """What an operation raises."""


class Stop(BaseException):
    """What no `except Exception` catches."""


def now():
    return asyncio.get_running_loop().time()


async def ends(seconds=0, result=None, error=None):
    """Take so long, and then return `result` or raise `error`."""
    await asyncio.sleep(seconds)
    if error:
        raise error
    return result


async def got(awaitable):
    """Return what comes of it: its result, or the type of its error."""
    try:
        return await awaitable
    except BaseException as error:
        return type(error)


# ---------------------------------------------------------------- 2. what is caught


class Subclass(aiohttp.ClientError):
    """An error of a kind that is expected."""


CAUGHT = {  # by default
    "a time-out": (TimeoutError("late"), {"error": "TimeoutError: late"}),
    "an error of aiohttp's": (Subclass("no"), {"error": "Subclass: no"}),
    "aiohttp's time-out": (aiohttp.ServerTimeoutError("late"), {"error": "ServerTimeoutError: late"}),
    "a bug": (TypeError("a typo"), TypeError),
    "a missing name": (NameError("a typo"), NameError),
    "a cancellation": (asyncio.CancelledError(), asyncio.CancelledError),
    "what no except Exception catches": (Stop(), Stop),
}


@pytest.mark.parametrize(("error", "expected"), CAUGHT.values(), ids=CAUGHT)
@virtual
async def test_what_is_expected_becomes_a_result_and_nothing_else_does(error, expected):
    async def fails():
        await asyncio.sleep(1)
        raise error

    assert await got(m.safe_async_operation(fails)) == expected


@virtual
async def test_results_pass_and_what_is_expected_can_be_said():
    for result in (0, None, "", [], {"error": "its own"}, Poison):
        assert await m.safe_async_operation(functools.partial(ends, 1, result)) is result
    raises = functools.partial(ends, 1, None, Poison("x"))
    assert await m.safe_async_operation(raises, expected=Poison) == {"error": "Poison: x"}
    assert await m.safe_async_operation(raises, (KeyError, Poison)) == {"error": "Poison: x"}
    assert await got(m.safe_async_operation(raises, (KeyError,))) is Poison
    late = functools.partial(ends, 1, None, TimeoutError())
    assert await got(m.safe_async_operation(late, (KeyError,))) is TimeoutError
    async for error, was_cut in at_every_await(functools.partial(m.safe_async_operation, ends), 1):
        assert type(error) is (asyncio.CancelledError if was_cut else type(None))


# ---------------------------------------------------------------- 3. whose clock ran out

TIMED_OUT = "Operation timed out"


@given(
    takes=st.sampled_from([0, 0.5, 1, 2, HOUR]),
    timeout=st.sampled_from([None, -1, 0, 0.5, 1, 1.5, 2 * HOUR]),
    error=st.sampled_from([None, TimeoutError, Poison, asyncio.CancelledError]),
    cut=st.sampled_from([None, 0.25, 0.5, 1, 1.5]),
)
@often(300)
def test_an_operation_is_timed_out_by_its_own_clock_only(takes, timeout, error, cut):
    """`cut` is when it is cancelled from outside. Of two things at the same moment, either may be first."""

    async def operation():
        if cut is not None:
            cutting.append(asyncio.get_running_loop().call_later(cut, asyncio.current_task().cancel))
        return await ends(takes, "done", error)

    async def main():
        began = now()
        task = asyncio.create_task(m.operation_with_timeout(operation, timeout))
        await asyncio.wait([task])
        for timer in cutting:
            timer.cancel()
        return await got(task), now() - began

    cutting = []
    own = (takes, error or "done")
    limit = (2 * HOUR if timeout is None else max(timeout, 0), TIMED_OUT)
    outside = (3 * HOUR if cut is None else cut, asyncio.CancelledError)
    first = min(moment for moment, _ in (own, limit, outside))
    result, seconds = play(main)
    assert result in [what for moment, what in (own, limit, outside) if moment == first]
    assert seconds == pytest.approx(first, abs=0.01)
    if first == outside[0] < own[0]:
        assert result is asyncio.CancelledError  # no time-out of ours hides it


async def cleans_up(then):
    try:
        await asyncio.sleep(HOUR)
    finally:
        await asyncio.sleep(2)
        await then()


async def swallows():
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(HOUR)
    return "kept"


NESTED = {
    "an inner one of ours": (lambda: m.operation_with_timeout(ends_late, 0.5), TIMED_OUT, 0.5),
    "an inner wait_for": (lambda: asyncio.wait_for(ends_late(), 0.5), TimeoutError, 0.5),
    "an inner clock that is slower": (lambda: asyncio.wait_for(ends_late(), 1.5), TIMED_OUT, 1),
    "a clean-up": (lambda: cleans_up(ends), TIMED_OUT, 3),
    "a clean-up that fails": (lambda: cleans_up(lambda: ends(0, None, Poison)), Poison, 3),
    "a result instead of a cancellation": (swallows, "kept", 1),
}


def ends_late():
    return ends(HOUR)


@pytest.mark.parametrize(("operation", "expected", "seconds"), NESTED.values(), ids=NESTED)
@virtual
async def test_deadlines_nest_and_a_clean_up_is_waited_for(operation, expected, seconds):
    began = now()
    assert await got(m.operation_with_timeout(operation, 1)) == expected
    assert now() - began == pytest.approx(seconds, abs=0.01)


@virtual
async def test_a_deadline_around_ours_is_not_ours():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await m.operation_with_timeout(ends_late, 5)


# ---------------------------------------------------------------- 4. what runs at once


class Crew:
    """Operations that say what runs: each takes one of `durations`, in order, over and over."""

    def __init__(self, durations=(1,), fails=()):
        self.durations, self.fails = durations, dict(fails)
        self.running, self.most, self.begun, self.ended = 0, 0, [], []

    async def operation(self, number):
        self.begun.append(number)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.durations[number % len(self.durations)])
            if number in self.fails:
                raise self.fails[number]
            return [number, 0, None, "", False][number % 5]
        finally:
            await asyncio.sleep(0.25)  # cleans up
            self.running -= 1
            self.ended.append(number)

    def operations(self, count):
        return [self.operation(number) for number in range(count)]


def results(count):
    return [[number, 0, None, "", False][number % 5] for number in range(count)]


FORMS = {"list": list, "tuple": tuple, "iterator": iter, "generator": lambda each: (one for one in each)}


@given(
    count=st.sampled_from([0, 1, 2, 7, 40]),
    limit=st.sampled_from([1, 2, 3, 10, 100]),
    durations=st.lists(st.sampled_from([0, 0.5, 1, 3]), min_size=1, max_size=5),
    form=st.sampled_from(list(FORMS)),
    eager=st.sampled_from([False, True] if sys.version_info >= (3, 12) else [False]),
)
@often(200)
def test_results_are_in_order_and_as_many_run_as_may(count, limit, durations, form, eager):
    crew = Crew(durations)

    async def main():
        began = now()
        operations = FORMS[form](crew.operations(count))
        assert await m.limited_concurrent_operations(operations, limit) == results(count)
        return now() - began

    seconds = play(main, eager=eager)
    gc.collect()
    assert crew.most == min(count, limit)
    free = [0.0] * limit  # when each place is free
    for number in range(count):
        heapq.heapreplace(free, free[0] + durations[number % len(durations)] + 0.25)
    assert seconds == pytest.approx(max(free), abs=0.01)
    assert crew.begun == list(range(count))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("error", [Poison, Stop, TimeoutError])
@pytest.mark.parametrize("failing", [[0], [3], [4, 5], [9], [10], [29]])
@virtual
async def test_an_error_gets_out_as_itself_and_nothing_runs_on(failing, error, form):
    errors = {number: error(number) for number in failing}
    crew = Crew([1, 1, 1, 2, 2, 2], errors)
    with pytest.raises(error) as raised:
        await m.limited_concurrent_operations(FORMS[form](crew.operations(30)), 3)
    assert raised.value in errors.values()
    assert crew.running == 0
    assert sorted(crew.ended) == sorted(crew.begun)
    assert len(crew.begun) <= failing[0] + 5  # the failing one, those beside it, and the next of each


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("times", [1, 2, 20])
@virtual
async def test_a_cancellation_at_any_await_stops_all_and_forgets_none(times, form):
    crews = []

    async def scene():
        crews.append(Crew())
        await m.limited_concurrent_operations(FORMS[form](crews[-1].operations(7)), 3)

    async for error, was_cut in at_every_await(scene, times):
        assert type(error) is (asyncio.CancelledError if was_cut else type(None))
        assert crews[-1].running == 0
        assert len(crews[-1].ended) == len(crews[-1].begun)
    assert len(crews) > 1


@virtual
async def test_operations_that_cannot_be_made_stop_the_others():
    crew = Crew([1])

    def operations():
        yield from crew.operations(5)
        raise Poison

    with pytest.raises(Poison):
        await m.limited_concurrent_operations(operations(), 3)
    assert crew.running == 0
    assert len(crew.ended) == len(crew.begun)


@pytest.mark.parametrize("at", [0, 1, 5])
@virtual
async def test_what_runs_already_is_refused_and_left_alone(at):
    task, future = asyncio.create_task(ends(60, "done")), asyncio.get_running_loop().create_future()
    for first, last in ((task, future), (future, task)):
        crew = Crew()
        operations = [*crew.operations(6), last]
        operations.insert(at, first)
        with pytest.raises(TypeError, match="run"):
            await m.limited_concurrent_operations(operations, 2)
        assert crew.running == 0
    assert not future.done()
    assert await task == "done"


@virtual
async def test_what_an_operation_sets_in_its_context_does_not_reach_the_next():
    request = ContextVar("request", default="-")

    async def operation():
        found = request.get()
        request.set("another's")
        await asyncio.sleep(1)
        return found

    request.set("the caller's")
    assert await m.limited_concurrent_operations([operation() for _ in range(4)], 2) == ["the caller's"] * 4


@pytest.mark.parametrize("limit", [0, -1, 2.5, None, "3", float("nan")])
@virtual
async def test_a_limit_that_makes_no_sense_is_refused_before_anything_begins(limit):
    crew = Crew()
    with pytest.raises((ValueError, TypeError)):
        await m.limited_concurrent_operations(crew.operations(3), limit)
    assert crew.begun == []


@virtual
async def test_an_operation_that_ends_as_cancelled_costs_no_other_its_result_silently():
    crew = Crew(fails={1: asyncio.CancelledError()})
    outcome = await got(m.limited_concurrent_operations(crew.operations(6), 2))
    assert outcome in (asyncio.CancelledError, RuntimeError)
    assert crew.running == 0


def test_a_hundred_thousand_operations_need_no_more_memory_than_ten():
    async def main():
        tracemalloc.start()
        try:
            found = await m.limited_concurrent_operations((asyncio.sleep(0, True) for _ in range(100_000)), 10)
            return found, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    found, peak = asyncio.run(main())
    assert found == [True] * 100_000
    assert peak < 20 * 2**20  # 200 bytes for each: its place and result; a task and its coroutine need 1,000


# ---------------------------------------------------------------- 5. what is released


class Line(m.AsyncResource):
    """Opens two things, one after the other, and closes whatever is open, one after the other."""

    def __init__(self, fails_at=None, cleanup_fails=False):
        self.fails_at, self.cleanup_fails = fails_at, cleanup_fails
        self.open, self.cleanups = 0, []

    async def connect(self):
        for step in range(2):
            if step == self.fails_at:
                raise ConnectionError
            self.open += 1
            await asyncio.sleep(1)
        if self.fails_at == 2:
            raise ConnectionError

    async def cleanup(self):
        self.cleanups.append("begun")
        while self.open:
            await asyncio.sleep(1)
            self.open -= 1
        self.cleanups.append("ended")
        if self.cleanup_fails:
            raise OSError


@pytest.mark.parametrize("times", [0, 1, 2, 20])
@pytest.mark.parametrize("cleanup_fails", [False, True])
@pytest.mark.parametrize("fails_at", [None, 0, 1, 2, "block"])
@virtual
async def test_what_was_opened_is_closed_to_the_end_whichever_way_is_left(fails_at, cleanup_fails, times):
    lines = []

    async def scene():
        lines.append(Line(fails_at, cleanup_fails))
        async with lines[-1] as entered:
            assert entered is lines[-1]
            await asyncio.sleep(1)
            if fails_at == "block":
                raise Poison

    own = type(None) if fails_at is None else Poison if fails_at == "block" else ConnectionError
    async for error, was_cut in at_every_await(scene, times):
        assert lines[-1].open == 0
        assert lines[-1].cleanups == ["begun", "ended"]
        if was_cut:  # an error of the clean-up takes the place of a cancellation before it
            assert type(error) in (asyncio.CancelledError, OSError)[: 1 + cleanup_fails]
        else:
            assert type(error) is (OSError if cleanup_fails else own)
            assert own is type(None) or not cleanup_fails or isinstance(error.__context__, own)
    assert len(lines) > bool(times)


# ---------------------------------------------------------------- the guide's, as measured


async def guide_safe(error):
    return await got(m.guide_safe_async_operation(lambda: ends(1, None, error)))


async def guide_timeout(operation):
    began = now()
    return await got(m.guide_operation_with_timeout(operation)), round(now() - began, 2)


async def guide_limit(form, fails=()):
    """What runs at once, what comes of it, and how many of a hundred run to their end."""
    crew = Crew(fails=fails)
    result = await got(m.guide_limited_concurrent_operations([form(each) for each in crew.operations(100)]))
    await asyncio.sleep(HOUR)
    return crew.most, result if isinstance(result, type) else result == results(100), len(crew.ended)


async def guide_limit_cancelled():
    """How many coroutines are forgotten."""
    with warnings.catch_warnings(record=True) as forgotten:
        warnings.simplefilter("always")
        task = asyncio.create_task(m.guide_limited_concurrent_operations(Crew().operations(100)))
        await asyncio.sleep(0.5)
        task.cancel()
        await outcome(task)
        del task
        await asyncio.sleep(1)
        gc.collect()
    return len([each for each in forgotten if "never awaited" in str(each.message)])


async def guide_resource(*cancels, **line):
    """What is left open, what of the clean-up happened, and what got out."""

    class GuideLine(m.guide_AsyncResource):
        __init__, connect, cleanup = Line.__init__, Line.connect, Line.cleanup

    resource = GuideLine(**line)

    async def scene():
        async with resource:
            await asyncio.sleep(HOUR)

    task = asyncio.create_task(scene())
    for seconds in cancels:
        asyncio.get_running_loop().call_later(seconds, task.cancel)
    return type(await outcome(task)), resource.open, resource.cleanups


CANCELLED = asyncio.CancelledError
GUIDES = {
    "an error": (lambda: guide_safe(Poison("x")), {"error": "Operation failed: x"}),
    "a bug": (lambda: guide_safe(NameError("a typo")), {"error": "Operation failed: a typo"}),
    "an error without text": (lambda: guide_safe(Poison()), {"error": "Operation failed: "}),
    "its time-out": (lambda: guide_safe(TimeoutError("x")), {"error": "Operation timed out"}),
    "a cancellation": (lambda: guide_safe(CANCELLED()), CANCELLED),
    "a slow operation": (lambda: guide_timeout(m.slow_async_operation), (TIMED_OUT, 5)),
    "a time-out of its own": (lambda: guide_timeout(lambda: ends(0.01, None, TimeoutError)), (TIMED_OUT, 0.01)),
    "another error": (lambda: guide_timeout(lambda: ends(0.01, None, Poison)), (Poison, 0.01)),
    "coroutines": (lambda: guide_limit(lambda operation: operation), (10, True, 100)),
    "tasks": (lambda: guide_limit(asyncio.create_task), (100, True, 100)),
    "one fails": (lambda: guide_limit(lambda operation: operation, {0: Poison()}), (10, Poison, 100)),
    "cancelled": (guide_limit_cancelled, 90),
    "closed": (lambda: guide_resource(3), (CANCELLED, 0, ["begun", "ended"])),
    "half open": (lambda: guide_resource(fails_at=1), (ConnectionError, 1, [])),
    "cancelled while it opens": (lambda: guide_resource(1.5), (CANCELLED, 2, [])),
    "cancelled while it closes": (lambda: guide_resource(3, 3.5), (CANCELLED, 2, ["begun"])),
}


@pytest.mark.parametrize(("measure", "expected"), GUIDES.values(), ids=GUIDES)
@virtual
async def test_the_guides_are_as_measured(measure, expected):
    assert await measure() == expected


@virtual
async def test_a_task_reports_its_error_and_no_cancellation(capsys):
    jobs = {"well": ends(1), "badly": ends(1, None, Poison), "cancelled": ends(HOUR)}
    tasks = [asyncio.create_task(job, name=name) for name, job in jobs.items()]
    for task in tasks:
        task.add_done_callback(m.report)
    asyncio.get_running_loop().call_later(2, tasks[2].cancel)
    await asyncio.wait(tasks)
    assert capsys.readouterr().out == "badly has failed: Poison\n"
