"""The check of exercise 5.2: few and many jobs, one of which may fail; stopped early, late or never, with any grace."""

import asyncio
import math

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    WAIT_ERRORS,
    NotYet,
    count,
    expect,
    expect_all_awaited,
    expect_at_once,
    expect_cancelled,
    expect_free_loop,
    expect_no_error_lost,
    expect_none_twice,
    expect_nothing_left,
    said,
    without,
)
from asynclab.checking.virtual_time import clock
from asynclab.checking.work import JobError, uses

ERROR_MESSAGES = (
    ASYNC_WITH_ERRORS
    | WAIT_ERRORS
    | {
        "this job fails": (
            "the error of a job got out, and all others are lost. Catch `Exception` around `await job()`: the error is "
            "the entry of that job."
        ),
    }
)
SOON = 0.002  # seconds: a turn of the loop for each job
STOPS = [
    (None, 1),
    (0.12, 1),
    (None, 1),
    (0.12, 0.04),
    (0, 1),
    (0.12, 0.06),
]  # when, and the grace, in the first worlds


class Stop(asyncio.Event):
    """An event of which one can see when its caller set it."""

    moment = math.inf

    def set_by_caller(self):
        self.moment = clock.now
        self.set()


async def check(process, world):
    """So many at once, in order, until it is stopped; every job has its result, its error, or is still there."""
    places, stop, work = uses(asyncio.Semaphore), Stop(), world.jobs(world.size(6, 0, 1, 2, 3, 20, 60))
    kind, workers = world.pick(JobError, TimeoutError), world.pick(1, 2, 3, 5)
    work.closing, whole = world.pick(0.0, world.delay(0.01, 0.1)), sum(work.seconds.values()) / workers
    at, grace = world.pick(None, 0, *[world.rng.uniform(0, whole)] * 2), world.pick(0, world.delay(0.01, 0.05), 10)
    if world.number < 6:
        workers, (at, grace), work.closing = 2, STOPS[world.number], 0.03
        work.seconds = dict.fromkeys(work.seconds, 0.1) | {2: 0.07, 4: 0.16}
        work.failing = [2] if work.failing else []
        world.facts[1:] = ["job 2 fails"] if work.failing else []
    work.failing = {item: kind("this job fails") for item in work.failing}
    world.facts += [count(workers, "worker"), "never stopped" if at is None else f"stopped at {at:.2f} s"]
    world.facts += [] if at is None else [f"a grace of {grace:.2g} s"]
    jobs, began = work.functions(), clock.now
    given = list(jobs)
    timers = [asyncio.get_running_loop().call_later(at, stop.set_by_caller)] if at else []
    if at == 0:
        stop.set_by_caller()

    run = await world.watch(given, workers, stop, grace)
    for timer in timers:
        timer.cancel()
    expect_cancelled(run, work)
    if not run.cancelled:
        expect_all_awaited(run)
    possible = 0 if run.cancelled or stop.moment < began + SOON else len(jobs) if workers > 1 else min(len(jobs), 1)
    expect_at_once(work.most, workers, places, "jobs", possible)
    expect_none_twice(work)
    expect_begun(run, work, [began] * workers, stop.moment)
    expect_nothing_left(run)
    expect_free_loop(run)
    expect_ended(run, work, stop.moment, stop.moment + grace)
    if not run.cancelled:
        expect_entries(run.value, work, jobs)
        last = max([call.end for call in work.calls], default=began)
        late = began + run.duration - (last if len(work.calls) == len(jobs) else max(last, stop.moment))
        expect(
            late < SOON,
            f"your function returned {1000 * late:.0f} ms after all was over. Await the jobs themselves, and not "
            "`stop` or a length of time, when no job is under way.",
        )
        expect_no_error_lost(run)
    is_untouched = stop.is_set() == (stop.moment < math.inf)
    expect(is_untouched, "your function changed `stop`, which only its caller sets. Leave it.")
    expect(given == jobs, "your function changed the list `jobs`, which its caller may still need. Copy it first.")


def expect_begun(run, work, free, stopped):
    """Expect that jobs began in their order, each as soon as there was a place, and none when it was too late."""
    free += sorted(call.end for call in work.calls)  # when there was a place for each job
    failed = [work.call(call.item) for call in work.calls if call.outcome == "failed"]
    unharmed = f" That {failed[0]} failed ends nothing else." if failed else ""
    begun = [*work.calls, *[None] * len(work.seconds)]
    for item, call, moment in zip(work.seconds, begun, free, strict=False):
        if call:
            name = work.call(call.item)
            ask = "Ask `stop.is_set()` when a job has its place, right before it begins."
            expect(call.start < stopped + SOON, f"{name} was begun after `stop` was set. {ask}")
            end = "Begin nothing then, and let the cancellation through."
            expect(call.start < run.cancelled_at + SOON, f"{name} was begun after the cancellation from outside. {end}")
            expect(call.item == item, f"{name} began before {work.call(item)}. Begin them in their order.")
        when = f"began {1000 * (call.start - moment):.0f} ms" if call else "never began"
        expect(
            call.start < moment + SOON if call else run.cancelled or moment > stopped - SOON,
            f"{work.call(item)} {when} after there was a place for it. Begin the next one as soon as any has ended."
            f"{unharmed}",
        )


def expect_ended(run, work, stopped, late):
    """Expect that what was under way was cancelled when it was `late`, or from outside, and no sooner."""
    for call in work.calls:
        name, end, due = work.call(call.item), min(call.end, call.cancelled), min(late, run.cancelled_at)
        when = f"{1000 * (end - stopped):.0f} ms after `stop` was set" if stopped < end else "though `stop` was not set"
        expect(
            call.outcome != "cancelled" or end > due - SOON,
            f"{name} was cancelled {when}. Let it end by itself, until `grace` seconds have passed.",
        )
        over = "the cancellation from outside" if run.cancelled_at < late else f"the grace of {late - stopped:.2g} s"
        expect(end < due + SOON, f"{name} went on after {over}. Cancel what is under way then, and await its end.")


def expect_entries(entries, work, jobs):
    """Expect for each job its result, its error, or itself."""
    is_list = isinstance(entries, list | tuple)
    expect(
        is_list and len(entries) == len(jobs),
        f"your function returned {f'a list of {len(entries)}' if is_list else said(entries)} for "
        f"{count(len(jobs), 'job')}. Return a list with one entry for each: its result, its error, or the job itself.",
    )
    outcomes = {call.item: call.outcome for call in work.calls}
    for item, job, entry in zip(work.seconds, jobs, entries, strict=True):
        outcome = outcomes.get(item)
        wanted = {"done": work.results[item], "failed": work.failing.get(item)}.get(outcome, job)
        told = {"done": f"gave {said(wanted)}", "failed": f"raised {said(wanted)}", "cancelled": "was cancelled"}
        advice = {"done": "That is its entry, whatever it is.", "failed": "That error is its entry."}
        if without([entry], [wanted]):
            itself = f"{work.call(jobs.index(entry) + 1)} itself" if entry in jobs else said(entry)
            raise NotYet(
                f"{work.call(item)} {told.get(outcome, 'has not begun')}, and its entry is {itself}. "
                f"{advice.get(outcome, 'Its entry is the job itself, as it stands in `jobs`.')}"
            )
