"""A judge of rate limiters: visitors who come, wait and give up while the clock is coarse and the loop stalls.

    judge(module, module.AsyncRateLimiter, scene)     # asserts everything that a strict, fair, prompt limiter promises

`module` is the taught one that defines the limiter: it reads the clock of the scene instead of its own.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from unittest import mock

import hypothesis
from hypothesis import strategies as st

from virtual_time import Clock, play

STEADY = hypothesis.settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
TICKS = (0.0, 0.001, 1 / 64)  # what a clock can tell apart: Linux, a slow timer, an older Windows


def often(examples):
    """Try so many examples, always the same."""
    return hypothesis.settings(STEADY, max_examples=examples)


def on(module, clock, main, **options):
    """Run `main()` in virtual time; the taught `module` reads the same clock."""
    with mock.patch.object(module, "time", clock.module()):
        return play(main, clock, **options)


def clock_of(tick, stalls=(), start=1000.0):
    """A clock with such ticks. One round of the loop takes far less than a tick."""
    return Clock(tick, stalls, start, step=tick / 20 or 1e-6)


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


def perform(module, make, scene, accused=False):
    """Let the scene happen; return its log, its clock, and which of `rate` + 1 more may go on at once at the end.

    A limiter that stands accused is spared the last. Whatever is wrong with the loop afterwards is raised.
    """
    clock, log = clock_of(scene.tick, scene.stalls, scene.start), Log({}, {}, {})

    async def main():
        limiter = make(scene.rate, scene.per)
        async with asyncio.TaskGroup() as group:
            for number, visitor in enumerate(scene.visitors):
                group.create_task(visit(limiter, number, visitor, clock, log))
        await asyncio.sleep(scene.per + 2 * scene.tick)
        return None if accused else [at_once(limiter) for _ in range(scene.rate + 1)]

    places = on(module, clock, main, early=scene.early, eager=scene.eager)
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


def judge(module, make, scene, accused=False):
    """Assert everything that a strict, fair and prompt limiter promises."""
    log, clock, places = perform(module, make, scene, accused)
    assert len(log.went) + len(log.gave_up) == len(scene.visitors), "a visitor is missing"
    assert not crowded(log, scene), "too many in a window"
    assert not overtaken(log), "not in order of arrival"
    for number, late in lateness(log, scene, clock):
        assert late <= 2 * scene.tick + 50 * clock.step, f"visitor {number} was kept waiting {late} s too long"
    assert scene.tick or clock.rounds < 50 + 20 * len(scene.visitors), "it asks again and again"
    if not accused and not clock.stalled:
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
