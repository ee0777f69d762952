"""Our way to do exercise 7.2."""

import asyncio


async def in_chunks(items, work, size, processes):
    """Hand `items` over in lists of `size`, to so many processes at a time; return the results in order."""
    places = asyncio.Semaphore(processes)

    async def hand_over(chunk):
        async with places:
            return await work(chunk)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(hand_over(items[start : start + size])) for start in range(0, len(items), size)]
    return [result for task in tasks for result in task.result()]
