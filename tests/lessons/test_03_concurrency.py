"""Attacks on what chapter 3 teaches: AsyncRateLimiter, producer and consumer, bounded_map, task groups, its claims.

The code is that of the notebook's system cells. Most of it runs on a virtual clock (virtual_time.py), which can be
coarse, fire timers early and stall between any two steps; nothing here depends on how busy the machine is.
"""

import asyncio
import contextlib
import gc
import heapq
import json
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynclab import Services
from asynclab.counting import most_in_window
from asynclab.taught import NOTEBOOKS, taught
from limiter_scenes import (
    TICKS,
    clock_of,
    often,
)  # fmt: skip
from limiter_scenes import on as in_time_of
from virtual_time import Clock, Hangs, Spins, Unheard, Untidy, play

m = taught(3)
HOUR = 3600


def on(clock, main, **options):
    """Run `main()` in virtual time; chapter 3 reads the same clock."""
    return in_time_of(m, clock, main, **options)


def leaves(error):
    """Return the exceptions inside nested groups."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves(each)]
    return [error]


class Poison(Exception):
    """What a job raises."""


class Stop(BaseException):
    """What no `except Exception` catches."""


# ---------------------------------------------------------------- the virtual clock itself


def test_virtual_time_jumps_to_the_next_timer():
    async def main():
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(asyncio.sleep(HOUR * n) for n in range(1, 50)))
        return loop.time() - began

    began = time.perf_counter()
    assert play(main) == pytest.approx(49 * HOUR, abs=0.01)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("tick", TICKS)
def test_virtual_time_is_read_in_ticks_and_can_stall(tick):
    async def main():
        await asyncio.sleep(1)
        return clock()

    clock = clock_of(tick, stalls=[0, 5])  # the second callback is the timer's
    read = play(main, clock)
    assert clock.stalled == [(pytest.approx(1001, abs=2 * tick + 1e-4), 5)]
    assert read == pytest.approx(1006, abs=2 * tick + 1e-4)
    assert not tick or (read / tick).is_integer()


def test_virtual_time_sees_hangs_spins_and_what_is_left():
    async def hangs():
        await asyncio.Event().wait()

    def again():
        asyncio.get_running_loop().call_soon(again)

    async def forever():
        again()
        await asyncio.Event().wait()

    async def leaves_a_task():
        leaves_a_task.task = asyncio.create_task(asyncio.sleep(1))

    async def leaves_a_timer():
        asyncio.get_running_loop().call_later(1, print)

    async def leaves_an_error():
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)

    with pytest.raises(Hangs):
        play(hangs)
    with pytest.raises(Spins), mock.patch("virtual_time.MANY", 1000):
        play(forever)
    with pytest.raises(Untidy, match="tasks"):
        play(leaves_a_task)
    with pytest.raises(Untidy, match="timers"):
        play(leaves_a_timer)
    with pytest.raises(Unheard, match="ZeroDivisionError"):
        play(leaves_an_error)


# ---------------------------------------------------------------- what the chapter says of limiters


def test_what_the_chapter_says_of_the_four_limiters():
    """Most in a window: 40, 28, 19, 10; and used one after another, the guide's is twice as fast as it may be."""

    async def main():
        loop, most = asyncio.get_running_loop(), []
        guide = cells("guide-async-rate-limiter", "limiter-steps-defined")
        for name in ("guide_AsyncRateLimiter", "WithLock", "CountedOnce"):
            limiter, went = guide[name](10, 0.2), []
            await asyncio.gather(*(go(limiter, went) for _ in range(40)))
            most.append(most_in_window(went, 0.2))
        limiter, went = m.AsyncRateLimiter(10, 0.2), []
        await asyncio.gather(*(go(limiter, went) for _ in range(40)))
        most.append(most_in_window(went, 0.2))
        assert went[-1] - went[0] == pytest.approx(0.6, abs=0.001)
        guides, began = guide["guide_AsyncRateLimiter"](10, 0.2), loop.time()
        for _ in range(60):
            await guides.acquire()
        assert loop.time() - began == pytest.approx(0.5, abs=0.03)  # the law asks for 1.0
        began = loop.time()
        await asyncio.gather(*(guide["guide_rate_limited_request"]("/") for _ in range(10)))
        assert loop.time() - began == pytest.approx(0.2, abs=0.001)  # the law asks for 1.0
        return most

    async def go(limiter, went):
        await limiter.acquire()
        went.append(asyncio.get_running_loop().time())

    guides, locked, once, ours = on(Clock(), main)
    assert (guides, once, ours) == (40, 19, 10) and 26 <= locked <= 28


