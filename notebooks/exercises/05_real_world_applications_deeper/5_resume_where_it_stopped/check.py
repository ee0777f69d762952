"""The check of exercise 5.5: some jobs are marked already, some fail, the disk may be full; killed, and run again."""

import asyncio
import math
from dataclasses import dataclass

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    WAIT_ERRORS,
    count,
    expect,
    expect_all_awaited,
    expect_at_once,
    expect_cancelled,
    expect_each_once,
    expect_no_error_lost,
    expect_none_twice,
    expect_nothing_left,
    often,
    said,
)
from asynclab.checking.virtual_time import clock
from asynclab.checking.work import JobError, uses

ERROR_MESSAGES = {
    "this job fails": (
        "the error of a job got out, and ended the others. Catch `Exception` around `await job(key)`, and keep the "
        "error for the dict that you return."
    ),
    "TypeError: .*job\\(\\) missing 1 required positional argument": "a job is called with its key: `await job(key)`.",
    "TypeError: argument of type 'coroutine' is not": (
        "`journal.done()` gives a coroutine. Await it once, before you look for a key: `done = await journal.done()`."
    ),
}
ERROR_MESSAGES |= ASYNC_WITH_ERRORS | WAIT_ERRORS
SOON = 0.001  # seconds: some turns of the loop
STORIES = [  # the limit, what is marked before, what fails, and the mark for which there is no room on the disk
    (2, [], [], None),
    (3, ["b"], [], None),
    (2, [], ["c"], None),
    (2, [], [], 2),
]


@dataclass
class Mark:
    """One call of `mark`: what had come of the job by then, and when the key was on disk."""

    key: object
    start: float
    outcome: str
    kept: float = math.inf
    end: float = math.inf


class Journal:
    """What the learner's function is given, and the calls of `mark` in this run."""

    def __init__(self, world, keys):
        self._keys, self._seconds, self._part = set(keys), world.delay(0.001, 0.02), world.rng.random()

    def begin(self, work, full_at):
        """Begin a run, in which there may be one mark for which there is no room on the disk."""
        self._work, self._full_at, self.marks = work, full_at, []

    async def done(self):
        await asyncio.sleep(self._seconds)
        return set(self._keys)

    async def mark(self, key):
        outcomes = [call.outcome for call in self._work.calls if call.item == key]
        self.marks.append(mark := Mark(key, clock.now, [None, *outcomes][-1]))
        number = len(self.marks)
        try:
            await asyncio.sleep(self._seconds * self._part)
            if number == self._full_at:
                raise OSError(28, "No space left on device")
            mark.kept = clock.now
            self._keys.add(key)
            await asyncio.sleep(self._seconds * (1 - self._part))
        finally:
            mark.end = clock.now

    def keys(self, killed_at):
        """Return the keys on disk, without those that a kill at that moment kept from it."""
        self._keys -= {mark.key for mark in self.marks if mark.kept > killed_at}
        return set(self._keys)


