"""Our way to do exercise 5.2."""

import asyncio


async def process(jobs, workers, stop, grace):
    """Run the jobs until `stop` is set; return the result, the error, or the job itself, in the order of the jobs."""
    entries = list(jobs)
    numbers = iter(range(len(jobs)))

    async def work():
        for i in numbers:
            if stop.is_set():
                return
            try:
                entries[i] = await jobs[i]()
            except Exception as error:
                entries[i] = error

    async def end(tasks):
        await stop.wait()
        await asyncio.sleep(grace)
        for task in tasks:
            task.cancel()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work()) for _ in range(workers)]
        ending = group.create_task(end(tasks))
        await asyncio.wait(tasks)
        ending.cancel()
    return entries
