"""Answers to exercise 1.4. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio


async def wrong_1(query, names):
    """`query` ran on the event loop's own thread"""
    async def ask(name):
        return query(name)
    return await asyncio.gather(*[ask(name) for name in names])


async def wrong_2(query, names):
    """because it is a plain function"""
    return await asyncio.gather(*[query(name) for name in names])


async def wrong_3(query, names):
    """because it is a plain function"""
    return [await query(name) for name in names]


async def wrong_4(query, names):
    """hand its *result* to a thread"""
    return await asyncio.gather(*[asyncio.to_thread(query(name)) for name in names])


async def wrong_5(query, names):
    """at most 1 of 3 ran at the same time"""
    return [await asyncio.to_thread(query, name) for name in names]


async def wrong_6(query, names):
    """at most 1 of 3 ran at the same time"""
    return await asyncio.to_thread(lambda: [query(name) for name in names])


async def wrong_7(query, names):
    """await"""
    return [asyncio.to_thread(query, name) for name in names]


async def right_1(query, names):
    loop = asyncio.get_running_loop()
    return await asyncio.gather(*[loop.run_in_executor(None, query, name) for name in names])


async def right_2(query, names):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asyncio.to_thread(query, name)) for name in names]
    return [task.result() for task in tasks]
