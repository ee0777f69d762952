"""Rate limiters: the two that chapter 3 teaches, for few and for many in line, beside those that a user would pick.

    python tests/benchmarks/rate_limiters.py [--effort quick]

The limiters take turns. A limiter is asked by many tasks at once; each notes the time at which it was let through.
The rate reached is `per` over the time in which the last `rate` of them went, whether a limiter lets a whole window
through at once or spaces it evenly. A bucket that lets twice the rate through at first gains nothing by that here.
On a busy loop another task needs a millisecond a turn: a limiter that lets one through a turn stays below the rate.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from bisect import bisect, insort
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import bench
from bench import Column, Row, Section, count, peer, share

from asynclab.counting import most_in_window
from asynclab.page.numbers import duration, ratio
from asynclab.taught import taught

chapter, deeper = taught(3), taught("03_concurrency_patterns_deeper")
Acquire = Callable[[], Awaitable[object]]


@dataclass
class Way:
    """A limiter: `make(rate, per)` returns what is awaited before each step; or `run(go, n, rate, per)` does it all."""

    module: str
    make: Callable[[int, float], Acquire] | None = None
    plenty: int = 10**6  # a rate at which nobody waits
    run: Callable | None = None


# How to use each of them. The import is the function's own: a peer that is missing is left out.


def ours(rate: int, per: float) -> Acquire:
    return chapter.AsyncRateLimiter(rate, per).acquire


def in_line(rate: int, per: float) -> Acquire:
    return deeper.LineRateLimiter(rate, per).acquire


def aiolimiter(rate: int, per: float) -> Acquire:
    return peer("aiolimiter").AsyncLimiter(rate, per).acquire


def aiolimiter_even(rate: int, per: float) -> Acquire:
    return peer("aiolimiter").AsyncLimiter(1, per / rate).acquire


def asynciolimiter(rate: int, per: float) -> Acquire:
    return peer("asynciolimiter").Limiter(rate / per).wait


def asynciolimiter_strict(rate: int, per: float) -> Acquire:
    return peer("asynciolimiter").StrictLimiter(rate / per).wait


def asynciolimiter_bucket(rate: int, per: float) -> Acquire:
    return peer("asynciolimiter").LeakyBucketLimiter(rate / per, capacity=rate).wait


def throttler(rate: int, per: float) -> Acquire:
    return peer("throttler").Throttler(rate, per).__aenter__


def asyncio_throttle(rate: int, per: float) -> Acquire:
    return peer("asyncio_throttle").Throttler(rate, per).acquire


def pyrate(rate: int, per: float) -> Acquire:
    library = peer("pyrate_limiter")
    bucket = library.InMemoryBucket([library.Rate(rate, round(per * 1000))])
    # schedule_leak: without the thread that it starts for each limiter to forget what is old.
    return library.Limiter(library.SingleBucketFactory(bucket, schedule_leak=False)).try_acquire_async


def limits_polled(rate: int, per: float) -> Acquire:
    library, aio = peer("limits"), peer("limits.aio")
    unit = library.limits.Granularity(per, f"{per} s")
    item = type("Item", (library.RateLimitItem,), {"GRANULARITY": unit})(rate)
    limiter = aio.strategies.MovingWindowRateLimiter(aio.storage.MemoryStorage())

    async def acquire() -> None:
        while not await limiter.hit(item):  # noqa: ASYNC110 it only says yes or no
            await asyncio.sleep(0.01)

    return acquire


async def aiometer(go: Callable, n: int, rate: int, per: float) -> None:
    await peer("aiometer").run_on_each(go, range(n), max_per_second=rate / per)


def futures(rate: int, per: float) -> Acquire:
    """Return what lets `rate` go at once and all others after `per`: the least that any limiter has to do."""
    loop, waiting, went = asyncio.get_running_loop(), [], itertools.count()
    loop.call_later(per, lambda: [future.set_result(None) for future in waiting])

    async def acquire() -> None:
        if next(went) >= rate:
            waiting.append(loop.create_future())
            await waiting[-1]

    return acquire


OURS, LINE, BARE = "AsyncRateLimiter", "LineRateLimiter", "task, future, timer alone"
FUTURES = Way("asyncio", futures)
WAYS = {
    OURS: Way("asyncio", ours),
    LINE: Way("asyncio", in_line),
    "aiolimiter (r, 1)": Way("aiolimiter", aiolimiter),
    "aiolimiter (1, 1/r)": Way("aiolimiter", aiolimiter_even, plenty=10**9),
    "asynciolimiter Limiter": Way("asynciolimiter", asynciolimiter, plenty=10**9),
    "asynciolimiter Strict": Way("asynciolimiter", asynciolimiter_strict, plenty=10**9),
    "asynciolimiter LeakyBucket": Way("asynciolimiter", asynciolimiter_bucket),
    "throttler": Way("throttler", throttler),
    "asyncio-throttle": Way("asyncio_throttle", asyncio_throttle),
    "pyrate-limiter": Way("pyrate_limiter", pyrate),
    "limits, polled": Way("limits", limits_polled),
    "aiometer": Way("aiometer", run=aiometer),
}


@dataclass(frozen=True)
class Sizes:
    rate: int  # of the runs that look at the windows, in `per` seconds
    high: int  # the rate of the run with many
    per: float  # seconds; less where only the processor's time counts, or the windows of a loop that stalls
    waiters: tuple[int, ...]  # waiting for one limiter
    tasks: int  # in a run that measures processor time
    turns: int


_USUAL = Sizes(rate=100, high=2_000, per=1.0, waiters=(10, 100, 1_000, 10_000), tasks=2_000, turns=2)
SIZES = {
    "long": replace(_USUAL, turns=5),
    "usual": _USUAL,
    "quick": replace(_USUAL, rate=50, high=1_000, per=0.5, tasks=1_000, turns=1),
    "tiny": Sizes(rate=6, high=20, per=0.05, waiters=(5, 20), tasks=20, turns=1),
}


class Run:
    """`n` tasks ask one limiter; `went` is who was let through (by the order in which they came), and when."""

    def __init__(self, way: Way, n: int, rate: int, per: float, work: Callable[[], None] | None = None):
        self.way, self.n, self.rate, self.per, self.work = way, n, rate, per, work
        self.went: list[tuple[int, float]] = []

    async def go(self, number: int) -> None:
        self.went.append((number, time.perf_counter()))
        if self.work:
            self.work()

    async def all(self, cancel: bool = False, patience: float | None = None) -> Run:
        """Let all go, or those that can within `patience` seconds; `cancel` cancels half of those that wait at once."""
        jobs = asyncio.create_task(self._all(cancel))
        await asyncio.wait([jobs], timeout=patience)
        self.ended = time.perf_counter()
        if jobs.done():
            jobs.result()  # which raises what went wrong
        jobs.cancel()
        await asyncio.gather(jobs, return_exceptions=True)
        return self

    async def _all(self, cancel: bool) -> None:
        if self.way.run:
            await self.way.run(self.go, self.n, self.rate, self.per)
            return
        acquire = self.way.make(self.rate, self.per)

        async def one(number: int) -> None:
            await acquire()
            await self.go(number)

        tasks = [asyncio.create_task(one(number)) for number in range(self.n)]
        if cancel:
            await asyncio.sleep(self.per / 20)
            for task in [task for task in tasks if not task.done()][::2]:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=cancel)

    @property
    def most(self) -> int:
        return most_in_window([moment for _, moment in self.went], self.per)

    @property
    def reached(self) -> float:
        """The rate that was reached at the end, as a share of the limit."""
        moments = sorted(moment for _, moment in self.went)
        last = min(self.rate, len(moments) - 1)  # fewer went if patience came to its end
        end = moments[-1] if len(moments) == self.n else self.ended
        return last / self.rate * self.per / (end - moments[-1 - last])

    @property
    def inversions(self) -> int:
        """How many pairs went in the other order than they came."""
        before: list[int] = []
        found = 0
        for number, _ in self.went:
            found += len(before) - bisect(before, number)
            insort(before, number)
        return found


def stalls(seed: int) -> Callable[[], None]:
    """Return work that holds the loop now and then, as a callback that computes does."""
    chance = random.Random(seed)
    return lambda: time.sleep(chance.uniform(0.001, 0.03)) if chance.random() < 0.1 else None


async def stalling(run: Run) -> Run:
    """Do a run on a loop that something else holds, too, for up to 80 ms at a time."""
    chance = random.Random(run.rate)

    async def hold() -> None:
        while True:
            time.sleep(chance.uniform(0, 0.08 * run.per))
            await asyncio.sleep(chance.uniform(0, 0.04 * run.per))

    holder = asyncio.create_task(hold())
    await run.all()
    holder.cancel()
    return run


async def busy(run: Run) -> Run:
    """Do a run on a loop on which another task computes for a millisecond a turn."""

    async def compute() -> None:
        while True:
            until = time.perf_counter() + 0.001
            while time.perf_counter() < until:
                pass
            await asyncio.sleep(0)

    computing = asyncio.create_task(compute())
    await run.all(patience=2.6 * run.per)
    computing.cancel()
    return run


async def leaving(way: Way, callers: int) -> float | None:
    """Return the seconds that one of `callers` takes to give up, if all do, the last in line first."""
    if not way.make:
        return None
    acquire = way.make(1, 10.0)
    await acquire()
    tasks = [asyncio.create_task(acquire()) for _ in range(callers)]
    for _ in range(4):
        await asyncio.sleep(0)  # until all have asked
    began = time.perf_counter()
    for task in reversed(tasks):
        task.cancel()
    await asyncio.wait(tasks)
    return (time.perf_counter() - began) / callers


async def processor_time(way: Way, waiting: int, tasks: int, per: float) -> float:
    """Return the processor time of an acquire in seconds, its task included, with `waiting` tasks at each limiter.

    There are as many limiters as it takes to have `tasks` tasks, so that the number of tasks is the same for few and
    for many waiters. Half of them may go at once and the other half after `per`. A run ends after 4 times `per`:
    those that still wait then are taken to cost what those cost that have been let through by then.
    """
    limiters, rate = max(1, tasks // waiting), max(1, waiting // 2)
    runs = [Run(way, waiting, rate, per) for _ in range(limiters)]

    def so_far() -> tuple[float, int]:
        return time.process_time(), sum(len(run.went) for run in runs)

    began, _ = so_far()
    everything = asyncio.gather(*[run.all() for run in runs])
    for _ in range(4):
        await asyncio.sleep(0)  # until all have asked
    asked, at_once = so_far()
    await asyncio.wait([everything], timeout=4 * per)
    ended, went = so_far()
    if everything.done():
        everything.result()
    everything.cancel()
    await asyncio.gather(everything, return_exceptions=True)
    left = limiters * waiting - at_once
    return (asked - began + (ended - asked) * left / max(1, went - at_once)) / (limiters * waiting)


async def bare() -> None:
    """Do nothing, as the cheapest thing that can be awaited does."""


async def uncontended(way: Way, acquires: int = 2_000) -> float | None:
    """Return what an acquire costs if nobody has to wait, as a multiple of a bare await."""
    if not way.make:
        return None

    async def seconds(function: Acquire) -> float:
        began = time.perf_counter()
        for _ in range(acquires):
            await function()
        return time.perf_counter() - began

    pairs = [(await seconds(way.make(way.plenty, 1.0)), await seconds(bare)) for _ in range(7)]
    return bench.median(one / other for one, other in pairs)


def _rates(sizes: Sizes) -> tuple[str, str]:
    """Return the names of the columns that say what was reached of the two rates."""
    return f"of {sizes.rate / sizes.per:,.0f}/s", f"of {sizes.high / sizes.per:,.0f}/s"


def columns(sizes: Sizes) -> list[Column]:
    limit, (*fewer, most) = ("≤", sizes.rate), sizes.waiters
    usual, high = _rates(sizes)
    return [
        Column("in a window", count, None, limit, log=True),
        Column("stalling", count, None, limit, log=True),
        Column(usual, share, max, ("≥", 0.995), drawn=False),
        Column(high, share, max, ("≥", 0.98), drawn=False),
        Column("busy loop", share, max, ("≥", 0.98)),
        Column("cancelled", share, max, ("≥", 0.98), drawn=False),
        Column("disorder", count, min, ("=", 0), drawn=False),
        *[Column(f"at {n:,}", duration, min, log=True, drawn=False) for n in fewer],
        Column(f"at {most:,}", duration, min, ("≤", 10e-6), log=True),
        Column("to ours", ratio, None, drawn=False),
        Column("giving up", duration, min, ("≤", 20e-6), log=True),
        Column("uncontended", ratio, min, ("≤", 6), log=True),
    ]


def measure(effort: str = "usual") -> Section:
    """Measure all limiters, by turns."""
    sizes = SIZES[effort]
    ways = {name: way for name, way in WAYS.items() if peer(way.module)}
    rows: dict[str, Row] = {name: {} for name in ways}
    rate, high, per, (usual, fast) = sizes.rate, sizes.high, sizes.per, _rates(sizes)
    for name, way in ways.items():
        calm = bench.run(Run(way, 3 * rate, rate, per).all())
        many = bench.run(Run(way, 3 * high, high, per).all(patience=2.6 * per))
        held = bench.run(stalling(Run(way, 3 * rate // 2, rate // 2, per / 2, work=stalls(rate))))
        tired = bench.run(busy(Run(way, 3 * high, high, per)))
        half = bench.run(Run(way, 3 * rate // 2, rate // 2, per / 2).all(cancel=True)) if way.make else None
        rows[name] |= {
            "in a window": max(calm.most, many.most * rate // high),
            "stalling": held.most * 2,
            usual: calm.reached,
            fast: many.reached,
            "busy loop": tired.reached,
            "cancelled": half.reached if half else None,
            "disorder": calm.inversions + many.inversions,
        }
    times: dict[tuple[str, int], list[float]] = {}
    for _, n, name in itertools.product(range(sizes.turns), sizes.waiters, [*ways, BARE]):
        way = ways.get(name, FUTURES)
        times.setdefault((name, n), []).append(bench.run(processor_time(way, n, max(n, sizes.tasks), per / 4)))
    rows[BARE] = {}
    for (name, n), each in times.items():
        rows[name][f"at {n:,}"] = bench.median(each)
    for name, way in ways.items():
        rows[name]["giving up"] = bench.run(leaving(way, sizes.waiters[-1]))
        rows[name]["uncontended"] = bench.run(uncontended(way))
    bench.against(rows, OURS, f"at {sizes.waiters[-1]:,}")
    title = (
        f"Rate limiter: most in any {per:g} s (limit {rate}), also on a loop that stalls; rate reached, also on a "
        "busy loop or if half are cancelled; processor time"
    )
    notes = [f"giving up: what one of {sizes.waiters[-1]:,} takes that all give up, the last in line first."]
    missing = bench.absent(way.module for way in WAYS.values())
    return Section(title, columns(sizes), [OURS, LINE], rows, beside=[BARE], absent=missing, notes=notes)


if __name__ == "__main__":
    bench.alone(measure)