def cells(*ids):
    """Return what cells of the notebook define."""
    notebook = json.loads((NOTEBOOKS / "03_concurrency_patterns.ipynb").read_text(encoding="utf-8"))
    sources = {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"]}
    names = {"asyncio": asyncio}
    for each in ids:
        exec(sources[each], names)
    return names


@pytest.mark.parametrize("used_before", [False, True])
def test_the_guides_limiter_at_module_level_needs_a_running_loop(used_before):
    """As the chapter says: an error after asyncio.run, and in Python 3.14 always; ours needs no loop."""
    if used_before:
        asyncio.run(asyncio.sleep(0))
    m.AsyncRateLimiter(5)
    if used_before or sys.version_info >= (3, 14):
        with pytest.raises(RuntimeError, match="no current event loop"):
            cells("guide-async-rate-limiter")


def test_a_rate_limited_request_is_a_request():
    async def main():
        async with Services() as web:
            url = web.url("/status/404", client="us")
            said = await asyncio.gather(*(m.rate_limited_request(url) for _ in range(3)))
            assert (await web.stats("us"))["requests"] == 3
        return said

    for said in asyncio.run(main()):
        assert said.startswith("Request to http://127.0.0.1") and said.endswith(": 404")


# ---------------------------------------------------------------- producer and consumer


@dataclass(frozen=True)
class Job:
    """An item's work takes `seconds` and ends as `end` says."""

    seconds: float = 0.0
    end: str = "done"  # or "raises", "yields not"


@dataclass
class Floor:
    """What is seen of a run: which items were sent, begun and ended, and the consumers' tasks, queue and book."""

    sent: list = field(default_factory=list)
    begun: list = field(default_factory=list)
    ended: list = field(default_factory=list)
    crew: list = field(default_factory=list)
    queue: asyncio.Queue = field(default_factory=asyncio.Queue)
    book: object = field(default_factory=m.Book)

    def send(self, jobs):
        for number in range(len(jobs)):
            self.sent.append(number)
            yield number

    def handler(self, jobs):
        async def handle(number):
            self.begun.append(number)
            job = jobs[number]
            try:
                if job.end != "yields not":
                    await asyncio.sleep(job.seconds)
                if job.end == "raises":
                    raise Poison(number)
            finally:
                self.ended.append(number)
            return -number

        return handle

    @contextlib.contextmanager
    def seen(self):
        """Look at the consumers' tasks."""
        consumer = m.consumer

        async def look(*arguments):
            self.crew.append(asyncio.current_task())
            await consumer(*arguments)

        with mock.patch.object(m, "consumer", look):
            yield

    def run(self, jobs, consumers=2, size=5, handle=None, **options):
        """Run the example on these jobs, with a queue of that size."""
        self.queue = asyncio.Queue(size)
        arguments = {"consumers": consumers, "queue": self.queue, "book": self.book, **options}
        return m.producer_consumer_example(self.send(jobs), handle or self.handler(jobs), **arguments)

    def interrupted(self):
        """Return the items of which the book does not say what became."""
        known = [item for item, _ in self.book.done + self.book.failed]
        return [item for item in self.book.begun if item not in known]

    def check(self, jobs):
        """Assert that each item that was sent stands in exactly one place, and that the book tells no lie."""
        book, queue = self.book, self.queue
        places = Counter([*(item for item, _ in book.done + book.failed), *self.interrupted(), *queue._queue])
        assert not [item for item, times in places.items() if times > 1], "an item stands in two places"
        missing = [item for item in self.sent if item not in places]
        assert len(missing) <= 1, "items were lost"  # the producer held one when it was cancelled
        assert self.begun == book.begun and len(set(book.begun)) == len(book.begun), "an item was done twice"
        assert set(self.begun) == set(self.ended), "a consumer is at work still"
        assert all(result == -item and jobs[item].end != "raises" for item, result in book.done)
        assert all(jobs[item].end == "raises" and isinstance(error, Poison) for item, error in book.failed)


SECONDS = st.sampled_from([0.0, 0.001, 0.5, 1.0]) | st.floats(0, 2)
JOBS = st.lists(st.builds(Job, SECONDS, st.sampled_from(["done", "done", "raises", "yields not"])), max_size=15)
STALLS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from([0.5, 1.0, 3.0])), max_size=4).map(
    lambda some: [pause for gap, seconds in some for pause in [*[0.0] * gap, seconds]]
)


