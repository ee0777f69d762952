"""Attacks on what goes deeper in chapter 3: LineRateLimiter, guarded work, a pipeline's stages, work seen to its end.

Most of it runs on a virtual clock (virtual_time.py); nothing here depends on how busy the machine is.
"""

import asyncio
import contextlib
import gc
import sys
import time
import unittest
from dataclasses import dataclass
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asynclab.taught import taught
from limiter_scenes import TICKS, Scene, Visitor, at_once, crowded, judge, often, on, overtaken, perform, scenes
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


# ---------------------------------------------------------------- LineRateLimiter

IMPATIENT = Visitor(patience=1.0, how="timeout")
GIVE_UP_TOGETHER = Scene(2, 1.0, (*[Visitor()] * 3, IMPATIENT, IMPATIENT, *[Visitor()] * 4))


@example(GIVE_UP_TOGETHER)
@given(scenes())
@often(300)
def test_the_limiter_keeps_its_law_whatever_happens(scene):
    judge(m, m.LineRateLimiter, scene)


@given(scenes(stalls=False, ticks=[0.0]))
@often(120)
def test_on_an_exact_clock_no_caller_waits_longer_than_the_law_asks(scene):
    judge(m, m.LineRateLimiter, scene)


@pytest.mark.parametrize("hops", range(5))
@pytest.mark.parametrize("victims", [[2], [3], [2, 3], [4, 2], range(2, 8)])
@pytest.mark.parametrize("tick", TICKS)
def test_a_caller_that_gives_up_at_the_very_moment_takes_nothing_and_delays_no_other(hops, victims, tick):
    visitors = tuple(Visitor(patience=1.0 if n in victims else None, hops=hops) for n in range(12))
    for stalls in ((), (*[0.0] * 14, 1.2)):
        judge(m, m.LineRateLimiter, Scene(2, 1.0, visitors, tick, stalls))


def test_a_stall_between_waking_up_and_going_on_lets_no_more_through():
    scene = Scene(10, 1.0, (Visitor(),) * 40, stalls=(*[0.0] * 41, *[0.09] * 30))
    log, clock, _ = perform(m, m.LineRateLimiter, scene)
    assert clock.stalled and not crowded(log, scene) and not overtaken(log)


def test_after_exactly_the_period_a_place_is_free_and_not_before():
    async def main():
        limiter = m.LineRateLimiter(1, 1.0)
        assert at_once(limiter)
        clock.stall(1.0 - 2**-20)
        assert not at_once(limiter)
        clock.stall(2**-20)
        assert at_once(limiter)

    clock = Clock()
    on(m, clock, main)


def turns(module, make):
    """Let a window of 300 open for 300 that wait; return in how many turns of the loop they went."""

    async def main():
        limiter, turn, went = make(300, 1.0), 0, set()

        async def one():
            await limiter.acquire()
            went.add(turn)

        async def tick():
            nonlocal turn
            while True:
                turn += 1
                clock.stall(0.001)
                await asyncio.sleep(0)

        await asyncio.gather(*(limiter.acquire() for _ in range(300)))
        ticking = asyncio.create_task(tick())
        await asyncio.gather(*(one() for _ in range(300)))
        ticking.cancel()
        await asyncio.wait([ticking])
        return len(went)

    clock = Clock()
    return on(module, clock, main)


def test_all_for_whom_there_is_room_go_in_one_turn_and_not_one_a_turn():
    assert turns(m, m.LineRateLimiter) <= 2
    assert turns(chapter, chapter.AsyncRateLimiter) == 300


def test_a_caller_that_is_destroyed_while_waiting_leaves_the_line():
    """With others behind it, before and after it has been woken."""

    async def main():
        limiter = m.LineRateLimiter(1, 1.0)
        await limiter.acquire()
        first, second = limiter.acquire(), limiter.acquire()
        first.send(None)
        turn = second.send(None)
        third = asyncio.ensure_future(limiter.acquire())
        await asyncio.sleep(0.5)
        del first
        gc.collect()
        assert not turn.done()
        await asyncio.sleep(0.6)
        assert turn.done() and not third.done()
        second.close()
        await asyncio.sleep(0.01)
        assert third.done()

    on(m, Clock(), main)


