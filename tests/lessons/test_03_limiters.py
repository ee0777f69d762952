"""Attacks on both limiters of chapter 3: LineRateLimiter promises what AsyncRateLimiter promises, and something more.

Visitors come, wait and give up while the clock is coarse and the loop stalls (limiter_scenes.py); nothing here depends
on how busy the machine is.
"""

import asyncio
import contextlib
import gc
import sys
import time
from collections import deque
from types import ModuleType
from typing import NamedTuple
from unittest import mock

import hypothesis
import pytest
from hypothesis import example, given

from asynclab.taught import taught
from limiter_scenes import STEADY, TICKS, Scene, Visitor, at_once, crowded, judge, often, on, overtaken, perform, scenes
from virtual_time import Clock, play

chapter, deeper = taught(3), taught("03_concurrency_patterns_deeper")


class Kind(NamedTuple):
    """A limiter, and the taught module that reads the clock for it."""

    module: ModuleType
    make: type

    def on(self, clock, main, **options):
        """Run `main()` in virtual time; the limiter reads the same clock."""
        return on(self.module, clock, main, **options)


KINDS = [Kind(chapter, chapter.AsyncRateLimiter), Kind(deeper, deeper.LineRateLimiter)]
each_limiter = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.make.__name__)


class Poison(Exception):
    """What the body of a limiter raises."""


# ---------------------------------------------------------------- what both promise: scenes of visitors

IMPATIENT = Visitor(patience=1.0, how="timeout")

GIVE_UP_TOGETHER = Scene(2, 1.0, (*[Visitor()] * 3, IMPATIENT, IMPATIENT, *[Visitor()] * 4))


@each_limiter
@example(GIVE_UP_TOGETHER)
@given(scenes())
@often(300)
def test_the_limiter_keeps_its_law_whatever_happens(kind, scene):
    judge(kind.module, kind.make, scene)


@each_limiter
@given(scenes(stalls=False, ticks=[0.0]))
@often(120)
def test_on_an_exact_clock_nobody_waits_longer_than_the_law_asks(kind, scene):
    judge(kind.module, kind.make, scene)


class Guide:
    """The guide's limiter, on the clock of the test."""

    def __init__(self, rate, per=1.0):
        self.rate, self.per, self.allowance, self.last_check = rate, per, rate, chapter.time.perf_counter()

    async def acquire(self):
        now = chapter.time.perf_counter()
        self.allowance = min(self.rate, self.allowance + (now - self.last_check) * self.rate / self.per)
        self.last_check = now
        if self.allowance < 1.0:
            await asyncio.sleep((1.0 - self.allowance) * (self.per / self.rate))
            self.allowance = 0.0
        else:
            self.allowance -= 1.0

    async def __aenter__(self):
        await self.acquire()

    async def __aexit__(self, *exc_info):
        pass


class StampsWhenWoken(Guide):
    """A log of those who went, as it is often written: the time is noted by the one who wakes."""

    def __init__(self, rate, per=1.0):
        self.rate, self.per, self.went, self.waiting, self.timer = rate, per, deque(), deque(), None

    def wake(self):
        self.timer, now = None, chapter.time.perf_counter()
        while self.waiting and (len(self.went) < self.rate or now - self.went[0] >= self.per):
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self.went = deque([*self.went, now], self.rate)
        if self.waiting:
            self.timer = asyncio.get_running_loop().call_later(self.went[0] + self.per - now, self.wake)

    async def acquire(self):
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        if not self.timer:
            self.wake()
        await turn


class Reserves(StampsWhenWoken):
    """Gives each newcomer a date in the future, which is lost when the newcomer gives up."""

    async def acquire(self):
        now = chapter.time.perf_counter()
        date = max(now, self.went[0] + self.per) if len(self.went) == self.rate else now
        self.went = deque([*self.went, date], self.rate)
        await asyncio.sleep(date - now)


class Overtakes(StampsWhenWoken):
    """Wakes the one who came last."""

    def wake(self):
        self.waiting.rotate(1)
        super().wake()


