"""Attacks on what chapter 3 teaches: AsyncRateLimiter, producer and consumer, pipeline, bounded_map, task groups.

The code is that of the notebook's system cells. Most of it runs on a virtual clock (virtual_time.py), which can be
coarse, fire timers early and stall between any two steps; nothing here depends on how busy the machine is.
"""

import asyncio
import contextlib
import gc
import heapq
import sys
import time
import tracemalloc
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import count
from unittest import mock

import hypothesis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asynclab.taught import taught
from virtual_time import Clock, Hangs, Spins, Unheard, Untidy, play

m = taught(3)

STEADY = hypothesis.settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
HOUR = 3600
TICKS = (0.0, 0.001, 1 / 64)  # what a clock can tell apart: Linux, a slow timer, an older Windows


def often(examples):
    """Try so many examples, always the same."""
    return hypothesis.settings(STEADY, max_examples=examples)


def on(clock, main, **options):
    """Run `main()` in virtual time; the taught code reads the same clock."""
    with mock.patch.object(m, "time", clock.module()):
        return play(main, clock, **options)


def clock_of(tick, stalls=(), start=1000.0):
    """A clock with such ticks. One round of the loop takes far less than a tick."""
    return Clock(tick, stalls, start, step=tick / 20 or 1e-6)


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


# ---------------------------------------------------------------- AsyncRateLimiter: scenes of visitors


@dataclass(frozen=True)
class Visitor:
    """Comes after `arrives` seconds; gives up after `patience` more (None: never), in the manner `how`.

    With "cancel" another callback cancels the task, `hops` rounds of the loop after the patience has ended.
    """

    arrives: float = 0.0
    patience: float | None = None
    how: str = "cancel"
    hops: int = 0


@dataclass(frozen=True)
class Scene:
    """Visitors of a limiter, and what the clock does to them."""

    rate: int
    per: float
    visitors: tuple
    tick: float = 0.0
    stalls: tuple = ()
    early: tuple = ()
    eager: bool = False
    start: float = 1000.0


@dataclass
class Log:
    """Who came, who went on and who gave up, in this order: {number: time as the clock is read}."""

    came: dict
    went: dict
    gave_up: dict


async def visit(limiter, number, visitor, clock, log):
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    async def enter():
        log.came[number] = clock()  # here, and not before: until 3.11 wait_for makes a task of it
        async with limiter:
            log.went[number] = clock()

    def cancel(hops=visitor.hops):
        if hops:
            loop.call_soon(cancel, hops - 1)
        else:
            task.cancel()

    if visitor.arrives:
        await asyncio.sleep(visitor.arrives)
    try:
        if visitor.patience is None:
            await enter()
        elif visitor.how == "wait_for":
            await asyncio.wait_for(enter(), visitor.patience)
        elif visitor.how == "timeout":
            async with asyncio.timeout(visitor.patience):
                await enter()
        else:
            timer = loop.call_later(visitor.patience, cancel)
            try:
                await enter()
            finally:
                timer.cancel()
    except (asyncio.CancelledError, TimeoutError):
        if number not in log.went:
            log.gave_up[number] = clock()


def perform(scene, make=None):
    """Let the scene happen; return its log, its clock, and which of `rate` + 1 more may go on at once at the end.

    Those who stand accused, `make`, are spared the last. Whatever is wrong with the loop afterwards is raised.
    """
    clock, log = clock_of(scene.tick, scene.stalls, scene.start), Log({}, {}, {})

    async def main():
        limiter = (make or m.AsyncRateLimiter)(scene.rate, scene.per)
        async with asyncio.TaskGroup() as group:
            for number, visitor in enumerate(scene.visitors):
                group.create_task(visit(limiter, number, visitor, clock, log))
        await asyncio.sleep(scene.per + 2 * scene.tick)
        return None if make else [at_once(limiter) for _ in range(scene.rate + 1)]

    places = on(clock, main, early=scene.early, eager=scene.eager)
    return log, clock, places


def at_once(limiter):
    """Return whether the limiter lets one go on without waiting. Who would have to wait gives up."""
    attempt = limiter.acquire()
    try:
        attempt.send(None)
    except StopIteration:
        return True
    attempt.close()
    return False


def crowded(log, scene):
    """Return the pairs of visits, `rate` apart, that were closer together than `per` seconds."""
    times = [*log.went.values()]
    return [(a, b) for a, b in zip(times, times[scene.rate :], strict=False) if b - a < scene.per]


def overtaken(log):
    """Return whether somebody went before one who had come earlier."""
    return [*log.went] != [number for number in log.came if number in log.went]


