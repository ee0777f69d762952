"""Attacks on what goes deeper in chapter 3: LineRateLimiter, guarded work, a pipeline's stages, work seen to its end.

Most of it runs on a virtual clock (virtual_time.py); nothing here depends on how busy the machine is.
"""

import asyncio
import contextlib
import json
import time
import unittest
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynclab.taught import NOTEBOOKS, taught
from limiter_scenes import often
from virtual_time import Clock, Hangs, play

chapter, m = taught(3), taught("03_concurrency_patterns_deeper")

HOUR = 3600


def leaves(error):
    """Return the exceptions inside nested groups."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves(each)]
    return [error]


class Poison(Exception):
    """What a job raises."""


class Stop(BaseException):
    """What no `except Exception` catches."""


# ---------------------------------------------------------------- work that is seen to its end


def cancelled_at(moments, make_job):
    """Run `make_job(work)` as a task, where work takes a second, cancel it at these moments.

    Returns what became of the work, and when, in seconds, the task ended.
    """

    async def main():
        loop = asyncio.get_running_loop()
        became = ["cut"]

        async def work():
            await asyncio.sleep(1.0)
            became[0] = "done"
            return "result"

        task = asyncio.create_task(make_job(work))
        timers = [loop.call_later(moment, task.cancel) for moment in moments]
        await asyncio.wait([task])
        ended = loop.time() - 1000
        for timer in timers:
            timer.cancel()
        await asyncio.sleep(2)
        assert task.cancelled() == bool(moments)
        assert moments or task.result() == "result"
        return became[0], ended

    return play(main, Clock())


@given(st.lists(st.floats(0.001, 0.999), max_size=5))
@often(60)
def test_work_is_seen_to_its_end_however_often_it_is_cancelled(moments):
    assert cancelled_at(moments, lambda work: m.to_the_end(work())) == ("done", pytest.approx(1.0, abs=0.01))


@pytest.mark.parametrize("error", [Poison(), Stop(), asyncio.CancelledError()])
@pytest.mark.parametrize("cancel", [False, True])
def test_work_that_fails_says_so_although_its_end_was_waited_for(error, cancel):
    async def fails():
        await asyncio.sleep(1)
        raise error

    async def main():
        task = asyncio.create_task(m.to_the_end(fails()))
        await asyncio.sleep(0.5)
        if cancel:
            task.cancel()
        with pytest.raises(type(error)):
            await task

    play(main, Clock())


async def awaits_the_rest(work):
    payment = asyncio.create_task(work())
    try:
        await asyncio.shield(payment)
    finally:
        await payment


async def waits_for_the_rest(work):
    payment = asyncio.create_task(work())
    try:
        await asyncio.shield(payment)
    finally:
        await asyncio.wait([payment])


@pytest.mark.parametrize(
    "way, cancels, became",
    [
        (awaits_the_rest, 1, ("done", 1.0)),
        (awaits_the_rest, 2, ("cut", 0.2)),
        (waits_for_the_rest, 1, ("done", 1.0)),
        (waits_for_the_rest, 2, ("done", 0.2)),  # the waiting is cut, the payment is not
        (waits_for_the_rest, 3, ("done", 0.2)),
    ],
)
def test_what_a_second_cancellation_does_to_a_payment(way, cancels, became):
    work, ended = cancelled_at([0.1, 0.2, 0.3][:cancels], way)
    assert (work, ended) == (became[0], pytest.approx(became[1], abs=0.01))


def test_the_end_of_asyncio_run_cancels_what_was_to_be_seen_to_its_end():
    left = []

    async def main():
        left.append(asyncio.create_task(m.to_the_end(asyncio.sleep(HOUR))))
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert left[0].cancelled()


# ---------------------------------------------------------------- guarded work


async def sleeps(item):
    """Takes a second."""
    await asyncio.sleep(1)
    return item


async def fails(item):
    """Raises after a second."""
    await asyncio.sleep(1)
    raise Poison(item)


async def swallows(item):
    """Takes a second, and does not stop when it is cancelled."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(1)
    return item


async def trips(item):
    """Makes another error of a cancellation."""
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        raise Poison(item) from None
    return item


async def is_cancelled_elsewhere(item):
    """Awaits what another part of the program has cancelled."""
    await asyncio.sleep(1)
    nothing = asyncio.get_running_loop().create_future()
    nothing.cancel()
    await nothing