def example_run(items, handle, consumers=2, size=5, **options):
    """Run the example with a queue of that size."""
    return m.producer_consumer_example(items, handle, consumers=consumers, queue=asyncio.Queue(size), **options)


@given(JOBS, st.integers(1, 4), st.integers(0, 4), STALLS, st.sampled_from([0.0, 0.0, 0.3]))
@often(140)
def test_each_item_is_done_or_failed_and_the_end_comes_at_once(jobs, consumers, size, stalls, pause):
    floor, clock = Floor(), Clock(stalls=stalls)

    async def main():
        last = 0.0
        handle = floor.handler(jobs)

        async def timed(number):
            nonlocal last
            try:
                return await handle(number)
            finally:
                last = clock.now

        book = await floor.run(jobs, consumers, size, timed, pause=pause)
        assert not jobs or clock.now - last <= 1e-4 + clock.lost(last, clock.now), "idle at the end"
        return book

    book = on(clock, main)
    assert book is floor.book
    floor.check(jobs)
    assert len(book.done) + len(book.failed) == len(jobs) == len(floor.sent)
    assert not floor.queue.qsize() and not floor.queue._unfinished_tasks
    if consumers == 1:
        assert floor.begun == sorted(floor.begun)


@given(JOBS, st.integers(1, 4), st.integers(0, 4), STALLS, st.floats(0, 6) | st.integers(0, 6), st.integers(0, 4))
@often(140)
def test_when_the_whole_run_is_cancelled_each_item_is_accounted_for(jobs, consumers, size, stalls, when, hops):
    floor, clock = Floor(), Clock(stalls=stalls)

    async def main():
        loop = asyncio.get_running_loop()

        def cancel(hops):
            if hops:
                loop.call_soon(cancel, hops - 1)
            else:
                run.cancel()

        run = asyncio.ensure_future(floor.run(jobs, consumers, size))
        timer = loop.call_later(when, cancel, hops)
        await asyncio.wait([run])
        timer.cancel()
        return run

    run = on(clock, main)
    assert run.cancelled() or len(floor.book.done) + len(floor.book.failed) == len(jobs)
    floor.check(jobs)


@given(JOBS, st.integers(2, 5), st.integers(0, 4), st.lists(st.tuples(SECONDS, st.integers(0, 3)), max_size=4), STALLS)
@often(140)
def test_when_consumers_are_cancelled_the_others_do_the_rest(jobs, consumers, size, cancels, stalls):
    floor, clock = Floor(), Clock(stalls=stalls)

    async def main():
        loop = asyncio.get_running_loop()

        def cancel(index):
            """Cancel one of them, unless it is the last."""
            there = [task for task in floor.crew if not task.done() and not task.cancelling()]
            if len(there) > 1:
                there[index % len(there)].cancel()

        timers = [loop.call_later(when, cancel, index) for when, index in cancels]
        book = await floor.run(jobs, consumers, size)
        for timer in timers:
            timer.cancel()
        return book

    with floor.seen():
        book = on(clock, main)
    floor.check(jobs)
    assert len(book.done) + len(book.failed) + len(floor.interrupted()) == len(jobs)
    assert len(floor.interrupted()) <= len(cancels)


def test_an_item_that_was_finished_though_cancelled_is_done_and_not_interrupted():
    """Else whoever does the interrupted ones again would do it twice."""
    queue, book = asyncio.Queue(), m.Book()

    async def finishes_first(item):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(HOUR)
        return "done all the same"

    async def main():
        queue.put_nowait("order 7")
        task = asyncio.ensure_future(m.consumer("me", queue, finishes_first, book))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.sleep(1)
        task.cancel()  # the first cancellation was swallowed
        await asyncio.wait([task])

    on(Clock(), main)
    assert book.begun == ["order 7"] and book.done == [("order 7", "done all the same")] and not book.failed