def lateness(log, scene, clock):
    """Yield (number, seconds): how much later each went on, or gave up, than the law would have let it go on.

    Stalls of the loop in that time are not counted.
    """
    before = []  # when those went on who had come earlier
    for number, came in log.came.items():
        lawful = max(came, *before[-1:]) if before else came
        if len(before) >= scene.rate:
            lawful = max(lawful, before[-scene.rate] + scene.per)
        at = log.went.get(number, log.gave_up.get(number))
        yield number, at - lawful - clock.lost(lawful - 2 * scene.tick, at + scene.tick)
        if number in log.went:
            before.append(at)


def judge(scene, make=None):
    """Assert everything that a strict, fair and prompt limiter promises."""
    log, clock, places = perform(scene, make)
    assert len(log.went) + len(log.gave_up) == len(scene.visitors), "somebody is missing"
    assert not crowded(log, scene), "too many in a window"
    assert not overtaken(log), "not in order of arrival"
    for number, late in lateness(log, scene, clock):
        assert late <= 2 * scene.tick + 50 * clock.step, f"visitor {number} was kept waiting {late} s too long"
    assert scene.tick or clock.rounds < 50 + 20 * len(scene.visitors), "it asks again and again"
    if not make and not clock.stalled:
        assert places == [True] * scene.rate + [False], "a place was lost, or made up"


@st.composite
def scenes(draw, stalls=True, ticks=TICKS):
    per = draw(st.sampled_from([1.0, 0.25, 0.1, 1 / 3, 3]))
    moments = st.integers(0, 12).map(lambda n: n * per / 4) | st.floats(0, 3 * per, allow_subnormal=False)
    visitor = st.builds(
        Visitor,
        moments,
        st.none() | moments,
        st.sampled_from(["cancel", "timeout", "wait_for"]),
        st.integers(0, 3),
    )
    pauses = st.tuples(st.integers(0, 25), st.sampled_from([per / 10, 0.9 * per, per, 2.5 * per]))
    paused = draw(st.lists(pauses, max_size=8)) if stalls else []
    return Scene(
        rate=draw(st.integers(1, 4)),
        per=per,
        visitors=tuple(draw(st.lists(visitor, min_size=1, max_size=18))),
        tick=draw(st.sampled_from(ticks)),
        stalls=tuple(pause for gap, seconds in paused for pause in [*[0.0] * gap, seconds]),
        early=tuple(draw(st.lists(st.floats(0, 0.99), max_size=10))),
        eager=sys.version_info >= (3, 12) and draw(st.booleans()),
        start=draw(st.sampled_from([1000.0, 0.0, -1.5, 1e6 + 0.1, 1e9 / 3])),
    )


IMPATIENT = Visitor(patience=1.0, how="timeout")
GIVE_UP_TOGETHER = Scene(2, 1.0, (*[Visitor()] * 3, IMPATIENT, IMPATIENT, *[Visitor()] * 4))


@example(GIVE_UP_TOGETHER)
@given(scenes())
@often(300)
def test_the_limiter_keeps_its_law_whatever_happens(scene):
    judge(scene)


@given(scenes(stalls=False, ticks=[0.0]))
@often(120)
def test_on_an_exact_clock_nobody_waits_longer_than_the_law_asks(scene):
    judge(scene)


class Guide:
    """The guide's limiter, on the clock of the test."""

    def __init__(self, rate, per=1.0):
        self.rate, self.per, self.allowance, self.last_check = rate, per, rate, m.time.perf_counter()

    async def acquire(self):
        now = m.time.perf_counter()
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
        self.timer, now = None, m.time.perf_counter()
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
        now = m.time.perf_counter()
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
            judge(scene, make)
        except AssertionError as error:
            return verdict in str(error)
        except Exception:
            return False
        return False

    search = hypothesis.settings(STEADY, max_examples=2000, phases=[hypothesis.Phase.generate])
    hypothesis.find(scenes(stalls=stalls, ticks=ticks), convicted, settings=search)


def test_the_guides_limiter_lets_everybody_through():
    scene = Scene(5, 1.0, (Visitor(),) * 100)
    log, _, _ = perform(scene, Guide)
    assert max(log.went.values()) - min(log.went.values()) < 0.5  # the law asks for 19 s
    log, _, _ = perform(scene)
    assert max(log.went.values()) - min(log.went.values()) == pytest.approx(19, abs=0.01)


def test_a_stall_between_wake_up_and_going_on_lets_nobody_more_through():
    # Everybody is woken, then the loop stalls for most of a second: the next second begins when they go on.
    scene = Scene(10, 1.0, (Visitor(),) * 40, stalls=(*[0.0] * 41, *[0.09] * 30))
    log, clock, _ = perform(scene)
    assert clock.stalled and not crowded(log, scene) and not overtaken(log)
    assert crowded(perform(scene, StampsWhenWoken)[0], scene)


# ---------------------------------------------------------------- AsyncRateLimiter: cases


