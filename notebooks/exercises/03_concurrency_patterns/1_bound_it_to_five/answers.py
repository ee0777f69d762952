"""Answers to exercise 3.1. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio


async def place_taken_around_the_waiting(jobs):
    """Take the place inside the task"""
    places = asyncio.Semaphore(5)
    tasks = [asyncio.create_task(job()) for job in jobs]
    results = []
    for task in tasks:
        async with places:
            results.append(await task)
    return results


async def place_taken_around_the_start(jobs):
    """Take the place inside the task"""
    places = asyncio.Semaphore(5)
    tasks = []
    for job in jobs:
        async with places:
            tasks.append(asyncio.create_task(job()))
    return [await task for task in tasks]


async def one_place_around_all(jobs):
    """the one place that was taken around all of them"""
    async with asyncio.Semaphore(5):
        return await asyncio.gather(*[job() for job in jobs])


async def semaphore_for_each_job(jobs):
    """You make 12 semaphores"""

    async def run(job):
        async with asyncio.Semaphore(5):
            return await job()

    return await asyncio.gather(*[run(job) for job in jobs])


async def semaphore_for_each_job_around_the_waiting(jobs):
    """12 jobs were under way at once, where 5 are allowed. You make 12 semaphores"""
    tasks = [asyncio.create_task(job()) for job in jobs]
    results = []
    for task in tasks:
        places = asyncio.Semaphore(5)
        async with places:
            results.append(await task)
    return results


async def semaphore_that_nobody_takes(jobs):
    """Your semaphore is never acquired"""
    places = asyncio.Semaphore(5)

    async def run(job):
        return await job()

    return await asyncio.gather(*[run(job) for job in jobs])


async def all_at_once(jobs):
    """Let each first take a place in a semaphore"""
    return await asyncio.gather(*[job() for job in jobs])


async def six_places(jobs):
    """6 jobs were under way at once, where 5 are allowed. Give your semaphore 5 places"""
    places = asyncio.Semaphore(6)

    async def run(job):
        async with places:
            return await job()

    return await asyncio.gather(*[run(job) for job in jobs])


async def four_workers(jobs):
    """never more than 4 jobs were under way at once, where 5 may be"""
    results, numbered = [None] * len(jobs), iter(enumerate(jobs))

    async def work():
        for i, job in numbered:
            results[i] = await job()

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(work())
    return results


async def place_given_back_before_the_job(jobs):
    """Take the place inside the task, before its work begins, and hold it"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            pass
        return await job()

    return await asyncio.gather(*[run(job) for job in jobs])


async def place_given_back_twice_after_an_error(jobs):
    """6 jobs were under way at once"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            try:
                return await job()
            except Exception:
                places.release()
                raise

    results = await asyncio.gather(*[run(job) for job in jobs], return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


async def semaphore_of_one(jobs):
    """no two jobs were ever under way at once: your semaphore lets only one through"""
    lock = asyncio.Semaphore()

    async def run(job):
        async with lock:
            return await job()

    return await asyncio.gather(*[run(job) for job in jobs])


async def one_after_another(jobs):
    """no two jobs were ever under way at once"""
    return [await job() for job in jobs]


async def first_five_then_one_by_one(jobs):
    """12 jobs of 0.1 s each took 0.8 s, where five at a time take 0.3 s"""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(job()) for job in jobs[:5]]
    return [task.result() for task in tasks] + [await job() for job in jobs[5:]]


async def last_batch_left_out(jobs):
    """job 11 was never run"""
    results = []
    for i in range(len(jobs) // 5):
        results += await asyncio.gather(*[job() for job in jobs[5 * i : 5 * i + 5]])
    return results


async def first_job_run_twice(jobs):
    """job 1 was run twice"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    if jobs:
        await jobs[0]()
    return await asyncio.gather(*[run(job) for job in jobs])


async def run_again_if_the_result_is_false(jobs):
    """was run twice. Once is enough"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job() or await job()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(job)) for job in jobs]
    return [task.result() for task in tasks]


async def run_again_after_an_error(jobs):
    """was run again"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            try:
                return await job()
            except Exception:
                return await job()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(job)) for job in jobs]
    return [task.result() for task in tasks]


async def false_results_dropped(jobs):
    """missing"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(job)) for job in jobs]
    return [task.result() for task in tasks if task.result()]


async def returns_when_the_first_is_done(jobs):
    """was never run"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    tasks = [asyncio.create_task(run(job)) for job in jobs]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return [task.result() for task in tasks if task.done()]


async def returns_when_all_have_begun(jobs):
    """was begun but not finished"""
    places = asyncio.Semaphore(5)
    tasks = []
    for job in jobs:
        await places.acquire()
        tasks.append(asyncio.create_task(job()))
        tasks[-1].add_done_callback(lambda _: places.release())
    return [task.result() for task in tasks if task.done()]


async def results_in_the_order_of_ending(jobs):
    """not in the order of the input"""
    places, results = asyncio.Semaphore(5), []

    async def run(job):
        async with places:
            results.append(await job())

    await asyncio.gather(*[run(job) for job in jobs])
    return results


async def results_from_a_set(jobs):
    """not in the order of the input"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    done, _ = await asyncio.wait([asyncio.create_task(run(job)) for job in jobs])
    return [task.result() for task in done]


async def nothing_returned(jobs):
    """returned `None`, not a list of 12 results"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    await asyncio.gather(*[run(job) for job in jobs])


async def plain_with(jobs):
    """Write `async with`, not `with`"""
    places = asyncio.Semaphore(5)

    async def run(job):
        with places:
            return await job()

    return await asyncio.gather(*[run(job) for job in jobs])