def test_a_producer_that_pauses_for_hours_is_waited_for():
    async def slow(name, queue, items, *_):
        for item in items:
            await asyncio.sleep(HOUR)
            await queue.put(item)

    async def handle(item):
        await asyncio.sleep(2.5)
        return item * item

    async def main():
        with mock.patch.object(m, "producer", slow):
            book = await m.producer_consumer_example(range(10), handle)
        assert book.done == [(n, n * n) for n in range(10)]
        return clock()

    clock = Clock()
    assert on(clock, main) == pytest.approx(1000 + 10 * HOUR + 2.5, abs=0.01)


def test_the_queue_holds_the_producer_back():
    floor = Floor()
    ahead = []

    async def handle(item):
        ahead.append(len(floor.sent) - item)
        await asyncio.sleep(1)

    on(Clock(), lambda: example_run(floor.send([Job()] * 50), handle, consumers=2, size=5))
    assert max(ahead) <= 2 + 5 + 1  # in work, in the queue, in the producer's hand
    assert len(ahead) == 50


def failing(items, error):
    yield from items
    raise error


@pytest.mark.parametrize("error", [Poison("the source"), Stop("the source"), KeyError(1)])
@pytest.mark.parametrize("before", [0, 1, 20])
def test_an_error_of_the_source_gets_out_and_leaves_nobody(error, before):
    floor = Floor()
    jobs = [Job(0.5)] * before

    async def main():
        with pytest.raises(BaseException) as caught:
            await m.producer_consumer_example(failing(floor.send(jobs), error), floor.handler(jobs), book=floor.book)
        return leaves(caught.value)

    assert on(Clock(), main) == [error]
    assert set(floor.begun) == set(floor.ended) and floor.begun == floor.book.begun


def test_no_items_are_done_at_once():
    async def main():
        book = await m.producer_consumer_example([], Floor().handler([]))
        assert book.begun == book.done == book.failed == []
        return clock()

    clock = Clock()
    assert on(clock, main) == pytest.approx(1000, abs=0.001)


@pytest.mark.parametrize("consumers", [0, -1])
@pytest.mark.parametrize("items", [0, 1, 20])
def test_without_a_consumer_it_says_so_instead_of_hanging(consumers, items):
    with pytest.raises(AssertionError, match=f"consumers must be 1 or more, not {consumers}"):
        on(Clock(), lambda: m.producer_consumer_example(range(items), Floor().handler(()), consumers))


def test_a_book_and_a_queue_of_ones_own_are_used_though_empty():
    queue, book = asyncio.Queue(3), m.Book()

    async def main():
        jobs = [Job(1.0)] * 9
        async with asyncio.timeout(2.5):
            await m.producer_consumer_example(Floor().send(jobs), Floor().handler(jobs), queue=queue, book=book)

    with pytest.raises(TimeoutError):
        on(Clock(), main)
    assert sorted(book.done) == [(n, -n) for n in range(4)]
    assert sorted(book.begun) == [*range(6)] and list(queue._queue) == [6, 7, 8]


def test_a_queue_without_a_bound_works():
    jobs = [Job(0.01)] * 100
    floor = Floor()
    on(Clock(), lambda: floor.run(jobs, 3, size=0))
    floor.check(jobs)


def test_items_may_be_nothing_at_all_twice_the_same_or_unhashable():
    items = [None, None, False, 0, "", [], {}, ..., [1], [1]]

    async def handle(item):
        await asyncio.sleep(0)
        return item

    book = on(Clock(), lambda: example_run(items, handle, 3, 2))
    assert Counter(map(repr, (item for item, _ in book.done))) == Counter(map(repr, items))
    assert all(item is result for item, result in book.done)


@pytest.mark.parametrize("handle", [lambda item: item, lambda item: 1 / 0, None])
def test_a_handle_that_is_no_coroutine_function_fails_each_item(handle):
    book = on(Clock(), lambda: example_run(range(10), handle, 2, 3))
    assert [item for item, _ in book.failed] == [*range(10)]