def test_a_newcomer_does_not_overtake_who_has_been_woken():
    order = []

    async def main():
        limiter = m.AsyncRateLimiter(2, 1.0)

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

    on(clock := Clock(), main)
    assert order == [*"abcd"]


@pytest.mark.parametrize("hops", range(5))
@pytest.mark.parametrize("victims", [[2], [3], [2, 3], [4, 2], range(2, 8)])
@pytest.mark.parametrize("tick", TICKS)
def test_who_gives_up_at_the_very_moment_takes_nothing_and_delays_nobody(hops, victims, tick):
    visitors = [Visitor(patience=1.0 if n in victims else None, hops=hops) for n in range(12)]
    scene = Scene(2, 1.0, tuple(visitors), tick)
    judge(scene)
    judge(Scene(2, 1.0, tuple(visitors), tick, stalls=(*[0.0] * 14, 1.2)))


def test_after_exactly_the_period_a_place_is_free_and_not_before():
    async def main():
        limiter = m.AsyncRateLimiter(1, 1.0)
        assert at_once(limiter)
        clock.stall(1.0 - 2**-20)
        assert not at_once(limiter)
        clock.stall(2**-20)
        assert at_once(limiter)

    clock = Clock()
    on(clock, main)


def test_half_of_those_who_wait_give_up_and_the_rest_go_at_the_full_rate():
    scene = Scene(10, 1.0, tuple(Visitor(patience=0.5 if n % 2 and n > 10 else None) for n in range(200)))
    log, _, _ = perform(scene)
    assert len(log.gave_up) == 95
    assert max(log.went.values()) - min(log.went.values()) == pytest.approx(10, abs=0.01)  # 105 of them


def test_a_waiter_may_be_cancelled_again_and_again():
    async def main():
        limiter = m.AsyncRateLimiter(1, 1.0)
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
    assert on(clock, main) == pytest.approx(1001, abs=0.001)


def test_an_error_in_the_body_gets_out_and_keeps_its_place_taken():
    async def main():
        limiter = m.AsyncRateLimiter(1, 1.0)
        with pytest.raises(Poison):
            async with limiter:
                raise Poison
        assert not at_once(limiter)

    on(Clock(), main)


def test_a_coroutine_that_never_runs_takes_nothing():
    async def main():
        limiter = m.AsyncRateLimiter(1, 1.0)
        limiter.acquire().close()
        task = asyncio.ensure_future(limiter.acquire())
        task.cancel()  # before its first step
        await asyncio.wait([task])
        assert at_once(limiter)

    on(Clock(), main)


def test_who_is_destroyed_while_waiting_leaves_the_line():
    """With others behind it, before and after it has been woken."""

    async def main():
        limiter = m.AsyncRateLimiter(1, 1.0)
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

    on(Clock(), main)


def test_one_limiter_serves_one_loop_after_the_other():
    clock = Clock()
    limiter = m.AsyncRateLimiter(3, 1.0)  # outside any loop

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
    limiter = m.AsyncRateLimiter(4, 0.05)
    times = []

    async def one():
        async with limiter:
            times.append(limiter.went[-1])

    async def main():
        async with asyncio.TaskGroup() as group:
            for _ in range(6):
                group.create_task(one())
        abandoned = [asyncio.ensure_future(limiter.acquire()) for _ in range(20)]
        await asyncio.sleep(0.01)
        return abandoned  # asyncio.run cancels them

    for _ in range(3):
        asyncio.run(main())
    asyncio.run(asyncio.wait_for(main(), 5))
    assert len(times) == 24
    assert all(b - a >= 0.05 for a, b in zip(times, times[4:], strict=False))


@pytest.mark.parametrize("eager", [False, pytest.param(True, marks=pytest.mark.skipif("sys.version_info < (3, 12)"))])
def test_gather_groups_time_outs_and_eager_tasks_can_use_it(eager):
    async def main():
        loop = asyncio.get_running_loop()
        limiter = m.AsyncRateLimiter(2, 1.0)
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

    on(Clock(), main, eager=eager)


def test_it_limits_who_needs_no_wait_at_all_and_never_blocks_the_loop():
    async def main():
        limiter = m.AsyncRateLimiter(1000, 1.0)
        for _ in range(3000):
            await limiter.acquire()
        return clock()

    clock = Clock()
    assert on(clock, main) == pytest.approx(1002, abs=0.01)


def test_it_does_not_drift():
    """10,000 at 100/s take 99 s: late timers are not added up, although each fires a millisecond late."""

    async def main():
        limiter = m.AsyncRateLimiter(100, 1.0)
        await asyncio.gather(*(limiter.acquire() for _ in range(10_000)))
        return clock()

    clock = Clock(step=1e-6, resolution=0.001)
    assert on(clock, main) - 1000 == pytest.approx(99, rel=0.005)


