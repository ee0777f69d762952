"""The check of exercise 5.2: few and many jobs, one of which may fail; stopped early, late or never, with any grace."""

import asyncio
import math

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
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

ERROR_MESSAGES = ASYNC_WITH_ERRORS | {
    "this job fails": (
        "the error of a job got out, and all others are lost. Catch `Exception` around `await job()`: the error is "
        "the entry of that job."
    ),
    "TypeError: .*(?:coroutine was expected|awaitable is required|'await'|can't be awaited)": (
        "what you start or await here is no coroutine. Call the function, with brackets: `job()`, `stop.wait()`."
    ),
    "ValueError: Set of .* is empty": (
        "`asyncio.wait` wants at least one task, and `jobs` may be empty. Wait only if there is something to wait for."
    ),
}
SOON = 0.001  # seconds: some turns of the loop


async def check(process, world):
    """So many at once, in order, until it is stopped; every job has its result, its error, or is still there."""
    places = uses(asyncio.Semaphore)
    work = world.jobs(world.size(6, 0, 1, 2, 3, 20, 60))
    kind = world.pick(JobError, TimeoutError)
    work.failing = {item: kind("this job fails") for item in work.failing}
    closing = world.pick(0.0, world.delay(0.01, 0.1))
    workers = 2 if world.number < 6 else world.pick(1, 2, 3, 5)
    whole = sum(work.seconds.values()) / workers
    at = world.pick(None, 0, world.rng.uniform(0, whole), world.rng.uniform(0, whole))
    grace = world.pick(0, world.delay(0.01, 0.05), 10)
    if world.number < 6:
        work.seconds = dict.fromkeys(work.seconds, 0.1) | {2: 0.07, 4: 0.16}
        work.failing = {2: kind("this job fails")} if work.failing else {}
        world.facts[1:] = ["job 2 fails"] if work.failing else []
        at, grace = [(None, 1), (0.12, 1), (None, 1), (0.12, 0.04), (0, 1), (0.12, 0.06)][world.number]
    world.facts += [count(workers, "worker"), "never stopped" if at is None else f"stopped at {at:.2f} s"]
    world.facts += [] if at is None else [f"a grace of {grace:.2g} s"]
    jobs = [closing_late(job, closing) for job in work.functions()]
    stop, began, stopped = asyncio.Event(), clock.now, math.inf

    def set_stop():
        nonlocal stopped
        stopped = clock.now
        stop.set()

    timers = [asyncio.get_running_loop().call_later(at, set_stop)] if at else []
    if at == 0:
        set_stop()
    given = list(jobs)
    run = await world.watch(given, workers, stop, grace)
    for timer in timers:
        timer.cancel()
    expect_cancelled(run, work)
    if not run.cancelled:
        expect_all_awaited(run)
    possible = 0 if run.cancelled or stopped < began + SOON else len(jobs) if workers > 1 else min(len(jobs), 1)
    expect_at_once(work.most, workers, places, "jobs", possible)
    expect_begun(run, work, workers, began, stopped)
    expect_nothing_left(run)
    expect_free_loop(run)
    expect_ended(run, work, stopped, stopped + grace)
    if not run.cancelled:
        expect_entries(run.value, work, jobs)
        last = max([call.end + closing * (call.outcome == "cancelled") for call in work.calls], default=began)
        over = last if len(work.calls) == len(jobs) else max(last, stopped)
        expect(
            began + run.duration < over + SOON,
            f"your function returned {1000 * (began + run.duration - over):.0f} ms after all was over. Await the "
            "jobs themselves, and not `stop` or a length of time, when no job is under way.",
        )
        expect_no_error_lost(run)
    expect(stop.is_set() == (stopped < math.inf), "your function changed `stop`, which only its caller sets. Leave it.")
    expect(given == jobs, "your function changed the list `jobs`, which its caller may still need. Copy it first.")


def closing_late(function, seconds):
    """Return the same job, which takes so many seconds more to end when it is cancelled."""

    async def job():
        try:
            return await function()
        except asyncio.CancelledError:
            await asyncio.sleep(seconds)
            raise

    return job


def expect_begun(run, work, workers, began, stopped):
    """Expect that jobs began in their order, each as soon as there was a place, and none when it was too late."""
    expect_none_twice(work)
    ends = sorted(call.end or math.inf for call in work.calls)
    due = [began] * workers + ends  # when each job may begin
    failed = [work.call(call.item) for call in work.calls if call.outcome == "failed"]
    unharmed = f" That {failed[0]} failed ends nothing else." if failed else ""
    for item, call, moment in zip(work.seconds, work.calls, due, strict=False):
        for why, late in (("`stop` was set", stopped), ("the cancellation from outside", run.cancelled_at)):
            asked = "Ask `stop.is_set()` when a job has its place, right before it begins."
            advice = asked if late == stopped else "Begin nothing then, and let the cancellation through."
            expect(call.start < late + SOON, f"{work.call(call.item)} was begun after {why}. {advice}")
        expect(call.item == item, f"{work.call(call.item)} began before {work.call(item)}. Begin them in their order.")
        expect(
            call.start < moment + SOON,
            f"{work.call(item)} began {1000 * (call.start - moment):.0f} ms after there was a place for it. Begin the "
            f"next one as soon as any has ended.{unharmed}",
        )
    for item, moment in list(zip(work.seconds, due, strict=False))[len(work.calls) :]:
        expect(
            run.cancelled or moment > stopped - SOON,
            f"{work.call(item)} was never run, though there was a place for it, and `stop` not set.{unharmed}",
        )


def expect_ended(run, work, stopped, late):
    """Expect that what was under way was cancelled when it was `late`, or from outside, and no sooner."""
    for call in work.calls:
        name, since = work.call(call.item), 1000 * (call.end - stopped)
        if call.outcome == "cancelled" and call.end < min(late, run.cancelled_at) - SOON:
            when = "though `stop` was never set" if stopped == math.inf else f"{since:.0f} ms after `stop` was set"
            raise NotYet(f"{name} was cancelled {when}. Let it end by itself, until `grace` seconds have passed.")
        if call.end > min(late, run.cancelled_at) + SOON:
            over = (
                "the cancellation from outside" if run.cancelled_at < late else f"the grace of {late - stopped:.2g} s"
            )
            raise NotYet(f"{name} went on after {over}. Cancel what is under way then, and await its end.")


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