async def has_a_deadline_of_its_own(item):
    """Is cancelled by a deadline within, which is nobody else's business."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            await asyncio.sleep(HOUR)
    return item


def outcome(function, cancel):
    """Run the guarded function as a task, cancelled in the middle or not; return its result or its error's type."""

    async def main():
        task = asyncio.create_task(m.guarded(function)("item"))
        if cancel:
            asyncio.get_running_loop().call_later(0.5, task.cancel)
        [ended] = await asyncio.gather(task, return_exceptions=True)
        return type(ended) if isinstance(ended, BaseException) else ended

    return play(main, Clock())


@pytest.mark.parametrize(
    "function, ends",
    [
        (swallows, "item"),
        (trips, "item"),
        (fails, Poison),
        (is_cancelled_elsewhere, RuntimeError),
        (has_a_deadline_of_its_own, "item"),
    ],
)
def test_guarded_work_is_cancelled_if_its_task_was_and_only_then(function, ends):
    assert outcome(function, cancel=False) == ends
    assert outcome(function, cancel=True) is asyncio.CancelledError


ITEMS = ["a", "b", "c"]


@pytest.mark.parametrize("function, hole", [(is_cancelled_elsewhere, True), (swallows, False)])
def test_the_simple_map_loses_an_item_without_a_word_and_the_guard_cures_that(function, hole):
    async def work(item):
        return await (function if item == "b" else swallows)(item)

    results = play(lambda: chapter.bounded_map(work, ITEMS, limit=2), Clock())
    assert results == (["a", "c"] if hole else ITEMS)
    if hole:
        with pytest.raises(ExceptionGroup) as caught:
            play(lambda: chapter.bounded_map(m.guarded(work), ITEMS, limit=2), Clock())
        [error] = leaves(caught.value)
        assert isinstance(error, RuntimeError) and isinstance(error.__cause__, asyncio.CancelledError)


@pytest.mark.parametrize("guard, begun", [(lambda function: function, 3), (m.guarded, 1)])
def test_a_worker_whose_work_swallowed_its_cancellation_takes_no_more_if_it_is_guarded(guard, begun):
    seen = []

    async def work(item):
        seen.append(item)
        await swallows(item)

    async def main():
        async with asyncio.timeout(0.5):
            await chapter.bounded_map(guard(work), ITEMS, limit=1)

    with pytest.raises(TimeoutError):
        play(main, Clock())
    assert len(seen) == begun


def consumed(work, cancel_after=None):
    """Let the chapter's consumer handle three items; return its book, whether it ended, and what is in the queue."""

    async def main():
        queue, book = asyncio.Queue(), chapter.Book()
        await chapter.producer("Producer-1", queue, ITEMS)
        task = asyncio.create_task(chapter.consumer("Consumer-1", queue, work, book))
        await asyncio.wait([task], timeout=cancel_after or 10)
        if cancel_after:
            task.cancel()
            await asyncio.wait([task], timeout=10)
        ended = task.done()
        task.cancel()
        await asyncio.wait([task])
        return book, ended, queue.qsize()

    return play(main, Clock())


def test_a_consumer_ends_silently_when_its_work_is_cancelled_and_goes_on_when_that_is_guarded():
    book, ended, left = consumed(is_cancelled_elsewhere)
    assert ended and left == 2 and not book.done and not book.failed
    book, ended, left = consumed(m.guarded(is_cancelled_elsewhere))
    assert not ended and left == 0
    assert [(item, type(error)) for item, error in book.failed] == [(item, RuntimeError) for item in ITEMS]


@pytest.mark.parametrize("work", [swallows, trips])
def test_a_consumer_whose_work_loses_its_cancellation_stays_for_ever_unless_that_is_guarded(work):
    assert consumed(work, cancel_after=0.5)[1:] == (False, 0)
    book, ended, left = consumed(m.guarded(work), cancel_after=0.5)
    assert ended and left == 2 and not book.done and not book.failed


@pytest.mark.parametrize("work", [swallows, trips, is_cancelled_elsewhere, fails])
@pytest.mark.parametrize("when", [0.5, 1.0, 1.5, 2.5])
def test_a_run_of_producer_and_consumers_can_be_ended_if_its_work_is_guarded(work, when):
    async def main():
        async with asyncio.timeout(when):
            await chapter.producer_consumer_example(range(20), m.guarded(work), consumers=2)

    with pytest.raises(TimeoutError):
        play(main, Clock())


# ---------------------------------------------------------------- stages, and a pipeline of them