@pytest.mark.parametrize("skew", [0.9, 0.999, 1.001, 1.1])
def test_the_loops_clock_may_run_at_another_speed(skew):
    """The law holds by the limiter's clock; timers that fire too soon by it are set again, and do not spin."""
    clock = Clock()
    times = []

    async def main():
        limiter = m.AsyncRateLimiter(5, 1.0)

        async def one():
            async with limiter:
                times.append(m.time.perf_counter())

        await asyncio.gather(*(one() for _ in range(100)))

    with mock.patch.object(m, "time", mock.Mock(perf_counter=lambda: clock.now * skew)):
        play(main, clock)
    assert all(b - a >= 1.0 for a, b in zip(times, times[5:], strict=False))
    assert times[-1] - times[0] == pytest.approx(19, rel=0.11)
    assert clock.rounds < 1000


def test_after_ctrl_c_it_can_be_used_again():
    limiter = m.AsyncRateLimiter(2, 0.05)

    def interrupt():
        raise KeyboardInterrupt

    async def main():
        asyncio.get_running_loop().call_later(0.01, interrupt)
        await asyncio.gather(*(limiter.acquire() for _ in range(10)))

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())

    async def again():
        async with asyncio.timeout(5):
            await asyncio.gather(*(limiter.acquire() for _ in range(5)))

    asyncio.run(again())


@pytest.mark.parametrize("rate", [0, -1, 2.5, 5.0, float("nan"), float("inf"), "5", None, [5], 1j])
def test_a_bad_rate_is_refused_with_what_to_write(rate):
    with pytest.raises(ValueError, match=r"rate .*whole number from 1") as caught:
        m.AsyncRateLimiter(rate)
    assert repr(rate) in str(caught.value)


@pytest.mark.parametrize("per", [0, -1, 0.0, -0.0, float("nan"), float("inf"), -float("inf"), "1", None, [1.0], 1j])
def test_a_bad_period_is_refused_with_what_to_write(per):
    with pytest.raises(ValueError, match=r"per .*seconds above 0") as caught:
        m.AsyncRateLimiter(5, per)
    assert repr(per) in str(caught.value)


@pytest.mark.parametrize("rate, per", [(1, 1), (1, 1e-9), (10**9, 1.0), (1, 1e300), (3, 0.1), (2, 86_400 * 365)])
def test_odd_but_lawful_numbers_work(rate, per):
    async def main():
        limiter = m.AsyncRateLimiter(rate, per)
        await limiter.acquire()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.gather(limiter.acquire(), limiter.acquire())
        return limiter

    on(Clock(), main)
    with contextlib.suppress(ValueError):
        m.AsyncRateLimiter(True, True)


def test_ten_thousand_wait_in_real_time():
    limiter, times, order = m.AsyncRateLimiter(2000, 0.05), [], []

    async def one(number):
        async with limiter:
            times.append(limiter.went[-1])  # not the time now: the process may just have been made to wait
            order.append(number)

    async def main():
        async with asyncio.TaskGroup() as group:
            for number in range(10_000):
                group.create_task(one(number))

    asyncio.run(main())
    assert order == [*range(10_000)]
    assert all(b - a >= 0.05 for a, b in zip(times, times[2000:], strict=False))


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
            limiter = m.AsyncRateLimiter(rate, per)
            await asyncio.gather(*(limiter.acquire() for _ in range(waiters)))

        on(Clock(), main)

    assert processor(lambda: work(10_000)) < 40 * processor(lambda: work(1_000))


@pytest.mark.parametrize("order", ["first to last", "last to first", "all at once"])
def test_the_cost_of_giving_up_grows_with_the_number_of_those_who_do_not_faster(order):
    def work(waiters):
        async def main():
            limiter = m.AsyncRateLimiter(1, 1.0)
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

        on(Clock(), main)

    assert processor(lambda: work(10_000)) < 40 * processor(lambda: work(1_000))


def test_nothing_is_kept_of_a_hundred_thousand_who_gave_up():
    async def main():
        limiter = m.AsyncRateLimiter(2, 1e6)
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

    held = on(Clock(), main)
    assert max(held[50:]) - max(held[10:20]) < 2000, held


# ---------------------------------------------------------------- producer and consumer


@dataclass(frozen=True)
class Job:
    """An item's work takes `seconds`, in `rounds` awaits, and then ends as `end` says."""

    seconds: float = 0.0
    # or "raises", "swallows" (a cancellation), "trips" (over one), "is cancelled" (by somebody else), "yields not"
    end: str = "done"


