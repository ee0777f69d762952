"""Answers to exercise 7.2. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import itertools
import math
from collections import deque


def _chunks(items, size):
    return [items[start : start + size] for start in range(0, len(items), size)]


def _flat(lists):
    return [each for some in lists for each in some]


async def _all(chunks, work, at_once):
    places = asyncio.Semaphore(at_once)

    async def hand_over(chunk):
        async with places:
            return await work(chunk)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(hand_over(chunk)) for chunk in chunks]
    return [task.result() for task in tasks]


async def one_item_each(items, work, size, processes):
    """`work` was given 1 item, where a list of 3 is next"""
    return _flat(await _all([[item] for item in items], work, processes))


async def as_many_chunks_as_processes(items, work, size, processes):
    """Hand over `size` items in a row"""
    return _flat(await _all(_chunks(items, -(-len(items) // processes) or 1), work, processes))


async def everything_in_one(items, work, size, processes):
    """`work` was given 10 items, where a list of 3 is next"""
    return await work(items)


async def every_third(items, work, size, processes):
    """Keep the order of `items`"""
    number = -(-len(items) // size)
    return _flat(await _all([items[start::number] for start in range(number)], work, processes))


async def loses_the_rest(items, work, size, processes):
    """3 calls of `work`, where 4 are needed"""
    whole = len(items) // size * size
    return _flat(await _all(_chunks(items[:whole], size), work, processes))


async def all_at_once(items, work, size, processes):
    """4 calls were under way at once, where 2 are allowed"""
    return _flat(await _all(_chunks(items, size), work, len(items) + 1))


async def one_after_another(items, work, size, processes):
    """no two calls were ever under way at once"""
    return _flat([await work(chunk) for chunk in _chunks(items, size)])


async def as_many_at_once_as_items_in_a_chunk(items, work, size, processes):
    """3 calls were under way at once, where 2 are allowed"""
    return _flat(await _all(_chunks(items, size), work, size))


async def list_of_lists(items, work, size, processes):
    """result is"""
    return await _all(_chunks(items, size), work, processes)


async def in_order_of_completion(items, work, size, processes):
    """not in the order of the input"""
    places = asyncio.Semaphore(processes)

    async def hand_over(chunk):
        async with places:
            return await work(chunk)

    tasks = [asyncio.create_task(hand_over(chunk)) for chunk in _chunks(items, size)]
    try:
        return _flat([await each for each in asyncio.as_completed(tasks)])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def drops_what_is_falsy(items, work, size, processes):
    """missing"""
    return [each for each in _flat(await _all(_chunks(items, size), work, processes)) if each]


async def from_the_end(items, work, size, processes):
    """where a list of 3 is next"""
    lists = await _all(_chunks(items, size)[::-1], work, processes)
    return _flat(lists[::-1])


async def hands_over_tuples(items, work, size, processes):
    """It wants a list of items"""
    return _flat(await _all([tuple(chunk) for chunk in _chunks(items, size)], work, processes))


async def gather_leaves_the_others(items, work, size, processes):
    """were still running"""
    places = asyncio.Semaphore(processes)

    async def hand_over(chunk):
        async with places:
            return await work(chunk)

    return _flat(await asyncio.gather(*map(hand_over, _chunks(items, size))))


async def hides_what_fails(items, work, size, processes):
    """call raised JobError, and you return"""

    async def careful(chunk):
        try:
            return await work(chunk)
        except Exception:
            return [None] * len(chunk)

    return _flat(await _all(_chunks(items, size), careful, processes))


async def in_rounds(items, work, size, processes):
    """while a chunk was waiting"""
    results = []
    for some in _chunks(_chunks(items, size), processes):
        results += await _all(some, work, processes)
    return _flat(results)


async def empties_the_list(items, work, size, processes):
    """changed the list `items`"""
    chunks = []
    while items:
        chunks.append(items[:size])
        del items[:size]
    return _flat(await _all(chunks, work, processes))


async def chunks_of_the_same_length(items, work, size, processes):
    """where a list of 7 is next"""
    number = max(1, math.ceil(len(items) / size))
    length = max(1, math.ceil(len(items) / number))
    return _flat(await _all(_chunks(items, length), work, processes))


async def asks_now_and_then_for_a_free_place(items, work, size, processes):
    """while a chunk was waiting"""
    running, tasks = set(), []
    async with asyncio.TaskGroup() as group:
        for chunk in _chunks(items, size):
            while sum(not task.done() for task in tasks) >= processes:
                await asyncio.sleep(0.01)
            tasks.append(group.create_task(work(chunk)))
    return _flat(task.result() for task in tasks)


async def hands_over_iterators(items, work, size, processes):
    """It wants a list of items"""
    it = iter(items)
    return _flat(await _all([itertools.islice(it, size) for _ in range(math.ceil(len(items) / size))], work, processes))


async def waits_for_all_that_run(items, work, size, processes):
    """while a chunk was waiting"""
    out, running, rest = {}, {}, deque(enumerate(_chunks(items, size)))
    try:
        while rest or running:
            while rest and len(running) < processes:
                number, chunk = rest.popleft()
                running[asyncio.create_task(work(chunk))] = number
            done, _ = await asyncio.wait(running)
            for task in done:
                out[running.pop(task)] = task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return _flat(out[number] for number in sorted(out))


async def swallows_its_cancellation(items, work, size, processes):
    """function caught its cancellation"""
    try:
        return _flat(await _all(_chunks(items, size), work, processes))
    except asyncio.CancelledError:
        return []


async def joins_a_queue_whose_worker_failed(items, work, size, processes):
    """waits for what can never happen"""
    queue, out = asyncio.Queue(), {}
    for number, chunk in enumerate(_chunks(items, size)):
        queue.put_nowait((number, chunk))

    async def worker():
        while True:
            number, chunk = await queue.get()
            out[number] = await work(chunk)
            queue.task_done()

    ws = [asyncio.create_task(worker()) for _ in range(processes)]
    await queue.join()
    for each in ws:
        each.cancel()
    await asyncio.gather(*ws, return_exceptions=True)
    return _flat(out[number] for number in sorted(out))


async def semaphore_in_a_group(items, work, size, processes):
    return _flat(await _all(_chunks(items, size), work, processes))


async def workers_share_an_iterator(items, work, size, processes):
    waiting = iter(list(enumerate(_chunks(items, size))))
    results = {}

    async def worker():
        for number, chunk in waiting:
            results[number] = await work(chunk)

    async with asyncio.TaskGroup() as group:
        for _ in range(processes):
            group.create_task(worker())
    return [each for number in sorted(results) for each in results[number]]


async def cuts_with_islice(items, work, size, processes):
    rest = iter(items)
    chunks = list(iter(lambda: list(itertools.islice(rest, size)), []))
    return list(itertools.chain.from_iterable(await _all(chunks, work, processes)))


async def workers_of_a_queue(items, work, size, processes):
    queue, results = asyncio.Queue(), {}
    for number, chunk in enumerate(_chunks(items, size)):
        queue.put_nowait((number, chunk))

    async def worker():
        while not queue.empty():
            number, chunk = queue.get_nowait()
            results[number] = await work(chunk)

    async with asyncio.TaskGroup() as group:
        for _ in range(processes):
            group.create_task(worker())
    return _flat(results[number] for number in sorted(results))


async def takes_the_place_before_the_task(items, work, size, processes):
    places = asyncio.Semaphore(processes)
    async with asyncio.TaskGroup() as group:
        tasks = []
        for chunk in _chunks(items, size):
            await places.acquire()
            task = group.create_task(work(chunk))
            task.add_done_callback(lambda _: places.release())
            tasks.append(task)
    return _flat(task.result() for task in tasks)


async def waits_for_the_first_that_is_done(items, work, size, processes):
    out, running, rest = {}, {}, deque(enumerate(_chunks(items, size)))
    try:
        while rest or running:
            while rest and len(running) < processes:
                number, chunk = rest.popleft()
                running[asyncio.create_task(work(chunk))] = number
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                out[running.pop(task)] = task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return _flat(out[number] for number in sorted(out))


async def writes_into_slices(items, work, size, processes):
    out = [None] * len(items)
    starts = iter(range(0, len(items), size))

    async def worker():
        for start in starts:
            out[start : start + size] = await work(items[start : start + size])

    async with asyncio.TaskGroup() as group:
        for _ in range(processes):
            group.create_task(worker())
    return out


async def a_queue_of_free_places(items, work, size, processes):
    tokens = asyncio.Queue()
    for number in range(processes):
        tokens.put_nowait(number)

    async def one(chunk):
        token = await tokens.get()
        try:
            return await work(chunk)
        finally:
            tokens.put_nowait(token)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(chunk)) for chunk in _chunks(items, size)]
    return _flat(task.result() for task in tasks)
