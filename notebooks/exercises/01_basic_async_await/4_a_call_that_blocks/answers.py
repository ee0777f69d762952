"""Answers to exercise 1.4. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import concurrent.futures
import queue
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor


async def async_around_it(query, names):
    """held the event loop: no other task could run meanwhile. Hand it to `asyncio.to_thread` instead"""

    async def ask(name):
        return query(name)

    return await asyncio.gather(*[ask(name) for name in names])


async def lets_others_run_in_between(query, names):
    """held the event loop: no other task could run meanwhile. Hand it to `asyncio.to_thread` instead"""
    answers = []
    for name in names:
        answers.append(query(name))
        await asyncio.sleep(0)
    return answers


async def the_first_one_itself(query, names):
    """“first = query(names[0])” held the event loop"""
    if not names:
        return []
    others = asyncio.gather(*[asyncio.to_thread(query, name) for name in names[1:]])
    first = query(names[0])
    return [first, *await others]


async def calls_it_soon(query, names):
    """held the event loop: no other task could run meanwhile. Hand it to `asyncio.to_thread` instead"""
    loop, futures = asyncio.get_running_loop(), []
    for name in names:
        future = loop.create_future()
        loop.call_soon(lambda future=future, name=name: future.set_result(query(name)))
        futures.append(future)
    return await asyncio.gather(*futures)


async def gathers_numbers(query, names):
    """because it is a plain function"""
    return await asyncio.gather(*[query(name) for name in names])


async def awaits_a_number(query, names):
    """because it is a plain function"""
    return [await query(name) for name in names]


async def calls_it_too_early(query, names):
    """hand its *result* to a thread"""
    return await asyncio.gather(*[asyncio.to_thread(query(name)) for name in names])


async def calls_it_too_early_for_a_pool(query, names):
    """hand its *result* to a thread"""
    loop = asyncio.get_running_loop()
    return await asyncio.gather(*[loop.run_in_executor(None, query(name)) for name in names])


async def one_thread_after_the_other(query, names):
    """no two were ever under way at once"""
    return [await asyncio.to_thread(query, name) for name in names]


async def one_thread_for_all(query, names):
    """no two were ever under way at once"""
    return await asyncio.to_thread(lambda: [query(name) for name in names])


async def a_pool_of_one(query, names):
    """no two were ever under way at once"""
    loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(1)
    return await asyncio.gather(*[loop.run_in_executor(pool, query, name) for name in names])


async def a_pool_of_four(query, names):
    """most 4 were under way at once, where 5 should be"""
    loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(4)
    return await asyncio.gather(*[loop.run_in_executor(pool, query, name) for name in names])


async def a_pool_for_each(query, names):
    """“with ThreadPoolExecutor() as pool:” held the event loop"""
    loop, futures = asyncio.get_running_loop(), []
    for name in names:
        with ThreadPoolExecutor() as pool:
            futures.append(loop.run_in_executor(pool, query, name))
    return await asyncio.gather(*futures)


async def returns_the_coroutines(query, names):
    """returned a coroutine, which has not run"""
    return [asyncio.to_thread(query, name) for name in names]


async def waits_for_results(query, names):
    """“return [future.result() for future in futures]” held the event loop"""
    with ThreadPoolExecutor() as pool:
        futures = [pool.submit(query, name) for name in names]
        return [future.result() for future in futures]


async def maps_into_a_list(query, names):
    """“return list(pool.map(query, names))” held the event loop"""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(query, names))


async def maps_into_a_loop(query, names):
    """“for number in pool.map(query, names):” held the event loop"""
    numbers, pool = [], ThreadPoolExecutor()
    for number in pool.map(query, names):
        numbers.append(number)
        await asyncio.sleep(0)
    return numbers


async def waits_for_all_futures(query, names):
    """“concurrent.futures.wait(futures)” held the event loop"""
    pool = ThreadPoolExecutor()
    futures = [pool.submit(query, name) for name in names]
    concurrent.futures.wait(futures)
    return [future.result() for future in futures]


async def as_they_complete(query, names):
    """“for future in concurrent.futures.as_completed(futures):” held the event loop"""
    pool, numbers = ThreadPoolExecutor(), {}
    futures = {pool.submit(query, name): i for i, name in enumerate(names)}
    for future in concurrent.futures.as_completed(futures):
        numbers[futures[future]] = future.result()
    return [numbers[i] for i in range(len(names))]


async def joins_threads(query, names):
    """“thread.join()” held the event loop"""
    numbers = [None] * len(names)

    def ask(i):
        numbers[i] = query(names[i])

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(names))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return numbers


async def joins_for_a_while(query, names):
    """“thread.join(timeout=0.01)” held the event loop"""
    numbers = [None] * len(names)

    def ask(i):
        numbers[i] = query(names[i])

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(names))]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(timeout=0.01)
            await asyncio.sleep(0)
    return numbers


async def closes_the_pool(query, names):
    """“with ThreadPoolExecutor() as pool:” held the event loop"""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor() as pool:
        futures = [loop.run_in_executor(pool, query, name) for name in names]
    return await asyncio.gather(*futures)


async def shuts_the_pool_down(query, names):
    """“pool.shutdown()” held the event loop"""
    loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor()
    futures = [loop.run_in_executor(pool, query, name) for name in names]
    pool.shutdown()
    return await asyncio.gather(*futures)


async def waits_for_an_event(query, names):
    """“done.wait()” held the event loop"""
    numbers, done = [None] * len(names), threading.Event()

    def ask(i):
        numbers[i] = query(names[i])
        if None not in numbers:
            done.set()

    for i in range(len(names)):
        threading.Thread(target=ask, args=(i,)).start()
    if names:
        done.wait()
    return numbers


async def waits_at_a_queue(query, names):
    """“i, number = answers.get()” held the event loop"""
    answers, numbers = queue.Queue(), [None] * len(names)
    for i, name in enumerate(names):
        threading.Thread(target=lambda i=i, name=name: answers.put((i, query(name)))).start()
    for _ in names:
        i, number = answers.get()
        numbers[i] = number
    return numbers


async def waits_for_its_own_loop(query, names):
    """waits there for what only the loop could do"""
    loop = asyncio.get_running_loop()
    futures = [asyncio.run_coroutine_threadsafe(asyncio.to_thread(query, name), loop) for name in names]
    return [future.result() for future in futures]


async def in_other_processes(query, names):
    """another *process* cannot be given this `query`"""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor() as pool:
        return await asyncio.gather(*[loop.run_in_executor(pool, query, name) for name in names])


async def whichever_is_ready_first(query, names):
    """not in the order of the input"""
    return [await each for each in asyncio.as_completed([asyncio.to_thread(query, name) for name in names])]


async def each_adds_its_number(query, names):
    """not in the order of the input"""
    numbers = []

    def ask(name):
        numbers.append(query(name))

    await asyncio.gather(*[asyncio.to_thread(ask, name) for name in names])
    return numbers


async def by_name(query, names):
    """1 result is missing"""
    numbers = {}

    async def ask(name):
        numbers[name] = None
        numbers[name] = await asyncio.to_thread(query, name)

    await asyncio.gather(*[ask(name) for name in names])
    return list(numbers.values())


async def returns_a_dict(query, names):
    """not a list of 3 results"""
    return dict(zip(names, await asyncio.gather(*[asyncio.to_thread(query, name) for name in names])))


async def drops_zero(query, names):
    """missing: `0`"""
    return [number for number in await asyncio.gather(*[asyncio.to_thread(query, name) for name in names]) if number]


async def does_not_wait(query, names):
    """were still running"""
    tasks = [asyncio.create_task(asyncio.to_thread(query, name)) for name in names]
    await asyncio.sleep(0)
    return [task.result() for task in tasks if task.done()]


async def sleeps_a_second(query, names):
    """s are enough"""
    tasks = [asyncio.create_task(asyncio.to_thread(query, name)) for name in names]
    await asyncio.sleep(1)
    return [task.result() for task in tasks]


async def empties_the_list(query, names):
    """Leave it as it is"""
    tasks = []
    while names:
        tasks.append(asyncio.create_task(asyncio.to_thread(query, names.pop(0))))
    return [await task for task in tasks]


async def run_in_executor(query, names):
    loop = asyncio.get_running_loop()
    return await asyncio.gather(*[loop.run_in_executor(None, query, name) for name in names])


async def in_a_group(query, names):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asyncio.to_thread(query, name)) for name in names]
    return [task.result() for task in tasks]


async def a_pool_of_its_own(query, names):
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor() as pool:
        return await asyncio.gather(*[loop.run_in_executor(pool, query, name) for name in names])


async def five_at_a_time(query, names):
    places = asyncio.Semaphore(5)

    async def ask(name):
        async with places:
            return await asyncio.to_thread(query, name)

    return await asyncio.gather(*[ask(name) for name in names])


async def wraps_the_futures(query, names):
    pool = ThreadPoolExecutor()
    futures = [pool.submit(query, name) for name in names]
    return [await asyncio.wrap_future(future) for future in futures]


async def a_thread_maps(query, names):
    def ask_all():
        with ThreadPoolExecutor() as pool:
            return list(pool.map(query, names))

    return await asyncio.to_thread(ask_all)


async def a_thread_joins_threads(query, names):
    numbers = [None] * len(names)

    def ask(i):
        numbers[i] = query(names[i])

    def ask_all():
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(names))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    await asyncio.to_thread(ask_all)
    return numbers


async def threads_tell_the_loop(query, names):
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in names]

    def set_result(future, number):
        if not future.done():
            future.set_result(number)

    def ask(future, name):
        loop.call_soon_threadsafe(set_result, future, query(name))

    for future, name in zip(futures, names):
        threading.Thread(target=ask, args=(future, name)).start()
    return [await future for future in futures]


async def five_workers_at_a_queue(query, names):
    waiting, numbers = queue.Queue(), [None] * len(names)
    for each in enumerate(names):
        waiting.put(each)

    def work():
        while True:
            try:
                i, name = waiting.get(timeout=0.001)
            except queue.Empty:
                return
            numbers[i] = query(name)

    await asyncio.gather(*[asyncio.to_thread(work) for _ in range(5)])
    return numbers


async def each_name_once(query, names):
    tasks = {name: asyncio.create_task(asyncio.to_thread(query, name)) for name in names}
    return [await tasks[name] for name in names]
