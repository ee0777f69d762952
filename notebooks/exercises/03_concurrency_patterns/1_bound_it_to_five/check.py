"""The check of exercise 3.1: jobs of all lengths, some of which fail."""

import asyncio

from asynclab.checking.expect import (
    expect_all_awaited,
    expect_at_once,
    expect_cancelled,
    expect_each_once,
    expect_nothing_left,
    expect_results,
)
from asynclab.checking.work import JobError, uses

ERROR_MESSAGES = {
    "(?:TypeError|AttributeError): .*(?:Lock|Semaphore|TaskGroup)'? object.*(?:context manager|__enter__)": (
        'whoever enters may have to wait. Write `async with`, not `with`.'
    ),
    "TypeError: 'type' object .*context manager": (
        'what stands after `async with` is a class. Make an object of it, with brackets after its name.'
    ),
    "TypeError: .*(?:coroutine was expected|awaitable is required|'await'|can't be awaited)": (
        'a job is a function. Call it, `job()`: the call gives what can be awaited.'
    ),
}


async def check(run_bounded, world):
    """Five jobs at once, each once, the results in order, and nothing left, however it ends."""
    places = uses(asyncio.Semaphore)
    jobs = world.jobs(world.size(12, 0, 1, 3, 5, 6, 100))
    run = await world.watch(jobs.functions(), may_raise=JobError)
    expect_cancelled(run)
    if not run.cancelled and not jobs.failing:
        expect_all_awaited(run)
        expect_at_once(jobs.most, 5, places, "jobs", possible=len(jobs.seconds))
        expect_each_once(jobs, jobs.seconds)
        expect_results(run, jobs.results.values())
    expect_nothing_left(run)
