"""Answers to exercise 7.2. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import itertools


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
    """`work` was given 1 item where 3 are next"""
    return _flat(await _all([[item] for item in items], work, processes))


async def as_many_chunks_as_processes(items, work, size, processes):
    """Hand over `size` items in a row"""
    return _flat(await _all(_chunks(items, -(-len(items) // processes) or 1), work, processes))


async def everything_in_one(items, work, size, processes):
    """`work` was given 10 items where 3 are next"""
    return await work(items)


async def every_third(items, work, size, processes):
    """where"""
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
    """A result is"""
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
    """where"""
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
    """A call raised JobError, and you return"""

    async def careful(chunk):
        try:
            return await work(chunk)
        except Exception:
            return [None] * len(chunk)

    return _flat(await _all(_chunks(items, size), careful, processes))


async def in_rounds(items, work, size, processes):
    """A process had nothing to do while chunks were waiting"""
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