@pytest.mark.parametrize(
    "make, stalls, ticks, verdict",
    [
        (Guide, False, (0.0,), "too many in a window"),
        (StampsWhenWoken, True, (0.0,), "too many in a window"),
        (Reserves, False, (0.0,), "kept waiting"),
        (Overtakes, False, (0.0,), "not in order"),
    ],
)
def test_the_judge_convicts_limiters_that_are_wrong(make, stalls, ticks, verdict):
    def convicted(scene):
        try:
            judge(chapter, make, scene, accused=True)
        except AssertionError as error:
            return verdict in str(error)
        except Exception:
            return False
        return False

    search = hypothesis.settings(STEADY, max_examples=2000, phases=[hypothesis.Phase.generate])
    hypothesis.find(scenes(stalls=stalls, ticks=ticks), convicted, settings=search)


@each_limiter
def test_a_stall_between_wake_up_and_going_on_lets_nobody_more_through(kind):
    # Everybody is woken, then the loop stalls for most of a second: the next second begins when they go on.
    scene = Scene(10, 1.0, (Visitor(),) * 40, stalls=(*[0.0] * 41, *[0.09] * 30))
    log, clock, _ = perform(kind.module, kind.make, scene)
    assert clock.stalled and not crowded(log, scene) and not overtaken(log)
    assert crowded(perform(chapter, StampsWhenWoken, scene, accused=True)[0], scene)


# ---------------------------------------------------------------- what both promise: cases


@each_limiter
def test_a_newcomer_does_not_overtake_who_has_been_woken(kind):
    order = []

    async def main():
        limiter = kind.make(2, 1.0)

        async def one(name):
            await limiter.acquire()
            order.append(name)

        async with asyncio.TaskGroup() as group:
            for name in "ab":
                group.create_task(one(name))
            await asyncio.sleep(0)
            group.create_task(one("c"))
            await asyncio.sleep(0.5)
            clock.stall(1.0)  # c's timer is overdue; in the same round somebody comes
            group.create_task(one("d"))

    kind.on(clock := Clock(), main)
    assert order == [*"abcd"]


@each_limiter
@pytest.mark.parametrize("hops", range(5))
@pytest.mark.parametrize("victims", [[2], [3], [2, 3], [4, 2], range(2, 8)])
@pytest.mark.parametrize("tick", TICKS)
def test_who_gives_up_at_the_very_moment_takes_nothing_and_delays_nobody(kind, hops, victims, tick):
    visitors = [Visitor(patience=1.0 if n in victims else None, hops=hops) for n in range(12)]
    scene = Scene(2, 1.0, tuple(visitors), tick)
    judge(kind.module, kind.make, scene)
    judge(kind.module, kind.make, Scene(2, 1.0, tuple(visitors), tick, stalls=(*[0.0] * 14, 1.2)))


@each_limiter
def test_after_exactly_the_period_a_place_is_free_and_not_before(kind):
    async def main():
        limiter = kind.make(1, 1.0)
        assert at_once(limiter)
        clock.stall(1.0 - 2**-20)
        assert not at_once(limiter)
        clock.stall(2**-20)
        assert at_once(limiter)

    clock = Clock()
    kind.on(clock, main)


@each_limiter
def test_half_of_those_who_wait_give_up_and_the_rest_go_at_the_full_rate(kind):
    scene = Scene(10, 1.0, tuple(Visitor(patience=0.5 if n % 2 and n > 10 else None) for n in range(200)))
    log, _, _ = perform(kind.module, kind.make, scene)
    assert len(log.gave_up) == 95
    assert max(log.went.values()) - min(log.went.values()) == pytest.approx(10, abs=0.01)  # 105 of them


