"""Answers to exercise 2.5. One with a docstring is wrong: its first line is the message that it must get."""

import aiohttp
import asyncio
import time


async def wrong_1(session, url):
    """after status 404, the server had been asked 3 times. Asking again does not help"""
    for attempt in range(3):
        try:
            async with session.get(url) as response:
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientError:
            if attempt == 2:
                raise
        await asyncio.sleep(0.02)


async def wrong_2(session, url):
    """and the third attempt you return `{'error':"""
    for attempt in range(3):
        async with session.get(url) as response:
            if response.status == 404:
                response.raise_for_status()
            if response.status < 500 or attempt == 2:
                return await response.json()
        await asyncio.sleep(0.02)


async def wrong_3(session, url):
    """after two answers 503, the server had been asked twice, not 3 times"""
    for attempt in range(2):
        try:
            async with session.get(url) as response:
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 1 or error.status < 500 and error.status != 429:
                raise
        await asyncio.sleep(0.02)


async def wrong_4(session, url):
    """after status 503, the server had been asked 4 times, not 3 times"""
    for attempt in range(4):
        try:
            async with session.get(url) as response:
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 3 or error.status < 500 and error.status != 429:
                raise
        await asyncio.sleep(0.02)


async def wrong_5(session, url):
    """after status 503 and the third attempt you return `None`"""
    for attempt in range(3):
        try:
            async with session.get(url) as response:
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if error.status < 500 and error.status != 429:
                raise
        await asyncio.sleep(0.02)


async def wrong_6(session, url):
    """after status 503 you raise `RuntimeError`"""
    for attempt in range(3):
        try:
            async with session.get(url) as response:
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if error.status < 500 and error.status != 429:
                raise
        await asyncio.sleep(0.02)
    raise RuntimeError("three attempts failed")


async def wrong_7(session, url):
    """after a dropped connection, the server had been asked once, not 3 times"""
    for attempt in range(3):
        try:
            async with session.get(url) as response:
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or error.status < 500 and error.status != 429:
                raise
        await asyncio.sleep(0.02)


async def wrong_8(session, url):
    """you asked again before that"""
    for attempt in range(3):
        try:
            async with session.get(url) as response:
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or error.status < 500 and error.status != 429:
                raise
        except aiohttp.ClientError:
            if attempt == 2:
                raise
        await asyncio.sleep(0.02)


async def wrong_9(session, url):
    """after status 429 you give up"""
    for attempt in range(3):
        try:
            async with session.get(url) as response:
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or error.status < 500:
                raise
        except aiohttp.ClientError:
            if attempt == 2:
                raise
        await asyncio.sleep(0.02)


async def wrong_10(session, url):
    """Use `float` for it"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = int(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or error.status < 500 and error.status != 429:
                raise
        except aiohttp.ClientError:
            if attempt == 2:
                raise
        await asyncio.sleep(wait)


async def wrong_11(session, url):
    """Make a number of it first"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = response.headers["Retry-After"]
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or error.status < 500 and error.status != 429:
                raise
        except aiohttp.ClientError:
            if attempt == 2:
                raise
        await asyncio.sleep(wait)


async def wrong_12(session, url):
    """only a 429 has the header"""
    async with session.get(url) as response:
        wait = float(response.headers["Retry-After"])
        return await response.json()


async def wrong_13(session, url):
    """time.sleep(0.02) held the event loop"""
    for attempt in range(3):
        try:
            async with session.get(url) as response:
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientError as error:
            if attempt == 2 or getattr(error, "status", 500) < 500:
                raise
        time.sleep(0.02)


async def wrong_14(session, url):
    """catches cancellation, too"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or error.status < 500 and error.status != 429:
                raise
        except aiohttp.ClientError:
            if attempt == 2:
                raise
        except BaseException:
            return None
        await asyncio.sleep(wait)


async def wrong_15(session, url):
    """was cancelled, and ran on"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except BaseException as error:
            status = getattr(error, "status", 500)
            if attempt == 2 or status < 500 and status != 429:
                raise
        await asyncio.sleep(wait)


async def wrong_16(session, url):
    """NameError"""
    async with session.get(url) as response:
        return await answer.json()


async def right_1(session, url):
    left = 3
    while True:
        left -= 1
        async with asyncio.timeout(10):
            try:
                async with session.get(url, raise_for_status=True) as response:
                    return await response.json()
            except aiohttp.ClientError as error:
                status = getattr(error, "status", 500)
                if not left or (status != 429 and status < 500):
                    raise
                wait = float(error.headers["Retry-After"]) if status == 429 else 0.02
        await asyncio.sleep(wait)