@dataclass
class Line:
    """Stages that add to an item's record; counts what is at work."""

    running: int = 0

    def stage(self, number, seconds, error=None):
        async def function(item):
            self.running += 1
            try:
                await asyncio.sleep(seconds(item[0], number))
                if error and error[0] == (item[0], number):
                    raise error[1]
            finally:
                self.running -= 1
            return (*item, number)

        return function

    def stages(self, workers, seconds, error=None):
        """Return the stages of a pipeline, with so many workers each."""
        return [(self.stage(number, seconds, error), crew) for number, crew in enumerate(workers)]


async def pipeline(items, *stages, size=5):
    """Chain these stages, each (function, workers), with queues of this size, as `fetch_and_store` does with two."""
    queues = [asyncio.Queue(), *[asyncio.Queue(size) for _ in stages[1:]], asyncio.Queue()]
    for item in [*items, m.DONE]:
        queues[0].put_nowait(item)
    async with asyncio.TaskGroup() as group:
        for (function, workers), source, target in zip(stages, queues, queues[1:], strict=False):
            group.create_task(m.stage("stage", m.guarded(function), workers, source, target))
    results = [queues[-1].get_nowait() for _ in range(queues[-1].qsize())]
    assert results.pop() is m.DONE
    return results


def some_seconds(seed):
    """Return a function that gives the seconds which an item takes in a stage: anything, but always the same."""
    choices = (0.0, 0.0, 0.001, 0.25, 1.0)
    return lambda item, number: choices[hash((seed, item, number)) % len(choices)]


WORKERS = st.lists(st.integers(1, 4), min_size=1, max_size=4)
STALLS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from([0.5, 1.0, 3.0])), max_size=4).map(
    lambda some: [pause for gap, seconds in some for pause in [*[0.0] * gap, seconds]]
)


@given(st.integers(0, 25), WORKERS, st.integers(0, 4), st.integers(0, 10_000), STALLS)
@often(140)
def test_what_goes_into_a_pipeline_comes_out_once(items, workers, size, seed, stalls):
    line = Line()
    stages = line.stages(workers, some_seconds(seed))
    results = play(lambda: pipeline([(n,) for n in range(items)], *stages, size=size), Clock(stalls=stalls))
    expected = [(n, *range(len(workers))) for n in range(items)]
    assert sorted(results) == expected
    if all(each == 1 for each in workers):
        assert results == expected
    assert line.running == 0


@given(
    st.integers(1, 25),
    WORKERS,
    st.integers(0, 3),
    st.integers(0, 10_000),
    st.sampled_from([Poison("here"), Stop("here"), asyncio.CancelledError("here")]),
    st.data(),
)
@often(120)
def test_a_stage_that_fails_ends_the_pipeline_at_once(items, workers, size, seed, error, data):
    at = data.draw(st.integers(0, items - 1)), data.draw(st.integers(0, len(workers) - 1))
    line = Line()

    async def main():
        with pytest.raises(BaseException) as caught:
            stages = line.stages(workers, some_seconds(seed), (at, error))
            await pipeline([(n,) for n in range(items)], *stages, size=size)
        return caught.value

    [raised] = leaves(play(main, Clock()))
    assert raised is error or raised.__cause__ is error
    assert line.running == 0


def test_a_failing_stage_does_not_wait_for_slow_ones():
    line, clock = Line(), Clock()

    async def main():
        with pytest.raises(ExceptionGroup):
            two = line.stages([2, 2], lambda item, number: HOUR if item == 0 else 1, ((1, 1), Poison()))
            await pipeline([(n,) for n in range(100)], *two)
        return clock()

    assert play(main, clock) == pytest.approx(1002, abs=0.01)


@given(st.integers(1, 20), WORKERS, st.integers(0, 3), st.integers(0, 10_000), st.floats(0, 6), STALLS)
@often(120)
def test_a_pipeline_that_is_cancelled_leaves_no_task(items, workers, size, seed, when, stalls):
    line = Line()

    async def main():
        stages = line.stages(workers, some_seconds(seed))
        run = asyncio.ensure_future(pipeline([(n,) for n in range(items)], *stages, size=size))
        await asyncio.wait([run], timeout=when)
        run.cancel()
        await asyncio.wait([run])
        assert run.cancelled() or len(run.result()) == items

    play(main, Clock(stalls=stalls))
    assert line.running == 0