@pytest.mark.parametrize("end", [Stop, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_no_consumer_may_catch_gets_out_and_the_item_is_in_the_book(end):
    floor = Floor()

    async def handle(item):
        await asyncio.sleep(0)
        if item == 3:
            raise end
        return item

    async def main():
        await floor.run([Job()] * 10, 1, 2, handle)

    with pytest.raises(BaseException) as caught:
        on(Clock(), main)
    assert all(isinstance(error, end) for error in leaves(caught.value))
    assert [item for item, _ in floor.book.done] == [0, 1, 2]
    assert floor.interrupted() == [3]


def test_a_consumer_that_is_thrown_away_leaves_its_item_in_the_book():
    async def main():
        queue, book = asyncio.Queue(), m.Book()
        queue.put_nowait("item")
        alone = m.consumer("me", queue, lambda item: asyncio.sleep(1), book)
        alone.send(None)
        alone.close()
        assert book.begun == ["item"] and not book.done and not queue._unfinished_tasks

    with contextlib.suppress(Unheard):  # its sleep's timer is still there
        on(Clock(), main)


def test_what_the_chapter_says_of_the_guides_consumers(capsys):
    """Two seconds idle at the end; of six errands two are done, two are lost, two are left, and one error is told."""
    errands = [0.1, HOUR, 0.2, "503", 0.15, 0.05]
    done = []

    async def errand(item):
        async with asyncio.timeout(1):
            if item == "503":
                raise Poison
            await asyncio.sleep(item)
            done.append(item)

    async def main():
        loop = asyncio.get_running_loop()
        guide, began = cells("guide-producer-consumer"), loop.time()
        await guide["guide_producer_consumer_example"]()
        assert loop.time() - began == pytest.approx(3.1, abs=0.001)
        queue = asyncio.Queue()
        for item in errands:
            queue.put_nowait(item)
        consumers = [guide["guide_consumer"](name, queue, errand) for name in "12"]
        ended = await asyncio.gather(*consumers, return_exceptions=True)
        assert [type(each) for each in ended] == [Poison, type(None)]
        assert done == errands[:1] + errands[2:3] and list(queue._queue) == errands[4:]
        book = await m.producer_consumer_example(errands, errand)
        assert len(book.done) == 4 and [type(error) for _, error in book.failed] == [Poison, TimeoutError]

    on(Clock(), main)
    assert capsys.readouterr().out.count("Produced") == 10


# ---------------------------------------------------------------- bounded_map


@dataclass
class Work:
    """Counts what a map has under way."""

    read: int = 0
    running: int = 0
    peak: int = 0
    begun: int = 0
    ended: int = 0

    def items(self, seconds, ahead=None):
        for number, each in enumerate(seconds):
            self.read += 1
            if ahead is not None:
                assert self.read <= self.ended + ahead, "read ahead of the workers"
            yield number, each

    async def __call__(self, item):
        number, seconds = item
        self.begun += 1
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            if isinstance(seconds, BaseException):
                await asyncio.sleep(number / 10)
                raise seconds
            if seconds is not None:
                await asyncio.sleep(seconds)
        finally:
            self.running -= 1
            self.ended += 1
        return -number


def makespan(seconds, limit):
    """Return how long `limit` workers need who take the items in order."""
    free = [0.0] * limit
    for each in seconds:
        heapq.heappush(free, heapq.heappop(free) + each)
    return max(free)


@given(st.lists(st.sampled_from([0.001, 0.5, 1.0]) | st.floats(0.001, 2), max_size=40), st.integers(1, 12))
@often(140)
def test_a_bounded_map_is_ordered_bounded_lazy_and_as_fast_as_can_be(seconds, limit):
    work, clock = Work(), Clock()
    results = on(clock, lambda: m.bounded_map(work, work.items(seconds, limit), limit))
    assert results == [-n for n in range(len(seconds))]
    assert work.peak == min(limit, len(seconds))
    assert work.begun == work.ended == len(seconds)
    assert clock.now - 1000 == pytest.approx(makespan(seconds, limit), abs=0.01)


@given(st.lists(SECONDS | st.none(), max_size=30), st.integers(1, 8), STALLS, st.booleans())
@often(120)
def test_a_bounded_map_is_right_for_work_that_never_waits_and_loops_that_stall(seconds, limit, stalls, eager):
    work = Work()
    eager = eager and sys.version_info >= (3, 12)
    results = on(Clock(stalls=stalls), lambda: m.bounded_map(work, work.items(seconds, limit), limit), eager=eager)
    assert results == [-n for n in range(len(seconds))]
    assert work.peak <= limit and work.running == 0


@given(st.lists(SECONDS | st.none(), min_size=1, max_size=30), st.integers(1, 8), st.data(), STALLS)
@often(120)
def test_an_error_ends_a_bounded_map_and_all_its_work(seconds, limit, data, stalls):
    work, clock = Work(), Clock(stalls=stalls)
    places = data.draw(st.sets(st.integers(0, len(seconds) - 1), min_size=1, max_size=3))
    errors = {place: Poison(place) for place in places}
    items = [errors.get(place, each) for place, each in enumerate(seconds)]

    async def main():
        with pytest.raises(ExceptionGroup) as caught:
            await m.bounded_map(work, work.items(items, limit), limit)
        assert work.running == 0
        begun = work.begun
        await asyncio.sleep(HOUR)
        assert work.begun == begun, "somebody went on"
        return caught.value

    group = on(clock, main)
    assert group.exceptions and all(error in errors.values() for error in group.exceptions)
    if len(places) == 1:
        assert group.exceptions == (*errors.values(),)


def test_an_error_is_not_kept_waiting():
    work = Work()

    async def main():
        with pytest.raises(ExceptionGroup):
            await m.bounded_map(work, [(0, HOUR), (1, Poison()), (2, HOUR), *[(3, 0.001)] * 1000], 3)
        return clock()

    clock = Clock()
    assert on(clock, main) - 1000 == pytest.approx(0.1, abs=0.01)
    assert work.begun == 3


def test_work_may_tidy_up_when_another_fails_and_its_own_errors_are_in_the_group():
    tidied = []

    async def work(number):
        if number == 1:
            raise Poison(1)
        try:
            await asyncio.sleep(HOUR)
        finally:
            await asyncio.sleep(0.5)
            tidied.append(number)
            if number == 2:
                raise KeyError(2)

    async def main():
        await m.bounded_map(work, range(10), 4)

    with pytest.raises(ExceptionGroup) as caught:
        on(Clock(), main)
    assert sorted(tidied) == [0, 2, 3]
    assert sorted(map(repr, caught.value.exceptions)) == ["KeyError(2)", "Poison(1)"]


@pytest.mark.parametrize("error", [Poison(), Stop(), StopAsyncIteration()])
@pytest.mark.parametrize("before", [0, 1, 3, 4, 5, 30])
def test_an_error_of_the_iterable_ends_a_bounded_map(error, before):
    work = Work()

    async def main():
        with pytest.raises(BaseException) as caught:
            await m.bounded_map(work, failing(work.items([0.5] * before), error), 4)
        assert work.running == 0
        return leaves(caught.value)

    assert on(Clock(), main) == [error]


@given(st.lists(SECONDS, max_size=30), st.integers(1, 8), st.floats(0, 6), STALLS)
@often(100)
def test_a_bounded_map_that_is_cancelled_leaves_nobody(seconds, limit, when, stalls):
    work = Work()

    async def main():
        run = asyncio.ensure_future(m.bounded_map(work, work.items(seconds, limit), limit))
        await asyncio.wait([run], timeout=when)
        run.cancel()
        await asyncio.wait([run])
        assert run.cancelled() or len(run.result()) == len(seconds)
        assert work.running == 0

    on(Clock(stalls=stalls), main)


@pytest.mark.parametrize("limit", [0, -1, -(10**9)])
def test_a_bad_limit_is_refused_before_anything_is_read(limit):
    work = Work()
    with pytest.raises(ValueError, match=f"limit must be 1 or more, not {limit}"):
        on(Clock(), lambda: m.bounded_map(work, work.items([1]), limit))
    assert work.read == work.begun == 0


def test_what_cannot_be_iterated_is_refused():
    with pytest.raises(TypeError, match="not iterable"):
        on(Clock(), lambda: m.bounded_map(Work(), 5, 2))


def test_nothing_gives_nothing():
    for empty in ([], (), "", iter([]), {}):
        assert on(Clock(), lambda empty=empty: m.bounded_map(Work(), empty, 5)) == []


def test_an_endless_iterable_is_read_no_further_than_it_is_worked():
    work = Work()

    async def main():
        async with asyncio.timeout(10.5):
            await m.bounded_map(work, ((n, 1.0) for n in count()), 5)

    with pytest.raises(TimeoutError):
        on(Clock(), main)
    assert work.begun == 55 and work.running == 0


def test_maps_may_be_nested_and_share_nothing():
    async def inner(number):
        return await m.bounded_map(Work(), [(n, 0.1) for n in range(number)], 2)

    results = on(Clock(), lambda: m.bounded_map(inner, range(6), 3))
    assert results == [[-n for n in range(number)] for number in range(6)]


# ---------------------------------------------------------------- what the chapter says of groups and deadlines


def test_task_group_example_gives_its_results_in_order_as_the_slowest_ends():
    clock = Clock()
    assert on(clock, m.task_group_example) == [f"Result from Task-{n}" for n in (1, 2, 3)]
    assert clock.now - 1000 == pytest.approx(1.0, abs=0.001)


def test_task_group_example_can_be_cancelled():
    async def main():
        async with asyncio.timeout(0.6):
            await m.task_group_example()

    with pytest.raises(TimeoutError):
        on(Clock(), main)


def mixed(finished):
    """Return three jobs: the second fails after 0.2 s, the others write down that they are done."""

    async def job(number):
        if number == 2:
            await asyncio.sleep(0.2)
            raise Poison(number)
        await asyncio.sleep(number)
        finished.append(number)
        return number

    return [job(number) for number in (1, 2, 3)]


def test_gather_leaves_the_siblings_of_a_failure_running():
    finished = []

    async def main():
        with pytest.raises(Poison):
            await asyncio.gather(*mixed(finished))
        assert clock() == pytest.approx(1000.2, abs=0.001) and not finished
        await asyncio.sleep(5)
        assert finished == [1, 3]

    on(clock := Clock(), main)


def test_gather_with_return_exceptions_waits_for_all():
    finished = []

    async def main():
        one, error, three = await asyncio.gather(*mixed(finished), return_exceptions=True)
        assert (one, three) == (1, 3) and isinstance(error, Poison)
        assert clock() == pytest.approx(1003, abs=0.001)

    on(clock := Clock(), main)


def test_a_task_group_cancels_the_siblings_of_a_failure():
    finished = []

    async def main():
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(job) for job in mixed(finished)]
        assert [type(error) for error in caught.value.exceptions] == [Poison]
        assert clock() == pytest.approx(1000.2, abs=0.001)
        assert tasks[0].cancelled() and tasks[2].cancelled()
        await asyncio.sleep(5)
        assert not finished

    on(clock := Clock(), main)


def test_gather_drops_every_error_but_the_first_without_a_word():
    async def main():  # play() raises what reaches the loop's exception handler
        jobs = cells("ways-to-fail")
        with pytest.raises(ZeroDivisionError):
            await jobs["in_gather"](2)
        assert clock() == pytest.approx(1000.4, abs=0.001)
        await asyncio.sleep(5)
        gc.collect()
        with pytest.raises(ExceptionGroup) as caught:
            await jobs["in_group"](2)
        assert clock() == pytest.approx(1005.8, abs=0.001) and len(caught.value.exceptions) == 1

    on(clock := Clock(), main)


def test_a_gather_that_is_cancelled_cancels_all_of_its_tasks():
    async def main():
        tasks = [asyncio.create_task(asyncio.sleep(n)) for n in (1, 2)]
        gathered = asyncio.gather(*tasks)
        await asyncio.sleep(0.5)
        gathered.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks) and clock() == pytest.approx(1000.5, abs=0.001)
        with pytest.raises(asyncio.CancelledError):
            await gathered

    on(clock := Clock(), main)


