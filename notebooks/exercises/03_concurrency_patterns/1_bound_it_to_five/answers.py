"""Answers to exercise 3.1. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import queue


async def wrong_1(jobs):
    """Take the place inside the task"""
    places = asyncio.Semaphore(5)
    tasks = [asyncio.create_task(job()) for job in jobs]
    results = []
    for task in tasks:
        async with places:
            results.append(await task)
    return results


async def wrong_2(jobs):
    """Take the place inside the task"""
    places = asyncio.Semaphore(5)
    tasks = []
    for job in jobs:
        async with places:
            tasks.append(asyncio.create_task(job()))
    return [await task for task in tasks]


async def wrong_3(jobs):
    """the one place that was taken around all of them"""
    async with asyncio.Semaphore(5):
        return await asyncio.gather(*[job() for job in jobs])


async def wrong_4(jobs):
    """You make 12 semaphores"""
    async def run(job):
        async with asyncio.Semaphore(5):
            return await job()
    return await asyncio.gather(*[run(job) for job in jobs])


async def wrong_5(jobs):
    """Nobody takes a place in your semaphore"""
    places = asyncio.Semaphore(5)
    async def run(job):
        return await job()
    return await asyncio.gather(*[run(job) for job in jobs])


async def wrong_6(jobs):
    """Let each first take a place in a semaphore"""
    return await asyncio.gather(*[job() for job in jobs])


async def wrong_7(jobs):
    """6 jobs were under way at once, where 5 are allowed. Give your semaphore 5 places"""
    places = asyncio.Semaphore(6)
    async def run(job):
        async with places:
            return await job()
    return await asyncio.gather(*[run(job) for job in jobs])


async def wrong_8(jobs):
    """hold one until the job has ended"""
    places = asyncio.Semaphore(5)
    async def run(job):
        async with places:
            pass
        return await job()
    return await asyncio.gather(*[run(job) for job in jobs])


async def wrong_9(jobs):
    """never more than one job was under way"""
    lock = asyncio.Semaphore()
    async def run(job):
        async with lock:
            return await job()
    return await asyncio.gather(*[run(job) for job in jobs])


async def wrong_10(jobs):
    """no two jobs were ever under way at once"""
    return [await job() for job in jobs]


async def wrong_11(jobs):
    """job 11 was never run"""
    results = []
    for i in range(len(jobs) // 5):
        results += await asyncio.gather(*[job() for job in jobs[5 * i:5 * i + 5]])
    return results


async def wrong_12(jobs):
    """job 1 was run twice"""
    places = asyncio.Semaphore(5)
    async def run(job):
        async with places:
            return await job()
    await jobs[0]()
    return await asyncio.gather(*[run(job) for job in jobs])


async def wrong_13(jobs):
    """was begun and not finished"""
    places = asyncio.Semaphore(5)
    async def run(job):
        async with places:
            return await job()
    tasks = [asyncio.create_task(run(job)) for job in jobs]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return [task.result() for task in tasks if task.done()]


async def wrong_14(jobs):
    """not in the order of the input"""
    places, results = asyncio.Semaphore(5), []
    async def run(job):
        async with places:
            results.append(await job())
    await asyncio.gather(*[run(job) for job in jobs])
    return results


async def wrong_15(jobs):
    """returned None, not a list of 12 results"""
    places = asyncio.Semaphore(5)
    async def run(job):
        async with places:
            return await job()
    await asyncio.gather(*[run(job) for job in jobs])


async def wrong_16(jobs):
    """Write `async with`, not `with`"""
    places = asyncio.Semaphore(5)
    async def run(job):
        with places:
            return await job()
    return await asyncio.gather(*[run(job) for job in jobs])


async def wrong_17(jobs):
    """Make an object of it"""
    async def run(job):
        async with asyncio.Semaphore:
            return await job()
    return await asyncio.gather(*[run(job) for job in jobs])


async def wrong_18(jobs):
    """a job is a function"""
    places = asyncio.Semaphore(5)
    async def run(job):
        async with places:
            return await job
    return await asyncio.gather(*[run(job) for job in jobs])


async def wrong_19(jobs):
    """called run() and never awaited it"""
    places = asyncio.Semaphore(5)
    async def run(job):
        async with places:
            return await job()
    return [run(job) for job in jobs]


async def right_1(jobs):
    results, numbered = [None] * len(jobs), iter(enumerate(jobs))
    async def work():
        for i, job in numbered:
            results[i] = await job()
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(work())
    return results


async def right_2(jobs):
    places, tasks = asyncio.BoundedSemaphore(5), []
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            await places.acquire()
            tasks.append(group.create_task(job()))
            tasks[-1].add_done_callback(lambda _: places.release())
    return [task.result() for task in tasks]


async def right_3(jobs):
    results = []
    for i in range(0, len(jobs), 5):
        results += await asyncio.gather(*[job() for job in jobs[i : i + 5]])
    return results


async def right_4(jobs):
    queue, results = asyncio.Queue(), {}
    async def work():
        while not queue.empty():
            i, job = queue.get_nowait()
            results[i] = await job()
    for item in enumerate(jobs):
        queue.put_nowait(item)
    await asyncio.gather(*[work() for _ in range(5)])
    return [results[i] for i in sorted(results)]


async def right_5(jobs):
    under_way, tasks = set(), []
    for job in jobs:
        if len(under_way) == 5:
            done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        tasks.append(asyncio.create_task(job()))
        under_way.add(tasks[-1])
    return await asyncio.gather(*tasks)