@pytest.mark.parametrize("function", [swallows, trips])
def test_a_pipeline_ends_though_its_work_loses_the_cancellation(function):
    async def main():
        async with asyncio.timeout(0.5):
            await pipeline(range(30), (function, 1), (function, 2))

    with pytest.raises(TimeoutError):
        play(main, Clock())


def test_a_pipeline_carries_whatever_there_is():
    async def same(item):
        await asyncio.sleep(0)
        return item

    items = [None, False, 0, "", [], [], {}, ..., object(), StopIteration(), StopAsyncIteration]
    for size in (1, 2, 100):
        results = play(lambda size=size: pipeline(items, (same, 1), (same, 1), size=size), Clock())
        assert all(a is b for a, b in zip(results, items, strict=True))
        results = play(lambda size=size: pipeline(items, (same, 50), (same, 3), size=size), Clock())
        assert sorted(map(id, results)) == sorted(map(id, items))


@pytest.mark.parametrize("seconds, ends", [((1, 1 / 3), 30), ((1, 1), 61), ((0.1, 1), 60)])
def test_fetching_and_storing_take_as_long_as_the_slower_of_the_two(seconds, ends):
    stored = []

    async def fetch(number):
        await asyncio.sleep(seconds[0])
        return f"person {number}"

    async def store(person):
        await asyncio.sleep(seconds[1])
        stored.append(person)

    clock = Clock()
    assert play(lambda: m.fetch_and_store(range(60), fetch, store), clock) == 60
    assert sorted(stored) == sorted(f"person {n}" for n in range(60))
    assert clock.now - 1000 == pytest.approx(ends, abs=0.7)


@pytest.mark.parametrize("stages", [(is_cancelled_elsewhere, sleeps), (sleeps, is_cancelled_elsewhere)])
def test_a_person_whose_fetching_or_storing_is_cancelled_elsewhere_is_no_silent_loss(stages):
    with pytest.raises(ExceptionGroup) as caught:
        play(lambda: m.fetch_and_store(range(6), *stages), Clock())
    assert {type(error) for error in leaves(caught.value)} == {RuntimeError}


def test_the_slow_stage_holds_the_fast_one_back():
    fetched, stored, ahead = [], [], []

    async def fetch(number):
        fetched.append(number)
        ahead.append(len(fetched) - len(stored))
        return number

    async def store(number):
        await asyncio.sleep(1)
        stored.append(number)

    play(lambda: m.fetch_and_store(range(50), fetch, store), Clock())
    assert max(ahead) == 5 + 2 + 1  # in the queue, in the hands of two workers, being stored


# ---------------------------------------------------------------- what the notebook says without showing it


@pytest.mark.skipif("sys.version_info < (3, 13)")
@pytest.mark.parametrize("immediate, taken", [(False, ["a", "b"]), (True, [])])
def test_a_queue_that_is_shut_down_gives_what_is_left_unless_told_otherwise(immediate, taken):
    async def main():
        queue, got = asyncio.Queue(), []
        for item in "ab":
            queue.put_nowait(item)
        queue.shutdown(immediate=immediate)
        with pytest.raises(asyncio.QueueShutDown):
            await queue.put("c")
        with contextlib.suppress(asyncio.QueueShutDown):
            while True:
                got.append(await queue.get())
        return got

    assert play(main, Clock()) == taken


def test_unguarded_work_that_is_cancelled_elsewhere_makes_a_run_hang():
    with pytest.raises(Hangs):
        play(lambda: chapter.producer_consumer_example(range(20), is_cancelled_elsewhere, consumers=2), Clock())


async def sleep_and_return(seconds):
    await asyncio.sleep(seconds)
    return seconds


class BoundedMap(unittest.IsolatedAsyncioTestCase):
    """The notebook's example of a test."""

    async def test_results_are_in_the_order_of_the_items(self):
        results = await chapter.bounded_map(sleep_and_return, [0.02, 0.01, 0.0], limit=3)
        self.assertEqual(results, [0.02, 0.01, 0.0])


def test_a_comparison_on_a_busy_loop_that_is_interrupted_leaves_no_task():
    """The task that keeps the loop busy would go on forever, and every later cell would be slow."""
    notebook = json.loads((NOTEBOOKS / "03_concurrency_patterns_deeper.ipynb").read_text(encoding="utf-8"))
    names = {"asyncio": asyncio, "time": time}
    exec(next("".join(cell["source"]) for cell in notebook["cells"] if cell["id"] == "busy"), names)

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await names["busy"](chapter.AsyncRateLimiter)
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert not asyncio.run(main())
