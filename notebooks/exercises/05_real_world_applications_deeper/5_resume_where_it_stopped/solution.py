"""Our way to do exercise 5.5."""

import asyncio


async def run_all(jobs, journal, limit):
    """Run the jobs that are not marked yet, and mark each when it has ended; return the errors of those that failed."""
    places = asyncio.Semaphore(limit)
    done = await journal.done()
    errors = {}

    async def run(key, job):
        async with places:
            try:
                await job(key)
            except Exception as error:
                errors[key] = error
            else:
                await journal.mark(key)

    async with asyncio.TaskGroup() as group:
        for key, job in jobs.items():
            if key not in done:
                group.create_task(run(key, job))
    return errors
