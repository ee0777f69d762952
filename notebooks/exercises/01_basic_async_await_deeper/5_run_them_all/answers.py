"""Answers to exercise 1.5. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor


def _start(job):
    return job() if inspect.iscoroutinefunction(job) else asyncio.to_thread(job)


async def a_task_for_what_blocks(jobs):
    """for a plain one write `asyncio.to_thread(job)`"""
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(job(), name=name) for name, job in jobs.items()}
    return {name: task.result() for name, task in tasks.items()}


async def awaits_what_blocks(jobs):
    """one of the jobs is a plain function"""

    async def call(job):
        return await job()

    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(call(job), name=name) for name, job in jobs.items()}
    return {name: task.result() for name, task in tasks.items()}


async def blocks_in_its_task(jobs):
    """held the event loop: no other task could run meanwhile. Hand it to `asyncio.to_thread` instead"""

    async def call(job):
        return await job() if inspect.iscoroutinefunction(job) else job()

    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(call(job), name=name) for name, job in jobs.items()}
    return {name: task.result() for name, task in tasks.items()}


async def every_job_in_a_thread(jobs):
    """returned a coroutine, which has not run"""
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(asyncio.to_thread(job), name=name) for name, job in jobs.items()}
    return {name: task.result() for name, task in tasks.items()}


async def a_loop_for_each(jobs):
    """Run it in the one that is"""

    async def call(job):
        return await job()

    async with asyncio.TaskGroup() as group:
        tasks = {}
        for name, job in jobs.items():
            is_async = inspect.iscoroutinefunction(job)
            coro = asyncio.to_thread(asyncio.run, call(job)) if is_async else asyncio.to_thread(job)
            tasks[name] = group.create_task(coro, name=name)
    return {name: task.result() for name, task in tasks.items()}


async def one_after_the_other(jobs):
    """no two were ever under way at once"""
    results = {}
    for name, job in jobs.items():
        results[name] = await asyncio.create_task(_start(job), name=name)
    return results


async def first_the_one_kind_then_the_other(jobs):
    """most 2 were under way at once, where 4 should be"""
    tasks = {}
    for kind in (True, False):
        async with asyncio.TaskGroup() as group:
            for name, job in jobs.items():
                if inspect.iscoroutinefunction(job) is kind:
                    tasks[name] = group.create_task(_start(job), name=name)
    return {name: tasks[name].result() for name in jobs}


async def one_thread_for_all_that_block(jobs):
    """Start them all, then await them"""
    loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(1)

    async def call(job):
        return await (job() if inspect.iscoroutinefunction(job) else loop.run_in_executor(pool, job))

    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(call(job), name=name) for name, job in jobs.items()}
    return {name: task.result() for name, task in tasks.items()}


async def five_of_all_at_a_time(jobs):
    """most 5 were under way at once"""
    places = asyncio.Semaphore(5)

    async def call(job):
        async with places:
            return await _start(job)

    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(call(job), name=name) for name, job in jobs.items()}
    return {name: task.result() for name, task in tasks.items()}


async def waits_for_the_threads(jobs):
    """wait for a thread, line"""
    with ThreadPoolExecutor() as pool:
        futures = {name: pool.submit(job) for name, job in jobs.items() if not inspect.iscoroutinefunction(job)}
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(jobs[name](), name=name) for name in jobs if name not in futures}
    return {name: (futures[name] if name in futures else tasks[name]).result() for name in jobs}


async def closes_the_pool_when_a_job_fails(jobs):
    """“with ThreadPoolExecutor() as pool:” held the event loop"""
    loop = asyncio.get_running_loop()

    async def call(job):
        return await (job() if inspect.iscoroutinefunction(job) else loop.run_in_executor(pool, job))

    with ThreadPoolExecutor() as pool:
        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(call(job), name=name) for name, job in jobs.items()}
    return {name: task.result() for name, task in tasks.items()}


async def tasks_without_names(jobs):
    """Give each task the name of its job"""
    return dict(zip(jobs, await asyncio.gather(*[_start(job) for job in jobs.values()])))


async def names_with_a_prefix(jobs):
    """Give each task the name of its job"""
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(_start(job), name=f"job {name}") for name, job in jobs.items()}
    return {name: task.result() for name, task in tasks.items()}


async def names_the_last_task_only(jobs):
    """Give each task the name of its job"""
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(_start(job)) for name, job in jobs.items()}
        for name, task in tasks.items():
            pass
        if tasks:
            task.set_name(name)
    return {name: task.result() for name, task in tasks.items()}


async def a_task_within_a_task(jobs):
    """Run it in the one that is"""

    async def call(job):
        return await asyncio.create_task(_start(job))

    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(call(job), name=name) for name, job in jobs.items()}
    return {name: task.result() for name, task in tasks.items()}


async def in_the_order_of_their_ends(jobs):
    """not in the order of the jobs"""
    results = {}

    async def keep(name, job):
        results[name] = await _start(job)

    async with asyncio.TaskGroup() as group:
        for name, job in jobs.items():
            group.create_task(keep(name, job), name=name)
    return results


async def in_alphabetical_order(jobs):
    """not in the order of the jobs"""
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(_start(jobs[name]), name=name) for name in sorted(jobs)}
    return {name: task.result() for name, task in tasks.items()}


async def keys_by_number(jobs):
    """those of the jobs"""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_start(job), name=name) for name, job in jobs.items()]
    return {i: task.result() for i, task in enumerate(tasks)}


async def returns_a_list(jobs):
    """not a `dict`"""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_start(job), name=name) for name, job in jobs.items()]
    return [task.result() for task in tasks]


async def returns_the_tasks(jobs):
    """returned a task, not its result"""
    async with asyncio.TaskGroup() as group:
        return {name: group.create_task(_start(job), name=name) for name, job in jobs.items()}


async def drops_falsy_results(jobs):
    """those of the jobs"""
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(_start(job), name=name) for name, job in jobs.items()}
    return {name: task.result() for name, task in tasks.items() if task.result()}


async def falsy_becomes_none(jobs):
    """Check each"""
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(_start(job), name=name) for name, job in jobs.items()}
    return {name: task.result() or None for name, task in tasks.items()}


async def makes_up_the_results(jobs):
    """still running"""
    tasks = [asyncio.create_task(_start(job), name=name) for name, job in jobs.items()]
    await asyncio.sleep(0.01)
    return {name: f"{name} done" for name in jobs}


async def empties_the_dict(jobs):
    """Leave it as it is"""
    tasks = {}
    async with asyncio.TaskGroup() as group:
        while jobs:
            name = next(iter(jobs))
            tasks[name] = group.create_task(_start(jobs.pop(name)), name=name)
    return {name: task.result() for name, task in tasks.items()}


async def bare_gather_leaves_tasks(jobs):
    """your function had failed"""
    tasks = [asyncio.create_task(_start(job), name=name) for name, job in jobs.items()]
    return dict(zip(jobs, await asyncio.gather(*tasks)))


async def awaits_in_a_row(jobs):
    """your function had failed"""
    tasks = {name: asyncio.create_task(_start(job), name=name) for name, job in jobs.items()}
    return {name: await task for name, task in tasks.items()}


async def returns_the_error(jobs):
    """raised an error, and your function did not. Let it out"""
    tasks = [asyncio.create_task(_start(job), name=name) for name, job in jobs.items()]
    return dict(zip(jobs, await asyncio.gather(*tasks, return_exceptions=True)))


async def swallows_the_error(jobs):
    """raised an error, and your function did not. Let it out"""
    results = {}
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(_start(job), name=name) for name, job in jobs.items()}
        results = {name: task.result() for name, task in tasks.items()}
    except* Exception:
        pass
    return results


async def leaves_tasks_when_cancelled(jobs):
    """your function had been cancelled"""
    tasks = {name: asyncio.create_task(_start(job), name=name) for name, job in jobs.items()}
    if tasks:
        await asyncio.wait(tasks.values())
    return {name: task.result() for name, task in tasks.items()}


async def swallows_its_cancellation(jobs):
    """Raise the CancelledError again"""
    tasks = {}
    try:
        async with asyncio.TaskGroup() as group:
            for name, job in jobs.items():
                tasks[name] = group.create_task(_start(job), name=name)
    except asyncio.CancelledError:
        return {}
    return {name: task.result() for name, task in tasks.items()}


async def cancels_the_others_itself(jobs):
    async def call(job):
        return await (job() if inspect.iscoroutinefunction(job) else asyncio.to_thread(job))

    tasks = {name: asyncio.create_task(call(job), name=name) for name, job in jobs.items()}
    try:
        return {name: await task for name, task in tasks.items()}
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def run_in_executor(jobs):
    loop = asyncio.get_running_loop()

    async def call(job):
        if inspect.iscoroutinefunction(job):
            return await job()
        return await loop.run_in_executor(None, job)

    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(call(job), name=name) for name, job in jobs.items()}
    return {name: task.result() for name, task in tasks.items()}


async def five_threads(jobs):
    loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(5)

    async def call(job):
        return await (job() if inspect.iscoroutinefunction(job) else loop.run_in_executor(pool, job))

    try:
        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(call(job), name=name) for name, job in jobs.items()}
    finally:
        pool.shutdown(wait=False)
    return {name: task.result() for name, task in tasks.items()}


async def names_them_afterwards(jobs):
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(_start(job)) for name, job in jobs.items()}
        for name, task in tasks.items():
            task.set_name(name)
    return {name: task.result() for name, task in tasks.items()}


async def waits_for_all_then_raises(jobs):
    tasks = {name: asyncio.create_task(_start(job), name=name) for name, job in jobs.items()}
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    return {name: task.result() for name, task in tasks.items()}


async def a_dict_filled_beforehand(jobs):
    results = dict.fromkeys(jobs)

    async def keep(name):
        results[name] = await _start(jobs[name])

    async with asyncio.TaskGroup() as group:
        for name in jobs:
            group.create_task(keep(name), name=name)
    return results


async def cancels_the_others_and_does_not_wait(jobs):
    """still running. Await every task you start"""
    tasks = {name: asyncio.create_task(_start(job), name=name) for name, job in jobs.items()}
    try:
        await asyncio.gather(*tasks.values())
    except BaseException:
        for task in tasks.values():
            task.cancel()
        raise
    return {name: task.result() for name, task in tasks.items()}


async def cancels_in_a_finally_and_does_not_wait(jobs):
    """still running. Await every task you start"""
    tasks = {name: asyncio.create_task(_start(job), name=name) for name, job in jobs.items()}
    try:
        return dict(zip(jobs, await asyncio.gather(*tasks.values()), strict=True))
    finally:
        for task in tasks.values():
            task.cancel()


async def cleans_up_unless_cancelled(jobs):
    """your function had been cancelled"""
    tasks = {name: asyncio.create_task(_start(job), name=name) for name, job in jobs.items()}
    try:
        return dict(zip(jobs, await asyncio.gather(*tasks.values()), strict=True))
    except Exception:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        raise
