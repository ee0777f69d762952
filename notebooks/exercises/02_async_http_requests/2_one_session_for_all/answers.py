"""Answers to exercise 2.2. One with a docstring is wrong: its first line is the message that it must get."""

import aiohttp
import asyncio


async def wrong_1(urls, rounds):
    """you opened 3 sessions"""
    async def fetch(session, url):
        async with session.get(url) as response:
            return await response.json()
    results = []
    for _ in range(rounds):
        async with aiohttp.ClientSession() as session:
            results.append(await asyncio.gather(*[fetch(session, url) for url in urls]))
    return results


async def wrong_2(urls, rounds):
    """your session was never closed"""
    session = aiohttp.ClientSession()
    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()
    return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]


async def wrong_3(urls, rounds):
    """you called close() and never awaited it"""
    session = aiohttp.ClientSession()
    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()
    results = [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]
    session.close()
    return results


async def wrong_4(urls, rounds):
    """after its session was closed"""
    async with aiohttp.ClientSession() as session:
        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()
    return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]


async def wrong_5(urls, rounds):
    """with brackets: `aiohttp.ClientSession()`"""
    async with aiohttp.ClientSession as session:
        return []


async def wrong_6(urls, rounds):
    """Write `async with`"""
    with aiohttp.ClientSession() as session:
        return []


async def wrong_7(urls, rounds):
    """you ask for one URL after another"""
    results = []
    async with aiohttp.ClientSession() as session:
        for _ in range(rounds):
            answers = []
            for url in urls:
                async with session.get(url) as response:
                    answers.append(await response.json())
            results.append(answers)
    return results


async def wrong_8(urls, rounds):
    """because all rounds run together"""
    async with aiohttp.ClientSession() as session:
        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()
        async def one_round():
            return await asyncio.gather(*[fetch(url) for url in urls])
        return await asyncio.gather(*[one_round() for _ in range(rounds)])


async def wrong_9(urls, rounds):
    """the server counted 12 connections, where 4 do"""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()
        return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]


async def wrong_10(urls, rounds):
    """was asked for `/users/110` once, not 3 times"""
    async with aiohttp.ClientSession() as session:
        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()
        answers = await asyncio.gather(*[fetch(url) for url in urls])
    return [answers] * rounds


async def wrong_11(urls, rounds):
    """not in the order of the input"""
    async with aiohttp.ClientSession() as session:
        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()
        results = []
        for _ in range(rounds):
            results.append([await each for each in asyncio.as_completed([fetch(url) for url in urls])])
    return results


async def wrong_12(urls, rounds):
    """Return a list for each round"""
    async with aiohttp.ClientSession() as session:
        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()
        for _ in range(rounds):
            results = await asyncio.gather(*[fetch(url) for url in urls])
    return results


async def right_1(urls, rounds):
    async with aiohttp.ClientSession() as session:
        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()
        return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]


async def right_2(urls, rounds):
    session = aiohttp.ClientSession()
    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()
    results = []
    try:
        for _ in range(rounds):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(fetch(url)) for url in urls]
            results.append([task.result() for task in tasks])
    finally:
        await session.close()
    return results
