"""Our way to do exercise 3.1."""

import asyncio


async def run_bounded(jobs):
    """Run all jobs, five at a time; return their results in the order of the jobs."""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(job)) for job in jobs]
    return [task.result() for task in tasks]