async def class_instead_of_an_object(jobs):
    """Make an object of it"""

    async def run(job):
        async with asyncio.Semaphore:
            return await job()

    return await asyncio.gather(*[run(job) for job in jobs])


async def job_not_called(jobs):
    """a job is a function"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job

    return await asyncio.gather(*[run(job) for job in jobs])


async def coroutines_returned(jobs):
    """your function returned a coroutine, which has not run"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    return [run(job) for job in jobs]


async def waits_for_no_task(jobs):
    """`asyncio.wait` wants at least one task"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    tasks = [asyncio.create_task(run(job)) for job in jobs]
    try:
        await asyncio.wait(tasks)
        return [task.result() for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def list_emptied(jobs):
    """your function changed the list `jobs`"""
    results = {}

    async def work():
        while jobs:
            number, job = len(jobs), jobs.pop()
            results[number] = await job()

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(work())
    return [results[number] for number in sorted(results)]


async def error_among_the_results(jobs):
    """raised JobError, and you return"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    return await asyncio.gather(*[run(job) for job in jobs], return_exceptions=True)


async def gather_leaves_the_others(jobs):
    """when your function had failed,"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    return await asyncio.gather(*[run(job) for job in jobs])


async def batches_leave_the_others(jobs):
    """when your function had failed,"""
    results = []
    for i in range(0, len(jobs), 5):
        results += await asyncio.gather(*[job() for job in jobs[i : i + 5]])
    return results


async def tasks_left_when_cancelled(jobs):
    """when your function had been cancelled,"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    tasks = [asyncio.create_task(run(job)) for job in jobs]
    try:
        return [await task for task in tasks]
    except Exception:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def cancelled_but_not_waited_for(jobs):
    """still running"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    tasks = [asyncio.create_task(run(job)) for job in jobs]
    try:
        return [await task for task in tasks]
    finally:
        for task in tasks:
            task.cancel()


async def cancellation_swallowed(jobs):
    """caught its cancellation and returned as if done"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    tasks = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(job)) for job in jobs]
    except asyncio.CancelledError:
        pass
    return [task.result() for task in tasks if not task.cancelled()]


async def queue_whose_worker_dies(jobs):
    """your function waits for what can never happen"""
    queue, results = asyncio.Queue(), {}

    async def work():
        while True:
            i, job = await queue.get()
            results[i] = await job()
            queue.task_done()

    for item in enumerate(jobs):
        queue.put_nowait(item)
    workers = [asyncio.create_task(work()) for _ in range(5)]
    try:
        await queue.join()
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [results[i] for i in sorted(results)]


async def waits_a_moment_for_those_cancelled(jobs):
    """still running. Await every task you start"""
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    tasks = [asyncio.create_task(run(job)) for job in jobs]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=0.01)


async def no_worker_for_a_single_job(jobs):
    """no job was run, of 1 job. Run each of them once"""
    results, rest = [None] * len(jobs), iter(enumerate(jobs))

    async def work():
        for i, job in rest:
            results[i] = await job()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(5, len(jobs) // 2)):
            group.create_task(work())
    return results


async def five_workers_share_an_iterator(jobs):
    results, numbered = [None] * len(jobs), iter(enumerate(jobs))

    async def work():
        for i, job in numbered:
            results[i] = await job()

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(work())
    return results


async def place_given_back_when_the_task_is_done(jobs):
    places, tasks = asyncio.BoundedSemaphore(5), []
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            await places.acquire()
            tasks.append(group.create_task(job()))
            tasks[-1].add_done_callback(lambda _: places.release())
    return [task.result() for task in tasks]


async def batches_in_a_group(jobs):
    results = []
    for i in range(0, len(jobs), 5):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job()) for job in jobs[i : i + 5]]
        results += [task.result() for task in tasks]
    return results


async def batches_of_coroutines_made_beforehand(jobs):
    coroutines, results = [job() for job in jobs], []
    for i in range(0, len(jobs), 5):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines[i : i + 5]]
        results += [task.result() for task in tasks]
    return results


async def workers_take_from_a_queue(jobs):
    queue, results = asyncio.Queue(), {}

    async def work():
        while not queue.empty():
            i, job = queue.get_nowait()
            results[i] = await job()

    for item in enumerate(jobs):
        queue.put_nowait(item)
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(work())
    return [results[i] for i in sorted(results)]


async def waits_for_the_first_of_five(jobs):
    under_way, tasks = set(), []
    try:
        for job in jobs:
            if len(under_way) == 5:
                done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            tasks.append(asyncio.create_task(job()))
            under_way.add(tasks[-1])
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def gather_and_an_end_in_good_order(jobs):
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    tasks = [asyncio.ensure_future(run(job)) for job in jobs]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def waits_for_all_and_raises_then(jobs):
    places = asyncio.Semaphore(5)

    async def run(job):
        async with places:
            return await job()

    results = await asyncio.gather(*[run(job) for job in jobs], return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


async def each_worker_has_its_share(jobs):
    results = [None] * len(jobs)

    async def work(first):
        for i in range(first, len(jobs), 5):
            results[i] = await jobs[i]()

    async with asyncio.TaskGroup() as group:
        for first in range(5):
            group.create_task(work(first))
    return tuple(results)


async def counted_with_a_condition(jobs):
    under_way, changed = 0, asyncio.Condition()

    async def run(job):
        nonlocal under_way
        async with changed:
            await changed.wait_for(lambda: under_way < 5)
            under_way += 1
        try:
            return await job()
        finally:
            under_way -= 1
            async with changed:
                changed.notify()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(job)) for job in jobs]
    return [task.result() for task in tasks]