def test_one_limiter_serves_one_loop_after_the_other():
    clock = Clock()
    limiter = m.LineRateLimiter(3, 1.0)  # outside any loop

    async def main():
        tasks = [asyncio.ensure_future(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(0.2)
        went = [task.done() for task in tasks]
        for task in tasks:  # as asyncio.run does at its end with those who still wait
            task.cancel()
        await asyncio.wait(tasks)
        return went

    with mock.patch.object(m, "time", clock.module()):
        for _ in range(3):
            assert play(main, clock) == [True] * 3 + [False] * 2
            assert play(main, clock) == [False] * 5  # the places are taken, in the next loop too
            clock.now += 0.7


def test_one_limiter_serves_one_real_run_after_the_other():
    limiter, went = m.LineRateLimiter(4, 0.05), []

    async def one():
        async with limiter:
            went.append(limiter.window.went[-1])

    async def main():
        await asyncio.gather(*(one() for _ in range(6)))
        abandoned = [asyncio.ensure_future(limiter.acquire()) for _ in range(20)]
        await asyncio.sleep(0.01)
        return abandoned  # asyncio.run cancels them

    for _ in range(3):
        asyncio.run(asyncio.wait_for(main(), 10))
    assert len(went) == 18
    assert all(b - a >= 0.05 for a, b in zip(went, went[4:], strict=False))


def test_the_chapters_limiter_belongs_to_the_loop_on_which_a_caller_first_waited():
    limiter = chapter.AsyncRateLimiter(2, 0.01)

    async def main(callers):
        await asyncio.gather(*(limiter.acquire() for _ in range(callers)))

    for _ in range(2):
        asyncio.run(main(1))  # where no caller waits, nothing fails
    asyncio.run(main(5))
    with pytest.raises(RuntimeError, match="different event loop"):
        asyncio.run(main(5))


def test_it_does_not_drift():
    """10,000 at 100/s take 99 s: late timers are not added up, although each fires a millisecond late."""

    async def main():
        limiter = m.LineRateLimiter(100, 1.0)
        await asyncio.gather(*(limiter.acquire() for _ in range(10_000)))
        return clock()

    clock = Clock(step=1e-6, resolution=0.001)
    assert on(m, clock, main) - 1000 == pytest.approx(99, rel=0.005)


@pytest.mark.parametrize("skew", [0.9, 0.999, 1.001, 1.1])
def test_the_loops_clock_may_run_at_another_speed(skew):
    """The law holds by the limiter's clock; timers that fire too soon by it are set again, and do not spin."""
    clock, went = Clock(), []

    async def main():
        limiter = m.LineRateLimiter(5, 1.0)

        async def one():
            async with limiter:
                went.append(m.time.perf_counter())

        await asyncio.gather(*(one() for _ in range(100)))

    with mock.patch.object(m, "time", mock.Mock(perf_counter=lambda: clock.now * skew)):
        play(main, clock)
    assert all(b - a >= 1.0 for a, b in zip(went, went[5:], strict=False))
    assert went[-1] - went[0] == pytest.approx(19, rel=0.11)
    assert clock.rounds < 1000


@pytest.mark.parametrize("rate, per", [(0, 1.0), (-1, 1.0), (float("nan"), 1.0), (5, 0), (5, -1.0), (5, float("nan"))])
def test_a_rate_or_period_that_makes_no_sense_is_refused(rate, per):
    with pytest.raises(ValueError, match="rate must be 1 or more and per above 0"):
        m.LineRateLimiter(rate, per)


@pytest.mark.parametrize("rate, per", [(1, 1), (1, 1e-9), (10**9, 1.0), (1, 1e300), (3, 0.1), (2, 86_400 * 365)])
def test_odd_but_lawful_numbers_work(rate, per):
    async def main():
        limiter = m.LineRateLimiter(rate, per)
        await limiter.acquire()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.gather(limiter.acquire(), limiter.acquire())

    on(m, Clock(), main)


def test_ten_thousand_wait_in_real_time():
    limiter, went, order = m.LineRateLimiter(2000, 0.05), [], []

    async def one(number):
        async with limiter:
            went.append(limiter.window.went[-1])  # not the time now: the process may just have been made to wait
            order.append(number)

    async def main():
        await asyncio.gather(*map(one, range(10_000)))

    asyncio.run(main())
    assert order == [*range(10_000)]
    assert all(b - a >= 0.05 for a, b in zip(went, went[2000:], strict=False))


def processor(work):
    """Seconds of the processor that `work()` takes: the lesser of two attempts."""
    best = float("inf")
    for _ in range(2):
        gc.collect()
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


@pytest.mark.parametrize("rate, per", [(1, 0.001), (5000, 1.0)])
def test_the_cost_of_waiting_grows_with_the_number_of_those_who_wait_not_faster(rate, per):
    def work(waiters):
        async def main():
            limiter = m.LineRateLimiter(rate, per)
            await asyncio.gather(*(limiter.acquire() for _ in range(waiters)))

        on(m, Clock(), main)

    assert processor(lambda: work(10_000)) < 40 * processor(lambda: work(1_000))


@pytest.mark.parametrize("order", ["first to last", "last to first", "all at once"])
def test_the_cost_of_giving_up_grows_with_the_number_of_those_who_do_not_faster(order):
    def work(waiters):
        async def main():
            limiter = m.LineRateLimiter(1, 1.0)
            await limiter.acquire()
            tasks = [asyncio.ensure_future(limiter.acquire()) for _ in range(waiters)]
            await asyncio.sleep(0)
            for task in reversed(tasks) if order == "last to first" else tasks:
                task.cancel()
                if order != "all at once":
                    await asyncio.sleep(0)
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(1)
            assert at_once(limiter)

        on(m, Clock(), main)

    assert processor(lambda: work(10_000)) < 40 * processor(lambda: work(1_000))


def test_nothing_is_kept_of_a_hundred_thousand_who_gave_up():
    async def main():
        limiter = m.LineRateLimiter(2, 1e6)
        await limiter.acquire()
        await limiter.acquire()
        held = []
        for _ in range(100):
            tasks = [asyncio.ensure_future(limiter.acquire()) for _ in range(1000)]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            del tasks, task
            gc.collect(0)
            held.append(sys.getallocatedblocks())
        return held

    held = on(m, Clock(), main)
    assert max(held[50:]) - max(held[10:20]) < 2000, held


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