@each_limiter
def test_a_waiter_may_be_cancelled_again_and_again(kind):
    async def main():
        limiter = kind.make(1, 1.0)
        await limiter.acquire()
        tasks = [asyncio.ensure_future(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(0.5)
        for _ in range(3):
            for task in tasks[:4]:
                task.cancel()
        await asyncio.wait(tasks[:4])
        assert all(task.cancelled() for task in tasks[:4])
        await tasks[4]
        return clock()

    clock = Clock()
    assert kind.on(clock, main) == pytest.approx(1001, abs=0.001)


@each_limiter
def test_an_error_in_the_body_gets_out_and_keeps_its_place_taken(kind):
    async def main():
        limiter = kind.make(1, 1.0)
        with pytest.raises(Poison):
            async with limiter:
                raise Poison
        assert not at_once(limiter)

    kind.on(Clock(), main)


@each_limiter
def test_a_coroutine_that_never_runs_takes_nothing(kind):
    async def main():
        limiter = kind.make(1, 1.0)
        limiter.acquire().close()
        task = asyncio.ensure_future(limiter.acquire())
        task.cancel()  # before its first step
        await asyncio.wait([task])
        assert at_once(limiter)

    kind.on(Clock(), main)


@each_limiter
@pytest.mark.parametrize("eager", [False, pytest.param(True, marks=pytest.mark.skipif("sys.version_info < (3, 12)"))])
def test_gather_groups_time_outs_and_eager_tasks_can_use_it(kind, eager):
    async def main():
        loop = asyncio.get_running_loop()
        limiter = kind.make(2, 1.0)
        began = loop.time()
        await asyncio.gather(*(limiter.acquire() for _ in range(5)))
        assert loop.time() - began == pytest.approx(2, abs=0.001)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                for _ in range(2):
                    await limiter.acquire()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(limiter.acquire(), 0.2)
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(limiter.acquire())
        assert loop.time() - began == pytest.approx(4, abs=0.001)
        with pytest.raises(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                for _ in range(10):
                    group.create_task(limiter.acquire())
                await asyncio.sleep(0.5)
                raise Poison
        await asyncio.sleep(1)
        assert [at_once(limiter) for _ in range(3)] == [True, True, False]

    kind.on(Clock(), main, eager=eager)


@each_limiter
def test_it_limits_who_needs_no_wait_at_all_and_never_blocks_the_loop(kind):
    async def main():
        limiter = kind.make(1000, 1.0)
        for _ in range(3000):
            await limiter.acquire()
        return clock()

    clock = Clock()
    assert kind.on(clock, main) == pytest.approx(1002, abs=0.01)


@each_limiter
def test_it_does_not_drift(kind):
    """10,000 at 100/s take 99 s: late timers are not added up, although each fires a millisecond late."""

    async def main():
        limiter = kind.make(100, 1.0)
        await asyncio.gather(*(limiter.acquire() for _ in range(10_000)))
        return clock()

    clock = Clock(step=1e-6, resolution=0.001)
    assert kind.on(clock, main) - 1000 == pytest.approx(99, rel=0.005)


@each_limiter
@pytest.mark.parametrize("skew", [0.9, 0.999, 1.001, 1.1])
def test_the_loops_clock_may_run_at_another_speed(kind, skew):
    """The law holds by the limiter's clock; timers that fire too soon by it are set again, and do not spin."""
    clock = Clock()
    times = []

    async def main():
        limiter = kind.make(5, 1.0)

        async def one():
            async with limiter:
                times.append(kind.module.time.perf_counter())

        await asyncio.gather(*(one() for _ in range(100)))

    with mock.patch.object(kind.module, "time", mock.Mock(perf_counter=lambda: clock.now * skew)):
        play(main, clock)
    assert all(b - a >= 1.0 for a, b in zip(times, times[5:], strict=False))
    assert times[-1] - times[0] == pytest.approx(19, rel=0.11)
    assert clock.rounds < 1000


@each_limiter
@pytest.mark.parametrize("rate, per", [(0, 1), (-1, 1), (float("nan"), 1), (5, 0), (5, -1), (5, float("nan"))])
def test_a_bad_rate_or_period_is_refused_with_what_to_write(kind, rate, per):
    with pytest.raises(ValueError, match=r"rate must be 1 or more and per above 0") as caught:
        kind.make(rate, per)
    assert f"{rate!r} and {per!r}" in str(caught.value)


@pytest.mark.parametrize("rate, per", [(2.5, 1), ("5", 1), (None, 1), (float("inf"), 1), (5, "1"), (5, None)])
def test_what_is_no_number_of_callers_or_seconds_is_refused(rate, per):
    with pytest.raises(TypeError):
        chapter.AsyncRateLimiter(rate, per)


@each_limiter
@pytest.mark.parametrize("rate, per", [(1, 1), (1, 1e-9), (10**9, 1.0), (1, 1e300), (3, 0.1), (2, 86_400 * 365)])
def test_odd_but_lawful_numbers_work(kind, rate, per):
    async def main():
        limiter = kind.make(rate, per)
        await limiter.acquire()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.gather(limiter.acquire(), limiter.acquire())
        return limiter

    kind.on(Clock(), main)


@each_limiter
def test_ten_thousand_wait_in_real_time(kind):
    limiter, times, order = kind.make(2000, 0.05), [], []

    async def one(number):
        async with limiter:
            times.append(
                # The limiter's own log, not the time now: the process may just have been made to wait.
                getattr(limiter, "window", limiter).went[-1]
            )  # not the time now: the process may just have been made to wait
            order.append(number)

    async def main():
        async with asyncio.TaskGroup() as group:
            for number in range(10_000):
                group.create_task(one(number))

    asyncio.run(main())
    assert order == [*range(10_000)]
    assert all(b - a >= 0.05 for a, b in zip(times, times[2000:], strict=False))


# ---------------------------------------------------------------- what the line promises besides


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
    assert turns(deeper, deeper.LineRateLimiter) <= 2
    assert turns(chapter, chapter.AsyncRateLimiter) == 300


def test_a_caller_that_is_destroyed_while_waiting_leaves_the_line():
    """With others behind it, before and after it has been woken."""

    async def main():
        limiter = deeper.LineRateLimiter(1, 1.0)
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

    on(deeper, Clock(), main)


def test_one_limiter_serves_one_loop_after_the_other():
    clock = Clock()
    limiter = deeper.LineRateLimiter(3, 1.0)  # outside any loop

    async def main():
        tasks = [asyncio.ensure_future(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(0.2)
        went = [task.done() for task in tasks]
        for task in tasks:  # as asyncio.run does at its end with those who still wait
            task.cancel()
        await asyncio.wait(tasks)
        return went

    with mock.patch.object(deeper, "time", clock.module()):
        for _ in range(3):
            assert play(main, clock) == [True] * 3 + [False] * 2
            assert play(main, clock) == [False] * 5  # the places are taken, in the next loop too
            clock.now += 0.7


def test_one_limiter_serves_one_real_run_after_the_other():
    limiter, went = deeper.LineRateLimiter(4, 0.05), []

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
            limiter = deeper.LineRateLimiter(rate, per)
            await asyncio.gather(*(limiter.acquire() for _ in range(waiters)))

        on(deeper, Clock(), main)

    assert processor(lambda: work(10_000)) < 40 * processor(lambda: work(1_000))


@pytest.mark.parametrize("order", ["first to last", "last to first", "all at once"])
def test_the_cost_of_giving_up_grows_with_the_number_of_those_who_do_not_faster(order):
    def work(waiters):
        async def main():
            limiter = deeper.LineRateLimiter(1, 1.0)
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

        on(deeper, Clock(), main)

    assert processor(lambda: work(10_000)) < 40 * processor(lambda: work(1_000))


def test_nothing_is_kept_of_a_hundred_thousand_who_gave_up():
    async def main():
        limiter = deeper.LineRateLimiter(2, 1e6)
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

    held = on(deeper, Clock(), main)
    assert max(held[50:]) - max(held[10:20]) < 2000, held
