"""Answers to exercise 2.1. One with a docstring is wrong: its first line is the message that it must get."""

import aiohttp


async def wrong_1(session, url):
    """Write `await response.json()`"""
    async with session.get(url) as response:
        return response.json()


async def wrong_2(session, url):
    """Write `await` before it"""
    async with session.get(url) as response:
        data = response.json()
        return dict(data.items())


async def wrong_3(session, url):
    """you return the body as it came"""
    async with session.get(url) as response:
        return await response.text()


async def wrong_4(session, url):
    """you return the response"""
    async with session.get(url) as response:
        return response


async def wrong_5(session, url):
    """you return the response"""
    return await session.get(url)


async def wrong_6(session, url):
    """alone is no response yet"""
    response = session.get(url)
    return await response.json()


async def wrong_7(session, url):
    """Write `async with`"""
    with session.get(url) as response:
        return await response.json()


async def wrong_8(session, url):
    """is a text. It wants a request"""
    async with url as response:
        return await response.json()


async def wrong_9(session, url):
    """Call it: `session.get(url)`"""
    async with session.get as response:
        return await response.json()


async def wrong_10(session, url):
    """Call it: `await response.json()`"""
    async with session.get(url) as response:
        return await response.json


async def wrong_11(session, url):
    """after it was released"""
    async with session.get(url) as response:
        pass
    return await response.json()


def wrong_12(session, url):
    """Define it with async def"""
    return session.get(url)


async def wrong_13(session, url):
    """a session of your own"""
    async with aiohttp.ClientSession().get(url) as response:
        return await response.json()


async def wrong_14(session, url):
    """you close the session that you were given"""
    async with session, session.get(url) as response:
        return await response.json()


async def wrong_15(session, url):
    """asked for `/users/107` twice"""
    async with session.get(url) as response:
        if response.status == 200:
            async with session.get(url) as response:
                return await response.json()


async def wrong_16(session, url):
    """there is still a `...`"""
    async with session.get(url) as response:
        return ...


async def right_1(session, url):
    async with await session.get(url) as response:
        return await response.json()


async def right_2(session, url):
    async with session.request("GET", url) as response:
        return json.loads(await response.text())


async def right_3(session, url):
    response = await session.get(url)
    try:
        return await response.json()
    finally:
        response.release()
