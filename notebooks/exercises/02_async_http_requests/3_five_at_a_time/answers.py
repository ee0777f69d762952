"""Answers to exercise 2.3. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import json
import urllib.request

import aiohttp


async def semaphore_for_each_request(session, urls):
    """You make 12 semaphores"""

    async def fetch(url):
        async with asyncio.Semaphore(5), session.get(url) as response:
            return await response.json()

    return await asyncio.gather(*[fetch(url) for url in urls])


async def one_place_around_all(session, urls):
    """taken around all of them"""
    places = asyncio.Semaphore(5)

    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()

    async with places:
        return await asyncio.gather(*[fetch(url) for url in urls])


async def semaphore_not_used(session, urls):
    """Your semaphore is never acquired"""
    places = asyncio.Semaphore(5)

    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()

    return await asyncio.gather(*[fetch(url) for url in urls])


async def six_places(session, urls):
    """Give your semaphore 5 places"""
    places = asyncio.BoundedSemaphore(6)

    async def fetch(url):
        async with places, session.get(url) as response:
            return await response.json()

    return await asyncio.gather(*[fetch(url) for url in urls])


async def place_given_back_too_early(session, urls):
    """hold it until the work has ended"""
    places = asyncio.Semaphore(5)

    async def fetch(url):
        async with places:
            pass
        async with session.get(url) as response:
            return await response.json()

    return await asyncio.gather(*[fetch(url) for url in urls])


async def no_limit(session, urls):
    """12 requests were under way at once, where 5 are allowed"""

    async def fetch(url):
        response = await session.get(url)
        return await response.json()

    return await asyncio.gather(*[fetch(url) for url in urls])


async def one_after_another(session, urls):
    """you ask for one URL after another"""
    places = asyncio.Semaphore(5)
    results = []
    for url in urls:
        async with places, session.get(url) as response:
            results.append(await response.json())
    return results


async def semaphore_of_one(session, urls):
    """your semaphore lets only one through"""
    places = asyncio.Semaphore()

    async def fetch(url):
        async with places, session.get(url) as response:
            return await response.json()

    return await asyncio.gather(*[fetch(url) for url in urls])


async def plain_with(session, urls):
    """Write `async with`, not `with`"""
    places = asyncio.Semaphore(5)

    async def fetch(url):
        with places:
            async with session.get(url) as response:
                return await response.json()

    return await asyncio.gather(*[fetch(url) for url in urls])


async def only_the_first_five(session, urls):
    """was never asked for `/users/"""

    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()

    return await asyncio.gather(*[fetch(url) for url in urls[:5]])


async def in_the_order_of_completion(session, urls):
    """not in the order of the input"""
    places, results = asyncio.Semaphore(5), []

    async def fetch(url):
        async with places, session.get(url) as response:
            results.append(await response.json())

    await asyncio.gather(*[fetch(url) for url in urls])
    return results


async def closes_the_session(session, urls):
    """you close the session that you were given"""
    places = asyncio.Semaphore(5)

    async def fetch(url):
        async with places, session.get(url) as response:
            return await response.json()

    async with session:
        return await asyncio.gather(*[fetch(url) for url in urls])


async def body_read_without_a_place(session, urls):
    """a request lasts until its body is there"""
    places = asyncio.Semaphore(5)

    async def fetch(url):
        async with places:
            response = await session.get(url)
        async with response:
            return await response.json()

    return await asyncio.gather(*[fetch(url) for url in urls])


async def place_around_the_headers_by_hand(session, urls):
    """a request lasts until its body is there"""
    places = asyncio.Semaphore(5)

    async def fetch(url):
        await places.acquire()
        async with session.get(url) as response:
            places.release()
            return await response.json()

    return await asyncio.gather(*[fetch(url) for url in urls])


async def place_around_running_tasks(session, urls):
    """Take the place inside the task"""

    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()

    places, results = asyncio.Semaphore(5), []
    tasks = [asyncio.create_task(fetch(url)) for url in urls]
    for task in tasks:
        async with places:
            results.append(await task)
    return results


async def place_while_a_task_is_made(session, urls):
    """Take the place inside the task"""
    places = asyncio.Semaphore(5)

    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()

    async with asyncio.TaskGroup() as group:
        tasks = []
        for url in urls:
            async with places:
                tasks.append(group.create_task(fetch(url)))
    return [task.result() for task in tasks]


async def short_pause_after_five(session, urls):
    """requests were under way at once, where 5 are allowed"""

    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()

    tasks = []
    for i, url in enumerate(urls):
        if i and i % 5 == 0:
            await asyncio.sleep(0.001)
        tasks.append(asyncio.create_task(fetch(url)))
    return await asyncio.gather(*tasks)


async def long_pause_after_five(session, urls):
    """seconds none of your requests was under way"""

    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()

    tasks = []
    for i, url in enumerate(urls):
        if i and i % 5 == 0:
            await asyncio.sleep(0.3)
        tasks.append(asyncio.create_task(fetch(url)))
    return await asyncio.gather(*tasks)


async def last_batch_forgotten(session, urls):
    """was never asked for"""

    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()

    results = []
    for i in range(len(urls) // 5):
        results += await asyncio.gather(*[fetch(url) for url in urls[5 * i : 5 * i + 5]])
    return results


async def four_workers(session, urls):
    """never more than 4 requests were under way at once, where 5 may be"""
    numbered, results = iter(enumerate(urls)), {}

    async def work():
        for i, url in numbered:
            async with session.get(url) as response:
                results[i] = await response.json()

    await asyncio.gather(*[work() for _ in range(4)])
    return [results[i] for i in range(len(urls))]


async def each_worker_takes_all(session, urls):
    """5 times. Once is enough: keep what it gave"""
    results = {}

    async def work():
        for i, url in enumerate(urls):
            async with session.get(url) as response:
                results[i] = await response.json()

    await asyncio.gather(*[work() for _ in range(5)])
    return [results[i] for i in range(len(urls))]


async def workers_left_waiting(session, urls):
    """still running"""
    queue, results = asyncio.Queue(), {}

    async def work():
        while True:
            i, url = await queue.get()
            async with session.get(url) as response:
                results[i] = await response.json()
            queue.task_done()

    workers = [asyncio.create_task(work()) for _ in range(5)]
    for item in enumerate(urls):
        queue.put_nowait(item)
    await queue.join()
    return [results[i] for i in range(len(urls))]


async def tasks_outlive_a_cancellation(session, urls):
    """still running"""
    places = asyncio.Semaphore(5)

    async def fetch(url):
        async with places, session.get(url) as response:
            return await response.json()

    tasks = [asyncio.create_task(fetch(url)) for url in urls]
    await asyncio.wait(tasks)
    return [task.result() for task in tasks]


async def only_the_values(session, urls):
    """returned `None`, not a list of 12 results"""
    places = asyncio.Semaphore(5)

    async def fetch(url):
        async with places, session.get(url) as response:
            return await response.json()

    await asyncio.gather(*[fetch(url) for url in urls])


async def fetches_not_started(session, urls):
    """returned a coroutine, which has not run"""
    places = asyncio.Semaphore(5)

    async def fetch(url):
        async with places, session.get(url) as response:
            return await response.json()

    return [fetch(url) for url in urls]


async def urlopen_on_the_loop(session, urls):
    """a request that blocks"""
    places = asyncio.Semaphore(5)

    async def fetch(url):
        async with places:
            with urllib.request.urlopen(url) as response:
                return json.load(response)

    return await asyncio.gather(*[fetch(url) for url in urls])


async def falsy_answers_left_out(session, urls):
    """1 result is missing: `None`"""
    places = asyncio.Semaphore(5)

    async def fetch(url):
        async with places, session.get(url) as response:
            return await response.json()

    return [answer for answer in await asyncio.gather(*map(fetch, urls)) if answer]


async def errors_as_results(session, urls):
    """an answer is no JSON, and you return `[JSONDecodeError"""
    places = asyncio.Semaphore(5)

    async def fetch(url):
        async with places, session.get(url) as response:
            return await response.json()

    return await asyncio.gather(*map(fetch, urls), return_exceptions=True)


async def batches_of_five(session, urls):
    results = []

    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()

    for i in range(0, len(urls), 5):
        results += await asyncio.gather(*[fetch(url) for url in urls[i : i + 5]])
    return results


async def five_workers_share_a_queue(session, urls):
    queue, results = asyncio.Queue(), {}
    for item in enumerate(urls):
        queue.put_nowait(item)

    async def worker():
        while not queue.empty():
            i, url = queue.get_nowait()
            async with session.get(url) as response:
                results[i] = await response.json()

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(worker())
    return [results[i] for i in range(len(urls))]


async def session_of_five_connections(_, urls):
    """a session of your own. Ask with the one that you are given"""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=5)) as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        return await asyncio.gather(*[fetch(url) for url in urls])


places = asyncio.BoundedSemaphore(5)


async def semaphore_outside_of_the_function(session, urls):
    async def fetch(url):
        await places.acquire()
        try:
            async with session.get(url) as response:
                return await response.json()
        finally:
            places.release()

    return await asyncio.gather(*[fetch(url) for url in urls])


async def bounded_by_asking_again_and_again(session, urls):
    under_way, tasks = 0, []

    async def fetch(url):
        nonlocal under_way
        try:
            async with session.get(url) as response:
                return await response.json()
        finally:
            under_way -= 1

    async with asyncio.TaskGroup() as group:
        for url in urls:
            while under_way == 5:
                await asyncio.sleep(0.001)
            under_way += 1
            tasks.append(group.create_task(fetch(url)))
    return [task.result() for task in tasks]


async def waits_for_the_first_of_five(session, urls):
    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()

    tasks, pending = [], set()
    try:
        for url in urls:
            if len(pending) >= 5:
                _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            tasks.append(asyncio.create_task(fetch(url)))
            pending.add(tasks[-1])
        return [await task for task in tasks]
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def five_workers_share_an_iterator(session, urls):
    results, numbered = [None] * len(urls), iter(enumerate(urls))

    async def work():
        for i, url in numbered:
            async with session.get(url) as response:
                results[i] = json.loads(await response.read())

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(work())
    return results
