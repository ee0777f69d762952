"""Answers to exercise 1.3. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio


async def awaits_each_task_at_once(read, pages):
    """no two were ever under way at once"""
    return [await asyncio.create_task(read(page)) for page in pages]


async def a_group_for_each(read, pages):
    """no two were ever under way at once"""
    texts = []
    for page in pages:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(read(page))
        texts.append(task.result())
    return texts


async def behind_a_lock(read, pages):
    """no two were ever under way at once"""
    lock = asyncio.Lock()

    async def one(page):
        async with lock:
            return await read(page)

    return await asyncio.gather(*[one(page) for page in pages])


async def in_pairs(read, pages):
    """most 2 were under way at once, where 3 should be"""
    texts = []
    for i in range(0, len(pages), 2):
        texts += await asyncio.gather(*[read(page) for page in pages[i : i + 2]])
    return texts


async def eight_at_a_time(read, pages):
    """most 8 were under way at once"""
    texts = []
    for i in range(0, len(pages), 8):
        texts += await asyncio.gather(*[read(page) for page in pages[i : i + 8]])
    return texts


async def behind_a_semaphore_of_fifty(read, pages):
    """most 50 were under way at once, where 100 should be"""
    places = asyncio.Semaphore(50)

    async def one(page):
        async with places:
            return await read(page)

    return await asyncio.gather(*[one(page) for page in pages])


async def whichever_is_ready_first(read, pages):
    """not in the order of the input"""
    return [await each for each in asyncio.as_completed([read(page) for page in pages])]


async def each_adds_its_text(read, pages):
    """not in the order of the input"""
    texts = []

    async def one(page):
        texts.append(await read(page))

    await asyncio.gather(*[one(page) for page in pages])
    return texts


async def in_alphabetical_order(read, pages):
    """not in the order of the input"""
    return sorted(await asyncio.gather(*[read(page) for page in pages]))


async def sorts_the_pages(read, pages):
    """not in the order of the input"""
    return await asyncio.gather(*[read(page) for page in sorted(pages)])


async def in_the_order_of_a_set(read, pages):
    """not in the order of the input"""
    if not pages:
        return []
    done, _ = await asyncio.wait([asyncio.create_task(read(page)) for page in pages])
    return [task.result() for task in done]


async def forgets_the_star(read, pages):
    """Put a `*` before the list"""
    return await asyncio.gather([read(page) for page in pages])


async def forgets_to_await_gather(read, pages):
    """Write await before the call that gave it, such as `asyncio.gather(…)`"""
    return asyncio.gather(*[read(page) for page in pages])


async def returns_the_coroutines(read, pages):
    """Write await before the call that made it"""
    return [read(page) for page in pages]


async def returns_the_tasks(read, pages):
    """returned a task, not its result"""
    tasks = [asyncio.create_task(read(page)) for page in pages]
    await asyncio.gather(*tasks)
    return tasks


async def puts_a_coroutine_function_in_a_thread(read, pages):
    """which has not run. Write await"""
    return await asyncio.gather(*[asyncio.to_thread(read, page) for page in pages])


async def makes_up_the_texts(read, pages):
    """were still running"""
    tasks = [asyncio.create_task(read(page)) for page in pages]
    await asyncio.sleep(0)
    return [f"text of {page}" for page in pages]


async def stops_at_the_first(read, pages):
    """were still running"""
    tasks = [asyncio.create_task(read(page)) for page in pages]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return [task.result() for task in tasks if task.done()]


async def three_pages_and_no_more(read, pages):
    """was never run. Leave none out"""
    return await asyncio.gather(read(pages[0]), read(pages[1]), read(pages[2]))


async def three_pages_or_fewer(read, pages):
    """was never run. Leave none out"""
    return await asyncio.gather(*[read(page) for page in pages[:3]])


async def reads_the_first_page_twice(read, pages):
    """was run twice. Once is enough"""
    if pages:
        await read(pages[0])
    return await asyncio.gather(*[read(page) for page in pages])


async def drops_repeated_pages(read, pages):
    """1 result is missing"""
    return await asyncio.gather(*[read(page) for page in dict.fromkeys(pages)])


async def by_the_name_of_the_page(read, pages):
    """1 result is missing"""
    texts = {}

    async def one(page):
        texts[page] = None
        texts[page] = await read(page)

    await asyncio.gather(*[one(page) for page in pages])
    return list(texts.values())


async def drops_empty_texts(read, pages):
    """1 result is missing: `''`"""
    return [text for text in await asyncio.gather(*[read(page) for page in pages]) if text]


async def one_long_text(read, pages):
    """not a list of 3 results"""
    return "".join(await asyncio.gather(*[read(page) for page in pages]))


async def nothing_to_wait_for(read, pages):
    """there may be no page at all"""
    tasks = [asyncio.create_task(read(page)) for page in pages]
    await asyncio.wait(tasks)
    return [task.result() for task in tasks]


async def empties_the_list(read, pages):
    """Leave it as it is"""
    tasks = []
    while pages:
        tasks.append(asyncio.create_task(read(pages.pop(0))))
    return [await task for task in tasks]


async def sleeps_long_enough(read, pages):
    """s are enough"""
    tasks = [asyncio.create_task(read(page)) for page in pages]
    await asyncio.sleep(0.2)
    return [task.result() for task in tasks]


async def in_a_group(read, pages):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(read(page)) for page in pages]
    return [task.result() for task in tasks]


async def tasks_awaited_in_a_row(read, pages):
    tasks = [asyncio.create_task(read(page)) for page in pages]
    return [await task for task in tasks]


async def by_their_numbers(read, pages):
    texts = {}

    async def keep(i, page):
        texts[i] = await read(page)

    await asyncio.gather(*[keep(i, page) for i, page in enumerate(pages)])
    return [texts[i] for i in sorted(texts)]


async def each_page_once(read, pages):
    tasks = {page: asyncio.create_task(read(page)) for page in pages}
    return [await tasks[page] for page in pages]


async def waits_if_there_is_something(read, pages):
    tasks = [asyncio.create_task(read(page)) for page in pages]
    if tasks:
        await asyncio.wait(tasks)
    return [task.result() for task in tasks]


async def each_fills_its_place(read, pages):
    texts = [None] * len(pages)

    async def fill(i):
        texts[i] = await read(pages[i])

    async with asyncio.TaskGroup() as group:
        for i in range(len(pages)):
            group.create_task(fill(i))
    return texts


async def begins_at_the_last(read, pages):
    return (await asyncio.gather(*[read(page) for page in reversed(pages)]))[::-1]