async def check(run_all, world):
    """Run it, perhaps to a kill at some moment, and run it again: nothing is lost, and little is done twice."""
    rng, pick, plain = world.rng, world.pick, world.number < len(STORIES)
    keys = list("abcdef") if plain else rng.sample([0, "", *range(1, 60)], pick(0, 1, 3, 8, 50))
    drawn = pick(2, 3, 5), rng.sample(keys, len(keys) // 3), keys[:: pick(5, 99)], pick(None, None, None, 2)
    limit, marked, failing, full_at = STORIES[world.number] if plain else drawn
    works = [world.work("job", keys, results={key: pick(None, 0, "", "a result") for key in keys}) for _ in range(2)]
    kind, journal = pick(JobError, KeyError, ValueError), Journal(world, [*marked, "another program's"])
    works[0].failing = {key: kind("this job fails") for key in failing if key not in marked}
    for work in works if plain else []:
        work.seconds = dict(zip(keys, (0.1, 0.07, 0.1, 0.16, 0.1, 0.1), strict=True))
    world.facts += [count(len(keys), "job"), f"a limit of {limit}", f"{len(marked)} marked before"]
    world.facts += [f"{works[0].call(key)} raises {kind.__name__}" for key in works[0].failing][:1]
    world.facts += [f"mark {full_at} raises OSError"] if full_at else []

    for work in works:
        places = uses(asyncio.Semaphore)
        journal.begin(work, full_at)
        jobs, can_be_killed = dict.fromkeys(keys, work.function), work is works[0] and not full_at
        run = await world.watch(jobs, journal, limit, may_raise=OSError, cancel=can_be_killed)
        is_full = full_at and len(journal.marks) >= full_at
        complete = not run.cancelled and not is_full
        todo = [key for key in keys if key not in marked]
        expect_at_least_once(run, work, journal, todo)
        if complete:
            expect_all_awaited(run)
            expect_each_once(work, todo)
        expect_none_twice(work)
        expect_at_once(work.most, limit, places, "jobs", possible=len(todo) if complete and plain else 0)
        expect_marked_soon(run, work, journal, limit, complete)
        expect_cancelled(run)
        expect_nothing_left(run)
        if is_full:
            expect(run.error, "`mark` raised OSError, and it did not get out. Catch only what a job raises.")
        elif complete:
            expect(
                isinstance(run.value, dict) and run.value == work.failing,
                f"your function returned {said(run.value)} where {said(work.failing)} is expected: a dict with the "
                "error of each job that failed, by its key.",
            )
            expect_no_error_lost(run)
        marked, full_at = journal.keys(run.cancelled_at), None
        world.facts.append("killed, and run again" if run.cancelled else "run again")


def expect_at_least_once(run, work, journal, todo):
    """Expect that each job is marked when it has been done, and only then, and that only what is to do is done."""
    for call in work.calls:
        name, end = work.call(call.item), max(call.start, call.end or 0)
        expect(call.item in todo, f"{name} was run, and was not to be. Leave out what is in `await journal.done()`.")
        on = f"{name} went on after the cancellation. Let it reach all jobs, and begin none."
        expect(end < run.cancelled_at + SOON, on)
    for mark in journal.marks:
        name, key = work.call(mark.key), said(mark.key)
        what = "was cancelled" if mark.outcome == "cancelled" else "failed"
        expect(mark.key in todo, f"{key} was marked, and no such job was to do. Mark the key of the job.")
        expect(
            mark.outcome not in ("failed", "cancelled"),
            f"{name} {what}, and is marked all the same: no run tries it again. Mark only what is done.",
        )
        expect(
            mark.outcome == "done",
            f"{key} was marked before {name} had ended. Killed in between, it stands in the journal, and nobody ever "
            "does it. Mark it after `await job(key)`.",
        )


def expect_marked_soon(run, work, journal, limit, complete):
    """Expect that each job was marked as soon as it had ended, before another one began in its place."""
    ends = {call.item: call.end for call in work.calls if call.outcome == "done" and call.end < run.cancelled_at - SOON}
    marked = [mark.key for mark in journal.marks]
    for key in ends if complete else []:
        what = f"{work.call(key)} was done, and {said(key)} was {often(marked.count(key))} marked"
        advice = "Mark each key once, whatever its job gave, and await that."
        expect(marked.count(key) == 1, f"{what}. {advice}")
    until = {call.item: math.inf if call.outcome == "done" else call.end for call in work.calls}
    until |= {mark.key: mark.end for mark in journal.marks}
    held = [sum(each.start <= call.start < until[each.item] for each in work.calls) for call in work.calls]
    expect(
        max(held, default=0) <= limit,
        f"{max(held, default=0)} jobs were begun and not yet marked, where {limit} may be. Killed then, all of them "
        "are run again. Keep the place until the key is marked.",
    )
    for mark in journal.marks:
        before = [other.end for other in journal.marks if other.end <= mark.start]  # a mark may wait for its turn
        late = mark.start - max([ends.get(mark.key, math.inf), *before])
        advice = "Mark it as soon as its job has ended."
        expect(late < SOON, f"{said(mark.key)} was marked {1000 * late:.0f} ms after it could. {advice}")
