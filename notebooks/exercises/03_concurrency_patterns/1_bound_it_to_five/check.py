"""The check of exercise 3.1: jobs of all lengths and results, of which one may fail."""

import asyncio

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    count,
    expect,
    expect_all_awaited,
    expect_at_once,
    expect_cancelled,
    expect_each_once,
    expect_no_error_lost,
    expect_none_twice,
    expect_nothing_left,
    expect_results,
    said,
)
from asynclab.checking.work import JobError, uses

ERROR_MESSAGES = ASYNC_WITH_ERRORS | {
    "TypeError: .*(?:coroutine was expected|awaitable is required|'await'|can't be awaited)": (
        "a job is a function. Call it, `job()`: the call gives what can be awaited."
    ),
    "ValueError: Set of .* is empty": (
        "`asyncio.wait` wants at least one task, and `jobs` may be empty. Wait only if there is something to wait for."
    ),
}


async def check(run_bounded, world):
    """Five jobs at once, each once, the results in order, and nothing left, however it ends."""
    places = uses(asyncio.Semaphore)
    jobs = world.jobs(world.size(12, 0, 1, 3, 5, 6, 100))
    jobs.closing = world.pick(0.0, world.delay(0.01, 0.1))
    alike, rounds = world.number % 4 == 3, -(-len(jobs.seconds) // 5)
    if alike:
        jobs.seconds = dict.fromkeys(jobs.seconds, 0.1)
        world.facts.append("all of 0.1 s")
    given = jobs.functions()
    before = list(given)

    run = await world.watch(given, may_raise=JobError)
    complete = not run.cancelled and not jobs.failing
    expect_cancelled(run)
    if complete:
        expect_all_awaited(run)
        expect(jobs.calls or not given, f"no job was run, of {count(len(given), 'job')}. Run each of them once.")
    expect_at_once(jobs.most, 5, places, "jobs", possible=len(given) if complete else 0)
    if complete:
        expect_each_once(jobs, jobs.seconds)
        expect_results(run, jobs.results.values())
        expect_no_error_lost(run)
        expect(
            not alike or run.duration < 0.12 * rounds + 0.01,
            f"{count(len(given), 'job')} of 0.1 s each took {run.duration:.1f} s, where five at a time take "
            f"{0.1 * rounds:.1f} s. Keep five under way, as long as there are so many.",
        )
    expect_none_twice(jobs)
    for item in jobs.failing:
        expect(run.error, f"{jobs.call(item)} raised JobError, and you return {said(run.value)}. Let it get out.")
    expect_nothing_left(run)
    expect(given == before, "Your function changed the list `jobs`, which its caller may still need. Copy it first.")
