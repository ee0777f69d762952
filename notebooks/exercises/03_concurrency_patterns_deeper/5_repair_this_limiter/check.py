"""The check of exercise 3.5: callers of two limiters, alone or together, some cancelled, or while the loop is held."""

import asyncio
import contextlib
import random

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    NotYet,
    expect,
    expect_all_awaited,
    expect_free_loop,
    expect_no_error_lost,
    said,
)
from asynclab.checking.virtual_time import clock
from asynclab.checking.work import Work

ERROR_MESSAGES = ASYNC_WITH_ERRORS | {
    "NameError: .*'deque'": "`deque` has to be imported: `from collections import deque` above your function.",
    "UnboundLocalError: .*'(\\w+)'": (
        "An assignment in `acquire` makes `{0}` a name of its own. Say `nonlocal {0}` at the beginning of `acquire`."
    ),
    "TypeError: .*(?:'await'|can't be awaited)": (
        "`acquire()` gives nothing that can be awaited. Define it with `async def`."
    ),
}

# Why more went on than may, why a caller went on later than it could have, why one never did.
PLAIN = ""  # nothing happened: what was seen has to tell
SLEEP = "Sleep until the oldest of the last `rate` moments is `per` old, and no longer."
WAKE = "Nothing woke it, or the lock was never released."
SHARED = "Alone the limiter is right, beside a second one it is not: make all that it remembers inside `make_limiter`."
GAVE_UP = "Others gave up before it: note a moment only when its caller goes on."
GIVE_BACK = "Others were cancelled while they waited. What they held, and nothing else, they must give back."
CAME_LATE = "The loop was held. What counts is when a caller goes on, not when it was due or was woken."

EARLY, LATE = 0.001, 0.005  # seconds: some turns of the loop; a pause between two looks at the clock
TURN = 2e-5  # seconds that a turn of the loop takes


async def check(make_limiter, world):
    """Two limiters and their callers. What is wrong is told of the simplest scene that shows it."""
    alone = world.number % 3 == 0
    scenes = [Scene(world, alone), Scene(world, alone)]
    world.facts += [f"{scene.rate} in any {ms(scene.per)}" for scene in scenes]
    world.facts += ["one caller after another" if alone else "callers side by side"]
    plain = None, PLAIN, SLEEP, WAKE
    cancelled, held = (Scene.give_up, GIVE_BACK, GAVE_UP, GIVE_BACK), (Scene.hold, CAME_LATE, SLEEP, WAKE)
    kind = plain if world.number < 3 else cancelled if world.number < 6 else world.pick(plain, cancelled, held)
    try:
        await watch(make_limiter, world, scenes, *kind)
    except NotYet:
        for scene in scenes:
            await watch(make_limiter, world, [scene], *plain)
        await watch(make_limiter, world, scenes, None, SHARED, SHARED, SHARED)
        raise


async def watch(make_limiter, world, scenes, trouble, *why):
    """Watch these scenes side by side, each with a limiter of its own, and judge them."""

    async def callers():
        given = [make_limiter(scene.rate, scene.per) for scene in scenes]
        if callable(given[0]):
            await asyncio.gather(*map(Scene.play, scenes, given, [trouble] * 2))
        return given[0]

    await asyncio.sleep(1000)  # what a limiter remembers of other callers is old
    run = await world.watch(function=callers, cancel=False)
    expect(
        callable(run.value),
        f"`make_limiter({scenes[0].rate}, {scenes[0].per})` gives {said(run.value)}. Begin it with "
        "`def make_limiter(rate, per):`, and return the function `acquire`, without brackets.",
    )
    expect_all_awaited(run)
    expect_free_loop(run)
    for scene in scenes:
        scene.judge(sum(each.held for each in scenes), *why)
    expect_no_error_lost(run)


