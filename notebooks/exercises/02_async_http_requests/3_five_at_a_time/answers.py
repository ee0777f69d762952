"""Answers to exercise 2.3. One with a docstring is wrong: its first line is the message that it must get."""

import aiohttp
import asyncio
import queue


async def wrong_1(session, urls):
    """you make 12 semaphores"""
    async def fetch(url):
        async with asyncio.Semaphore(5), session.get(url) as response:
            return await response.json()
    return await asyncio.gather(*[fetch(url) for url in urls])


async def wrong_2(session, urls):
    """taken around all of them"""
    places = asyncio.Semaphore(5)
    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()
    async with places:
        return await asyncio.gather(*[fetch(url) for url in urls])


async def wrong_3(session, urls):
    """nobody takes a place in your semaphore"""
    places = asyncio.Semaphore(5)
    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()
    return await asyncio.gather(*[fetch(url) for url in urls])


async def wrong_4(session, urls):
    """Give your semaphore 5 places"""
    places = asyncio.BoundedSemaphore(6)
    async def fetch(url):
        async with places, session.get(url) as response:
            return await response.json()
    return await asyncio.gather(*[fetch(url) for url in urls])


async def wrong_5(session, urls):
    """hold one until the body has been read"""
    places = asyncio.Semaphore(5)
    async def fetch(url):
        async with places:
            pass
        async with session.get(url) as response:
            return await response.json()
    return await asyncio.gather(*[fetch(url) for url in urls])


async def wrong_6(session, urls):
    """12 of your requests at once, where 5 are allowed"""
    async def fetch(url):
        response = await session.get(url)
        return await response.json()
    return await asyncio.gather(*[fetch(url) for url in urls])


async def wrong_7(session, urls):
    """never had two of your requests at once"""
    places = asyncio.Semaphore(5)
    results = []
    for url in urls:
        async with places, session.get(url) as response:
            results.append(await response.json())
    return results


async def wrong_8(session, urls):
    """your semaphore lets only one through"""
    places = asyncio.Semaphore()
    async def fetch(url):
        async with places, session.get(url) as response:
            return await response.json()
    return await asyncio.gather(*[fetch(url) for url in urls])


async def wrong_9(_, urls):
    """your own session lets only one through"""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()
        return await asyncio.gather(*[fetch(url) for url in urls])


async def wrong_10(session, urls):
    """Write `async with`, not `with`"""
    places = asyncio.Semaphore(5)
    async def fetch(url):
        with places:
            async with session.get(url) as response:
                return await response.json()
    return await asyncio.gather(*[fetch(url) for url in urls])


async def wrong_11(session, urls):
    """was never asked for `/users/125`"""
    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()
    return await asyncio.gather(*[fetch(url) for url in urls[:5]])


async def wrong_12(session, urls):
    """not in the order of the input"""
    places, results = asyncio.Semaphore(5), []
    async def fetch(url):
        async with places, session.get(url) as response:
            results.append(await response.json())
    await asyncio.gather(*[fetch(url) for url in urls])
    return results


async def wrong_13(session, urls):
    """you close the session that you were given"""
    places = asyncio.Semaphore(5)
    async def fetch(url):
        async with places, session.get(url) as response:
            return await response.json()
    async with session:
        return await asyncio.gather(*[fetch(url) for url in urls])


async def right_1(session, urls):
    results = []
    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()
    for i in range(0, len(urls), 5):
        results += await asyncio.gather(*[fetch(url) for url in urls[i : i + 5]])
    return results


async def right_2(session, urls):
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


async def right_3(_, urls):
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=5)) as session:
        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()
        return await asyncio.gather(*[fetch(url) for url in urls])


places = asyncio.BoundedSemaphore(5)
async def right_4(session, urls):
    async def fetch(url):
        await places.acquire()
        try:
            async with session.get(url) as response:
                return await response.json()
        finally:
            places.release()
    return await asyncio.gather(*[fetch(url) for url in urls])