@dataclass
class Floor:
    """What is seen of a run: which items were sent, begun and ended, and the consumers' tasks, queue and book."""

    sent: list = field(default_factory=list)
    begun: list = field(default_factory=list)
    ended: list = field(default_factory=list)
    crew: list = field(default_factory=list)
    queue: asyncio.Queue | None = None
    book: object = None

    def send(self, jobs):
        for number in range(len(jobs)):
            self.sent.append(number)
            yield number

    def handler(self, jobs):
        async def handle(number):
            self.begun.append(number)
            job = jobs[number]
            try:
                if job.end == "yields not":
                    return -number
                await asyncio.sleep(job.seconds)
                if job.end == "raises":
                    raise Poison(number)
                if job.end == "is cancelled":
                    nothing = asyncio.get_running_loop().create_future()
                    nothing.cancel()
                    await nothing
            except asyncio.CancelledError:
                if job.end == "trips":
                    raise Poison(number) from None
                if job.end != "swallows":
                    raise
            finally:
                self.ended.append(number)
            return -number

        return handle

    @contextlib.contextmanager
    def seen(self):
        """Look at what is handed to the consumers, and at their tasks."""
        consumer = m.consumer

        async def look(name, queue, handle, book):
            self.queue, self.book = queue, book
            self.crew.append(asyncio.current_task())
            await consumer(name, queue, handle, book)

        with mock.patch.object(m, "consumer", look):
            yield

    def check(self, jobs, producers=1):
        """Assert that each item that was sent stands in exactly one place."""
        book, queue = self.book, self.queue
        places = Counter(
            [item for item, _ in book.done] + [item for item, _ in book.failed] + book.left + list(queue._queue)
        )
        assert not [item for item, times in places.items() if times > 1], "an item stands in two places"
        missing = [item for item in self.sent if item not in places]
        assert len(missing) <= producers, "items were lost"  # a producer held one when it was cancelled
        assert not set(missing) & set(self.begun), "an item was lost"
        assert sorted(self.begun) == sorted(set(self.begun)), "an item was done twice"
        assert set(self.begun) == set(self.ended), "somebody is at work still"
        assert set(self.begun) == set(places) - set(queue._queue)
        for item, result in book.done:
            assert result == -item and jobs[item].end in ("done", "swallows", "trips", "yields not")
        for item, error in book.failed:
            assert jobs[item].end in ("raises", "trips", "is cancelled") and isinstance(error, Exception)


ENDS = ["done", "done", "done", "raises", "swallows", "trips", "is cancelled", "yields not"]
SECONDS = st.sampled_from([0.0, 0.001, 0.5, 1.0]) | st.floats(0, 2)
JOBS = st.lists(st.builds(Job, SECONDS, st.sampled_from(ENDS)), max_size=15).map(tuple)
STALLS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from([0.5, 1.0, 3.0])), max_size=4).map(
    lambda some: [pause for gap, seconds in some for pause in [*[0.0] * gap, seconds]]
)


def example_run(items, handle, consumers=2, size=5, **options):
    """Run the example with a queue of that size."""
    return m.producer_consumer_example(items, handle, consumers=consumers, queue=asyncio.Queue(size), **options)


@given(JOBS, st.integers(1, 3), st.integers(1, 4), st.integers(0, 4), STALLS, st.sampled_from([0.0, 0.0, 0.3]))
@often(140)
def test_each_item_is_done_or_failed_and_the_end_comes_at_once(jobs, producers, consumers, size, stalls, pause):
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

        book = await example_run(floor.send(jobs), timed, consumers, size, producers=producers, pause=pause)
        assert not jobs or clock.now - last <= 1e-4 + clock.lost(last, clock.now), "idle at the end"
        return book

    with floor.seen():
        book = on(clock, main)
    assert book is floor.book
    floor.check(jobs)
    assert len(book.done) + len(book.failed) == len(jobs) == len(floor.sent)
    assert not book.left and not floor.queue.qsize()
    assert not floor.queue._unfinished_tasks
    if producers == consumers == 1:
        assert floor.begun == sorted(floor.begun)


@given(
    JOBS,
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(0, 4),
    STALLS,
    st.floats(0, 6) | st.integers(0, 6),
    st.integers(0, 4),
)
@often(140)
def test_when_the_whole_run_is_cancelled_each_item_is_accounted_for(
    jobs, producers, consumers, size, stalls, when, hops
):
    floor, clock = Floor(), Clock(stalls=stalls)

    async def main():
        loop = asyncio.get_running_loop()

        def cancel(hops):
            if hops:
                loop.call_soon(cancel, hops - 1)
            else:
                run.cancel()

        run = asyncio.ensure_future(
            example_run(floor.send(jobs), floor.handler(jobs), consumers, size, producers=producers)
        )
        timer = loop.call_later(when, cancel, hops)
        await asyncio.wait([run])
        timer.cancel()
        return run

    with floor.seen():
        run = on(clock, main)
    assert run.cancelled() or len(floor.book.done) + len(floor.book.failed) == len(jobs)
    if floor.book:  # a consumer began
        floor.check(jobs, producers)


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
        book = await example_run(floor.send(jobs), floor.handler(jobs), consumers, size)
        for timer in timers:
            timer.cancel()
        return book

    with floor.seen():
        book = on(clock, main)
    floor.check(jobs)
    assert len(book.done) + len(book.failed) + len(book.left) == len(jobs)
    assert len(book.left) <= len(cancels)


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
            await m.producer_consumer_example(failing(floor.send(jobs), error), floor.handler(jobs))
        return leaves(caught.value)

    with floor.seen():
        assert on(Clock(), main) == [error]
    if floor.book:
        floor.check(jobs)