def test_a_second_cancellation_cuts_the_cleanup():
    async def main():
        cancelled = cells("guest")["cancelled"]
        for moments, end in (((0.2,), 0.7), ((0.2, 0.4), 0.4)):
            began = clock()
            await asyncio.wait([task := cancelled("guest", *moments)])
            assert task.cancelled() and clock() - began == pytest.approx(end, abs=0.001)

    on(clock := Clock(), main)


def test_a_deadline_cancels_the_current_task_and_what_it_awaits_and_nothing_else():
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                started, awaited = (asyncio.create_task(asyncio.sleep(2, "went on")) for _ in range(2))
                await awaited
        assert awaited.cancelled() and await started == "went on"
        with pytest.raises(TimeoutError):  # the outer one: the inner `except` does not catch it
            async with asyncio.timeout(1):
                try:
                    async with asyncio.timeout(2):
                        await asyncio.sleep(HOUR)
                except TimeoutError:
                    pytest.fail("caught by the inner one")

    on(Clock(), main)


@pytest.mark.parametrize("own, expired", [(1, False), (3, True)])
def test_only_the_deadline_itself_tells_which_timeout_it_was(own, expired):
    async def main():
        with pytest.raises(asyncio.TimeoutError) as caught:
            async with asyncio.timeout(2) as deadline:
                await asyncio.wait_for(asyncio.sleep(HOUR), own)
        assert type(caught.value) is TimeoutError and deadline.expired() is expired

    on(Clock(), main)