class Scene:
    """Callers of one limiter, numbered as they ask: each visitor asks again after each of its pauses."""

    def __init__(self, world, alone):
        rate, per = self.rate, self.per = world.size(2, 1, 3, 5, 12), world.pick(0.07, 0.11, 0.19)
        pauses = (0, 0, 0, per / 2, per, 3 * per) if world.number else (0,)
        visitors, asks = (1, 3 * rate + 2) if alone else (rate * world.size(2, 1, 3) + 2, world.pick(1, 2))
        self.visitors = [[world.pick(*pauses) for _ in range(asks)] for _ in range(visitors)]
        self.seed = world.rng.random()

    async def play(self, acquire, trouble):
        """Let everybody ask, and wait until all have gone on. Now and then there is trouble, at a critical moment."""
        self.callers, self.tasks, self.gave_up, self.held = Work("caller", {}), {}, set(), 0.0
        self.rng, loop = random.Random(self.seed), asyncio.get_running_loop()
        moments = 0, TURN, self.per * self.rng.random(), *(self.per + i * TURN for i in range(-1, 5))

        async def visit(pauses):
            for pause in pauses:
                await asyncio.sleep(pause)
                number = len(self.callers.calls) + 1
                try:
                    with self.callers.noted(number):
                        await acquire()
                except asyncio.CancelledError:
                    if number not in self.gave_up:
                        raise
                if trouble and self.rng.random() < 0.2:
                    loop.call_later(self.rng.choice(moments), trouble, self)

        for i, pauses in enumerate(self.visitors, 1):
            self.tasks[f"visitor {i}"] = asyncio.create_task(visit(pauses), name=f"visitor {i}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(100):
                await asyncio.gather(*self.tasks.values())

    def give_up(self):
        """Cancel one that waits: often the first in line."""
        if waiting := [call for call in self.callers.calls if call.end is None and call.item not in self.gave_up]:
            call = self.rng.choice([waiting[0], *waiting])
            self.gave_up.add(call.item)
            self.tasks[call.task].cancel()

    def hold(self, turns=5):
        """Hold the loop for a while, in some of its turns."""
        seconds = self.per * self.rng.uniform(0.1, 0.8)
        clock.now, self.held = clock.now + seconds, self.held + seconds
        if turns > 1:
            asyncio.get_running_loop().call_soon(self.hold, turns - 1)

    def judge(self, held, early, late, stuck):
        """Expect the rate, the order, and that none waits for longer than needed, and the loop was `held`."""
        rate, per = self.rate, self.per
        went = sorted((call for call in self.callers.calls if call.outcome == "done"), key=lambda call: call.end)
        if cancelled := [call for call in went if call.item in self.gave_up]:
            one = f"Caller {cancelled[0].item} was cancelled while it waited, and went on"
            raise NotYet(f"{one}. Let `CancelledError` get out of `acquire`.")
        for first, last in zip(went, went[rate:], strict=False):
            within = f"{ms(last.end - first.end)}, where {rate} may in any {ms(per)}"
            short = first.end + per - last.end
            seen = f"{rate + 1} went on within {within}: caller {last.item} went on {ms(short)} too soon."
            expect(short < EARLY, f"{seen} {early or why_early(first, last)}".rstrip())
        for one, other in zip(went, sorted(went, key=lambda call: call.item), strict=True):
            expect(
                one is other,
                f"Caller {one.item} asked after caller {other.item}, and went on before. Let them stand in line: "
                "an `asyncio.Lock` lets them in as they came, if the first holds it while it waits.",
            )
        for call in self.callers.calls:
            expect(call in went or call.item in self.gave_up, f"Caller {call.item} waited on and on. {stuck}")
        for i, call in enumerate(went):
            oldest, why = went[i - rate].end + per if i >= rate else 0, late
            due = max(call.start, oldest, went[i - 1].end if i else 0)
            if late == SLEEP and oldest < due:
                before = sum(other.end > due - per for other in went[:i])
                few = f"Only {before}" if before else "None"
                why = f"{few} had gone on in the {ms(per)} before, where {rate} may: let it go on at once."
            late_by = call.end - due
            expect(late_by < LATE + held, f"Caller {call.item} went on {ms(late_by)} later than it could have. {why}")


def why_early(first, last):
    """Return why a caller went on too soon after another, if how long the two waited tells, and else ""."""
    if first.end - first.start < EARLY:
        return ""
    if last.end - last.start < EARLY:
        return f"Caller {first.item} had waited: what counts is the moment after its wait, not the one before."
    if last.end - first.end < EARLY:
        return (
            "All of them had waited, and woke at once. Let one after the other look, wait and note its moment: under "
            "an `asyncio.Lock`."
        )
    return ""


def ms(seconds):
    """Return a duration in words."""
    return f"{1000 * seconds:.0f} ms"