def test_no_items_are_done_at_once():
    async def main():
        book = await m.producer_consumer_example([], Floor().handler([]))
        assert book.done == book.failed == book.left == []
        return clock()

    clock = Clock()
    assert on(clock, main) == pytest.approx(1000, abs=0.001)


@pytest.mark.parametrize("crew", [{"consumers": 0}, {"consumers": -1}, {"producers": 0}, {"producers": -1}])
@pytest.mark.parametrize("items", [0, 1, 20])
def test_without_a_producer_or_a_consumer_it_says_so_instead_of_hanging(crew, items):
    with pytest.raises(ValueError, match=" ".join(f"{number} {who}" for who, number in crew.items())):
        on(Clock(), lambda: m.producer_consumer_example(range(items), Floor().handler(()), **crew))


def test_a_book_and_a_queue_of_ones_own_are_used_though_empty():
    queue, book = asyncio.Queue(3), m.Book()

    async def main():
        jobs = [Job(1.0)] * 9
        async with asyncio.timeout(2.5):
            await m.producer_consumer_example(Floor().send(jobs), Floor().handler(jobs), queue=queue, book=book)

    with pytest.raises(TimeoutError):
        on(Clock(), main)
    assert sorted(book.done) == [(n, -n) for n in range(4)]
    assert sorted(book.left) == [4, 5] and list(queue._queue) == [6, 7, 8]  # a group cancels in any order


def test_a_queue_without_a_bound_works():
    jobs = [Job(0.01)] * 100
    floor = Floor()
    with floor.seen():
        on(Clock(), lambda: example_run(floor.send(jobs), floor.handler(jobs), 3, size=0))
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
        await example_run(range(10), handle, 1, 2)

    with floor.seen(), pytest.raises(BaseException) as caught:
        on(Clock(), main)
    assert all(isinstance(error, end) for error in leaves(caught.value))
    assert [item for item, _ in floor.book.done] == [0, 1, 2]
    assert floor.book.left == [3]


def test_a_consumer_that_is_thrown_away_says_what_is_left():
    async def main():
        queue, book = asyncio.Queue(), m.Book()
        queue.put_nowait("item")
        alone = m.consumer("me", queue, lambda item: asyncio.sleep(1), book)
        alone.send(None)
        alone.close()
        assert book.left == ["item"] and not queue._unfinished_tasks

    with contextlib.suppress(Unheard):  # its sleep's timer is still there
        on(Clock(), main)


def test_work_that_somebody_else_cancelled_is_a_failure_not_the_end_of_the_consumer():
    jobs = [Job(0.1, "is cancelled")] * 20
    floor = Floor()
    with floor.seen():
        book = on(Clock(), lambda: m.producer_consumer_example(floor.send(jobs), floor.handler(jobs)))
    floor.check(jobs)
    assert len(book.failed) == 20
    for _, error in book.failed:
        assert isinstance(error, RuntimeError) and "cancelled" in str(error)
        assert isinstance(error.__cause__, asyncio.CancelledError)


@pytest.mark.parametrize("end", ["swallows", "trips"])
def test_work_that_loses_its_cancellation_cannot_keep_a_run_alive(end):
    jobs = [Job(1.0, end)] * 3
    floor = Floor()

    async def main():
        async with asyncio.timeout(0.5):
            await example_run(floor.send(jobs), floor.handler(jobs), 2)

    with floor.seen(), pytest.raises(TimeoutError):
        on(Clock(), main)
    floor.check(jobs)


# ---------------------------------------------------------------- stage and pipeline


@dataclass
class Line:
    """A pipeline of stages that add to an item's record; it counts the items that are under way."""

    read: int = 0
    through: int = 0
    most: int = 0
    running: int = 0

    def source(self, items):
        for item in items:
            self.read += 1
            self.most = max(self.most, self.read - self.through)
            yield item

    def stage(self, number, last, seconds, error=None):
        async def function(item):
            self.running += 1
            try:
                await asyncio.sleep(seconds(item[0], number))
                if error and error[0] == (item[0], number):
                    raise error[1]
            finally:
                self.running -= 1
            if last:
                self.through += 1
            return (*item, number)

        return function