@pytest.mark.parametrize("start, most", [(lambda work: work, 3), (asyncio.ensure_future, 12)])
def test_a_semaphore_bounds_what_is_awaited_inside_it(start, most):
    async def main():
        semaphore, work = asyncio.Semaphore(3), Work()

        async def inside(each):
            async with semaphore:
                await each

        await asyncio.gather(*[inside(start(work((n, 1.0)))) for n in range(12)])
        return work.peak

    assert on(Clock(), main) == most


def test_the_mistakes_are_as_the_chapter_says():
    async def main():
        async with asyncio.timeout(1):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(HOUR)
            await asyncio.sleep(1)  # the deadline is over, and nothing happens
        queue = asyncio.Queue()
        _, left = await asyncio.wait({asyncio.create_task(queue.get())}, timeout=1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.get(), 1)
        queue.put_nowait("dropped")
        queue.put_nowait("next")
        await asyncio.sleep(0)
        assert await queue.get() == "next" and await left.pop() == "dropped"
        with pytest.raises(ValueError):
            asyncio.BoundedSemaphore(3).release()

    on(Clock(), main)


def test_the_slider_counts_the_queue_though_the_servers_have_stopped():
    """A learner moves it after Run All; without the servers, the work would fail at once and the queue stay empty."""
    notebook = json.loads((NOTEBOOKS / "03_concurrency_patterns.ipynb").read_text(encoding="utf-8"))
    source = next("".join(cell["source"]) for cell in notebook["cells"] if cell["id"] == "hand-over-explored")
    names = {"asyncio": asyncio, "producer_consumer_example": m.producer_consumer_example}
    exec(source[: source.index("await explore")], names)
    highest = re.findall(r"^maxsize=(\d+) +(\d+) at most", str(asyncio.run(names["hand_over"]())), re.MULTILINE)
    unlimited, limited = (int(most) for _, most in highest)
    assert [size for size, _ in highest] == ["0", "5"] and limited == 5 < unlimited


def test_a_race_loses_updates_and_a_lock_does_not():
    async def main():
        notebook = json.loads((NOTEBOOKS / "03_concurrency_patterns.ipynb").read_text(encoding="utf-8"))
        source = next("".join(cell["source"]) for cell in notebook["cells"] if cell["id"] == "races-run")
        names = {"asyncio": asyncio}
        exec(source[: source.index("await asyncio.gather")], names)
        await asyncio.gather(*[names[way]() for way in ["naive", "locked"] * 30])
        assert names["tally"] == {"naive": 1, "locked": 30}
        total = Counter()

        async def pays():
            total["paid"] += await asyncio.sleep(0, 1)

        await asyncio.gather(*[pays() for _ in range(30)])
        assert total["paid"] == 1

    on(Clock(), main)
