"""Answers to exercise 1.5. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import inspect


async def wrong_1(jobs):
    """to_thread"""
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(job(), name=name) for name, job in jobs.items()}
    return {name: task.result() for name, task in tasks.items()}


async def wrong_2(jobs):
    """`job` ran on the event loop's own thread"""
    async def call(job):
        return await job() if inspect.iscoroutinefunction(job) else job()
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(call(job), name=name) for name, job in jobs.items()}
    return {name: task.result() for name, task in tasks.items()}


async def wrong_3(jobs):
    """at most 1 of 4 ran at the same time"""
    results = {}
    for name, job in jobs.items():
        coro = job() if inspect.iscoroutinefunction(job) else asyncio.to_thread(job)
        results[name] = await asyncio.create_task(coro, name=name)
    return results


async def wrong_4(jobs):
    """no task is called 'mail'"""
    coros = [job() if inspect.iscoroutinefunction(job) else asyncio.to_thread(job) for job in jobs.values()]
    return dict(zip(jobs, await asyncio.gather(*coros)))


async def wrong_5(jobs):
    """not in the order of the jobs"""
    results = {}
    async def keep(name, job):
        call = job() if inspect.iscoroutinefunction(job) else asyncio.to_thread(job)
        results[name] = await call
    async with asyncio.TaskGroup() as group:
        for name, job in jobs.items():
            group.create_task(keep(name, job), name=name)
    return results


async def wrong_6(jobs):
    """were still running"""
    tasks = []
    for name, job in jobs.items():
        coro = job() if inspect.iscoroutinefunction(job) else asyncio.to_thread(job)
        tasks.append(asyncio.create_task(coro, name=name))
    await asyncio.sleep(0.01)
    return {name: f"{name} done" for name in jobs}


async def wrong_7(jobs):
    """you do not return a `dict`"""
    async with asyncio.TaskGroup() as group:
        tasks = []
        for name, job in jobs.items():
            coro = job() if inspect.iscoroutinefunction(job) else asyncio.to_thread(job)
            tasks.append(group.create_task(coro, name=name))
    return [task.result() for task in tasks]


async def right_1(jobs):
    async def call(job):
        return await (job() if inspect.iscoroutinefunction(job) else asyncio.to_thread(job))
    tasks = {name: asyncio.create_task(call(job), name=name) for name, job in jobs.items()}
    return {name: await task for name, task in tasks.items()}