def stages(line, workers, seconds, error=None):
    """Return the stages of a pipeline, with so many workers each."""
    return [
        (line.stage(number, number == len(workers) - 1, seconds, error), crew) for number, crew in enumerate(workers)
    ]


def some_seconds(seed):
    """Return a function that gives the seconds which an item takes in a stage: anything, but always the same."""
    choices = (0.0, 0.0, 0.001, 0.25, 1.0)
    return lambda item, number: choices[hash((seed, item, number)) % len(choices)]


WORKERS = st.lists(st.integers(1, 4), max_size=4)


@given(st.integers(0, 25), WORKERS, st.integers(0, 4), st.integers(0, 10_000), STALLS)
@often(140)
def test_what_goes_into_a_pipeline_comes_out_once_and_is_not_read_ahead(items, workers, size, seed, stalls):
    line = Line()

    async def main():
        source = line.source((n,) for n in range(items))
        return await m.pipeline(source, *stages(line, workers, some_seconds(seed)), size=size)

    results = on(Clock(stalls=stalls), main)
    expected = [(n, *range(len(workers))) for n in range(items)]
    assert sorted(results) == expected
    if all(each == 1 for each in workers):
        assert results == expected
    if workers and size:
        assert line.most <= size * len(workers) + sum(workers) + 1  # one in the producer's hand
    assert line.running == 0


@given(
    st.integers(1, 25),
    WORKERS.filter(bool),
    st.integers(0, 3),
    st.integers(0, 10_000),
    st.sampled_from([Poison("here"), Stop("here"), asyncio.CancelledError("here")]),
    st.data(),
)
@often(120)
def test_a_stage_that_fails_ends_the_pipeline_at_once(items, workers, size, seed, error, data):
    at = data.draw(st.integers(0, items - 1)), data.draw(st.integers(0, len(workers) - 1))
    line, clock = Line(), Clock()
    raised = None

    def seconds(item, number):
        return some_seconds(seed)(item, number)

    async def main():
        with pytest.raises(BaseException) as caught:
            source = line.source((n,) for n in range(items))
            await m.pipeline(source, *stages(line, workers, seconds, (at, error)), size=size)
        return caught.value

    raised = on(clock, main)
    if isinstance(error, asyncio.CancelledError):
        assert raised is not None  # whatever it is, it is no silence
    else:
        assert leaves(raised) == [error]
    assert line.running == 0


def test_a_failing_stage_does_not_wait_for_slow_ones():
    line, clock = Line(), Clock()

    async def main():
        with pytest.raises(ExceptionGroup):
            two = stages(line, [2, 2], lambda item, number: HOUR if item == 0 else 1, ((1, 1), Poison()))
            await m.pipeline(line.source((n,) for n in range(100)), *two)
        return clock()

    assert on(clock, main) == pytest.approx(1002, abs=0.01)


@given(st.integers(1, 20), WORKERS, st.integers(0, 3), st.integers(0, 10_000), st.floats(0, 6), STALLS)
@often(120)
def test_a_pipeline_that_is_cancelled_leaves_nobody(items, workers, size, seed, when, stalls):
    line = Line()

    async def main():
        source = line.source((n,) for n in range(items))
        run = asyncio.ensure_future(m.pipeline(source, *stages(line, workers, some_seconds(seed)), size=size))
        await asyncio.wait([run], timeout=when)
        run.cancel()
        await asyncio.wait([run])
        assert run.cancelled() or len(run.result()) == items

    on(Clock(stalls=stalls), main)
    assert line.running == 0


@pytest.mark.parametrize("error", [Poison(), Stop(), KeyError()])
@pytest.mark.parametrize("before", [0, 1, 30])
def test_an_error_of_the_pipelines_source_gets_out(error, before):
    line = Line()

    async def main():
        with pytest.raises(BaseException) as caught:
            source = failing(((n,) for n in range(before)), error)
            await m.pipeline(source, *stages(line, [2, 3], lambda *_: 0.5), size=2)
        return caught.value

    assert leaves(on(Clock(), main)) == [error]
    assert line.running == 0


@pytest.mark.parametrize("items", [0, 3, 30])
@pytest.mark.parametrize("workers", [0, -1])
def test_a_stage_without_a_worker_is_refused(items, workers):
    line = Line()

    async def main():
        await m.pipeline([(n,) for n in range(items)], *stages(line, [1, workers], lambda *_: 0.5), size=2)

    with pytest.raises((ValueError, ExceptionGroup)) as caught:
        on(Clock(), main)
    assert [type(error) for error in leaves(caught.value)] == [ValueError]
    assert "workers" in str(leaves(caught.value)[0])


