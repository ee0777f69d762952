"""The check of exercise 5.5: some jobs are marked already, some fail, the disk may be full; killed, and run again."""

import asyncio
import math
from dataclasses import dataclass

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    NotYet,
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
from asynclab.checking.work import JobError, named, uses

ERROR_MESSAGES = ASYNC_WITH_ERRORS | {
    "this job fails": (
        "the error of a job got out, and ended the others. Catch `Exception` around `await job(key)`, and keep the "
        "error for the dict that you return."
    ),
    "TypeError: .*job\\(\\) missing 1 required positional argument": "a job is called with its key: `await job(key)`.",
    "TypeError: argument of type 'coroutine' is not": (
        "`journal.done()` gives a coroutine. Await it once, before you look for a key: `done = await journal.done()`."
    ),
    "TypeError: .*(?:coroutine was expected|awaitable is required|'await'|can't be awaited)": (
        "what you start or await here is no coroutine. Call the function, with brackets: `job(key)`."
    ),
    "ValueError: Set of .* is empty": (
        "`asyncio.wait` wants at least one task, and there may be nothing to do. Wait only if there is something."
    ),
}
SOON = 0.001  # seconds: some turns of the loop


@dataclass
class Mark:
    """One call of `mark`: what had come of the job by then, when the key was on disk, and the end of the call."""

    key: object
    start: float
    outcome: str
    kept: float = math.inf
    end: float = math.inf


class Journal:
    """What the learner's function is given, and what it did with it in this run."""

    def __init__(self, world, keys):
        self._keys, self._seconds, self._part = set(keys), world.delay(0.001, 0.02), world.rng.random()
        self.full_at = None  # number of the mark for which there is no room on the disk
        self.begin(None)

    def begin(self, work):
        """Begin a run."""
        self._work, self.marks, self._held, self.most = work, [], set(), 0

    async def done(self):
        await asyncio.sleep(self._seconds)
        return set(self._keys)

    async def mark(self, key):
        calls = [call for call in self._work.calls if call.item == key]
        self.marks.append(mark := Mark(key, clock.now, calls[-1].outcome if calls else "never begun"))
        number = len(self.marks)
        try:
            await asyncio.sleep(self._seconds * self._part)
            if number == self.full_at:
                raise OSError(28, "No space left on device")
            mark.kept = clock.now
            self._keys.add(key)
            await asyncio.sleep(self._seconds * (1 - self._part))
        finally:
            mark.end = clock.now
            self._held.discard(key)

    async def job(self, key):
        """Do the job of this key: until its mark has ended, it is under way."""
        self._held.add(key)
        self.most = max(self.most, len(self._held))
        try:
            return await self._work.function(key)
        except BaseException:
            self._held.discard(key)
            raise

    def keys(self, killed_at):
        """Return the keys on disk, without those that a kill at that moment kept from it."""
        self._keys -= {mark.key for mark in self.marks if mark.kept > killed_at}
        return set(self._keys)


async def check(run_all, world):
    """Run it, perhaps to a kill at some moment, and run it again: nothing is lost, and little is done twice."""
    rng, plain = world.rng, world.number < 6
    keys = ["a", "b", "c", "d", "e", "f"] if plain else rng.sample([0, "", *range(1, 60)], world.pick(0, 1, 3, 8, 50))
    limit = (3 if world.number == 3 else 2) if plain else world.pick(2, 3, 5)
    marked = {"b"} if world.number in (1, 3) else {key for key in keys if not plain and rng.random() < 0.3}
    journal = Journal(world, [*marked, "another program's"])
    results = {key: world.pick(None, 0, "", "a result") for key in keys}
    failing = {"c"} if world.number in (2, 4) else {key for key in keys if not plain and rng.random() < 0.1}
    journal.full_at = 2 if world.number == 5 or (not plain and world.number % 5 == 0) else None
    kind, failing = world.pick(JobError, KeyError, ValueError), failing - marked
    errors = {key: kind("this job fails") for key in keys if key in failing}
    works = [world.work("job", keys, results=results, failing=each) for each in (errors, {})]
    for work in works if plain else []:
        work.seconds = dict(zip(keys, (0.1, 0.07, 0.1, 0.16, 0.1, 0.1), strict=True))
    jobs = {key: named(lambda key: journal.job(key), "job") for key in keys}
    world.facts += [count(len(keys), "job"), f"a limit of {limit}", f"{len(marked)} marked before"]
    world.facts += [f"{works[0].call(key)} raises {type(error).__name__}" for key, error in errors.items()][:1]
    world.facts += [f"mark {journal.full_at} raises OSError"] if journal.full_at else []

    for work in works:
        places = uses(asyncio.Semaphore)
        journal.begin(work)
        run = await world.watch(dict(jobs), journal, limit, may_raise=OSError, cancel=work is works[0])
        is_full = bool(journal.full_at) and len(journal.marks) >= journal.full_at
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
        if is_full and not run.cancelled:
            expect(run.error, "`mark` raised OSError, and it did not get out. Catch only what a job raises.")
        elif complete:
            expect(
                isinstance(run.value, dict) and run.value == work.failing,
                f"your function returned {said(run.value)} where {said(work.failing)} is expected: a dict with the "
                "error of each job that failed, by its key.",
            )
            expect_no_error_lost(run)
        marked, journal.full_at = journal.keys(run.cancelled_at), None
        world.facts.append("killed, and run again" if run.cancelled else "run again")


def expect_at_least_once(run, work, journal, todo):
    """Expect that each job is marked when it has been done, and only then, and that only what is to do is done."""
    for call in work.calls:
        name = work.call(call.item)
        expect(call.item in todo, f"{name} was run, and was not to be. Leave out what is in `await journal.done()`.")
        expect(
            max(call.start, call.end or 0) < run.cancelled_at + SOON,
            f"{name} went on after the cancellation. Let it reach all jobs, and begin none.",
        )
    for mark in journal.marks:
        name = work.call(mark.key)
        expect(mark.key in todo, f"{said(mark.key)} was marked, and no such job was to do. Mark the key of the job.")
        if mark.outcome in ("failed", "cancelled"):
            what = "was cancelled" if mark.outcome == "cancelled" else "failed"
            raise NotYet(f"{name} {what}, and is marked all the same: no run tries it again. Mark only what is done.")
        expect(
            mark.outcome == "done",
            f"{said(mark.key)} was marked before {name} had ended. Killed in between, it stands in the journal, and "
            "nobody ever does it. Mark it after `await job(key)`.",
        )


def expect_marked_soon(run, work, journal, limit, complete):
    """Expect that each job was marked as soon as it had ended, before another one began in its place."""
    done = [call for call in work.calls if call.outcome == "done" and call.end < run.cancelled_at - SOON]
    for call in done if complete else []:
        times = often([mark.key for mark in journal.marks].count(call.item))
        what = f"{work.call(call.item)} was done, and {said(call.item)} was {times} marked"
        expect(times == "once", f"{what}. Mark each key once, whatever its job gave, and await that.")
    expect(
        journal.most <= limit,
        f"{journal.most} jobs were begun and not yet marked, where {limit} may be. Killed then, all of them are run "
        "again. Keep the place until the key is marked.",
    )
    ends = {call.item: call.end for call in done}
    for mark in journal.marks:
        before = [other.end for other in journal.marks if other.end <= mark.start]  # a mark may wait for its turn
        late = mark.start - max([ends.get(mark.key, math.inf), *before])
        expect(
            late < SOON,
            f"{said(mark.key)} was marked {1000 * late:.0f} ms after it could. Mark it as soon as its job has ended.",
        )
