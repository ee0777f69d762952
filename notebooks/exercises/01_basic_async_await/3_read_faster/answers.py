"""Answers to exercise 1.3. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio


async def wrong_1(read, pages):
    """your code runs one after another"""
    return [await asyncio.create_task(read(page)) for page in pages]


async def wrong_2(read, pages):
    """not in the order of the input"""
    return [await each for each in asyncio.as_completed([read(page) for page in pages])]


async def wrong_3(read, pages):
    """Put a `*` before the list"""
    return await asyncio.gather([read(page) for page in pages])


async def wrong_4(read, pages):
    """were still running"""
    return asyncio.gather(*[read(page) for page in pages])


async def wrong_5(read, pages):
    """await"""
    return [read(page) for page in pages]


async def wrong_6(read, pages):
    """were still running"""
    tasks = [asyncio.create_task(read(page)) for page in pages]
    await asyncio.sleep(0)
    return [f"text of {page}" for page in pages]


async def wrong_7(read, pages):
    """never worked on: 'n'"""
    return await asyncio.gather(read(pages[0]), read(pages[1]), read(pages[2]))


async def right_1(read, pages):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(read(page)) for page in pages]
    return [task.result() for task in tasks]


async def right_2(read, pages):
    tasks = [asyncio.create_task(read(page)) for page in pages]
    return [await task for task in tasks]


async def right_3(read, pages):
    texts = {}
    async def keep(i, page):
        texts[i] = await read(page)
    await asyncio.gather(*[keep(i, page) for i, page in enumerate(pages)])
    return [texts[i] for i in sorted(texts)]