def test_a_pipeline_carries_whatever_there_is():
    async def same(item):
        await asyncio.sleep(0)
        return item

    items = [None, False, 0, "", [], [], {}, ..., object(), StopIteration(), StopAsyncIteration, m.Book()]
    for size in (1, 2, 100):
        for workers in (1, 1), (1,), ():
            results = on(Clock(), lambda w=workers, s=size: m.pipeline(items, *[(same, n) for n in w], size=s))
            assert all(a is b for a, b in zip(results, items, strict=True))
        results = on(Clock(), lambda s=size: m.pipeline(items, (same, 50), (same, 3), size=s))
        assert sorted(map(id, results)) == sorted(map(id, items))


def test_any_callable_may_be_a_stage():
    from functools import partial

    class Adds:
        async def __call__(self, item):
            return item + 1

    async def add(amount, item):
        return item + amount

    results = on(Clock(), lambda: m.pipeline(range(5), (partial(add, 10), 1), (Adds(), 1)))
    assert results == [11, 12, 13, 14, 15]


def test_a_pipeline_takes_as_long_as_its_slowest_stage():
    line = Line()
    seconds = {0: 1.0, 1: 3.0, 2: 1.0}

    async def main():
        three = stages(line, [1, 3, 1], lambda item, number: seconds[number])
        await m.pipeline(((n,) for n in range(60)), *three, size=2)
        return clock()

    clock = Clock()
    assert on(clock, main) - 1000 == pytest.approx(60 + 1 + 3, abs=0.1)


def test_work_that_somebody_else_cancelled_does_not_vanish_from_a_pipeline():
    line = Line()

    async def main():
        one = stages(line, [1], lambda *_: 0.1, ((2, 0), asyncio.CancelledError()))
        return await m.pipeline([(n,) for n in range(40)], *one)

    with pytest.raises(BaseException) as caught:
        on(Clock(), main)
    assert not isinstance(caught.value, Hangs)


async def swallows(item):
    """Takes a second, and does not stop when it is cancelled."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(1)
    return item


def test_a_pipeline_ends_though_its_work_swallows_the_cancellation():
    async def main():
        async with asyncio.timeout(0.5):
            await m.pipeline(range(30), (swallows, 1), (swallows, 2))

    with pytest.raises(TimeoutError):
        on(Clock(), main)


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


def test_a_worker_that_swallowed_its_cancellation_takes_no_more():
    begun = []

    async def work(item):
        begun.append(item)
        if item == 0:
            await asyncio.sleep(0.5)
            raise Poison
        return await swallows(item)

    with pytest.raises(ExceptionGroup):
        on(Clock(), lambda: m.bounded_map(work, range(30), 3))
    assert begun == [0, 1, 2]


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


@pytest.mark.parametrize("limit", [0, -1, -(10**9), 2.5, float("nan"), float("inf"), "5", None, [1]])
def test_a_bad_limit_is_refused_before_anything_is_read(limit):
    work = Work()
    with pytest.raises(ValueError, match="limit") as caught:
        on(Clock(), lambda: m.bounded_map(work, work.items([1]), limit))
    assert repr(limit) in str(caught.value)
    assert work.read == work.begun == 0


@pytest.mark.parametrize("limit", [3, 4, 1000, 10**9, sys.maxsize])
def test_a_huge_limit_costs_nothing(limit):
    work = Work()
    began = time.process_time()
    assert on(Clock(), lambda: m.bounded_map(work, [(n, 1.0) for n in range(3)], limit)) == [0, -1, -2]
    assert time.process_time() - began < 0.5
    assert work.peak == 3


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


def test_work_that_somebody_else_cancelled_leaves_no_hole_in_the_results():
    for limit in (1, 2, 10):
        work = Work()
        items = [(n, asyncio.CancelledError() if n == 2 else 0.05) for n in range(6)]
        with pytest.raises(BaseException) as caught:
            on(Clock(), lambda items=items, limit=limit, work=work: m.bounded_map(work, items, limit))
        assert not isinstance(caught.value, Hangs)
        assert work.running == 0


def test_a_hundred_thousand_items_need_no_memory_but_for_their_results():
    async def nothing(item):
        await asyncio.sleep(0)

    async def main():
        await m.bounded_map(nothing, range(1000), 100)
        tracemalloc.start()
        try:
            results = await m.bounded_map(nothing, range(100_000), 100)
            return tracemalloc.get_traced_memory()[1], sys.getsizeof(results), len(results)
        finally:
            tracemalloc.stop()

    peak, size, length = asyncio.run(main())
    assert length == 100_000
    assert peak < size * 2.2 + 2**20  # a list that grows is copied


# ---------------------------------------------------------------- groups, as the chapter claims they are


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
