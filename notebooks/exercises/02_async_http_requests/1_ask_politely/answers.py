"""Answers to exercise 2.1. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import json
import urllib.request

import aiohttp


async def json_not_awaited(session, url):
    """Write `await response.json()`"""
    async with session.get(url) as response:
        return response.json()


async def json_used_before_it_is_there(session, url):
    """Write `await` before it"""
    async with session.get(url) as response:
        data = response.json()
        return dict(data.items())


async def returns_the_text(session, url):
    """you return the body as it came"""
    async with session.get(url) as response:
        return await response.text()


async def returns_the_released_response(session, url):
    """you return the response"""
    async with session.get(url) as response:
        return response


async def returns_an_open_response(session, url):
    """you return the response"""
    return await session.get(url)


async def request_not_awaited(session, url):
    """alone is no response yet"""
    response = session.get(url)
    return await response.json()


async def plain_with(session, url):
    """Write `async with`"""
    with session.get(url) as response:
        return await response.json()


async def enters_the_url(session, url):
    """is a text. It wants a request"""
    async with url as response:
        return await response.json()


async def get_not_called(session, url):
    """Call it: `session.get(url)`"""
    async with session.get as response:
        return await response.json()


async def json_not_called(session, url):
    """Call it: `await response.json()`"""
    async with session.get(url) as response:
        return await response.json


async def reads_after_the_block(session, url):
    """after it was released"""
    async with session.get(url) as response:
        pass
    return await response.json()


def ordinary_function(session, url):
    """Define it with `async def`"""
    return session.get(url)


async def opens_a_session_of_its_own(session, url):
    """a session of your own"""
    async with aiohttp.ClientSession().get(url) as response:
        return await response.json()


async def closes_the_session(session, url):
    """you close the session that you were given"""
    async with session, session.get(url) as response:
        return await response.json()


async def asks_twice(session, url):
    """/orders` twice. Keep what the first one gave"""
    async with session.get(url) as response:
        if response.status == 200:
            async with session.get(url) as response:
                return await response.json()


async def one_blank_left(session, url):
    """there is still a `...`"""
    async with session.get(url) as response:
        return ...


async def urlopen_on_the_loop(session, url):
    """held the event loop: no other task could run meanwhile. Ask with a session of aiohttp"""
    with urllib.request.urlopen(url) as response:
        return json.load(response)


async def urlopen_in_a_thread(session, url):
    """you ask without the session that you were given"""

    def read():
        with urllib.request.urlopen(url) as response:
            return json.load(response)

    return await asyncio.to_thread(read)


async def posts(session, url):
    """you ask with POST. To get something, use `session.get`"""
    async with session.post(url) as response:
        return await response.json()


async def asks_for_the_head_first(session, url):
    """you ask for `/users/150/orders` twice"""
    async with session.head(url) as response:
        response.raise_for_status()
    async with session.get(url) as response:
        return await response.json()


async def not_released_if_the_status_is_bad(session, url):
    """response was never released"""
    response = await session.get(url)
    if response.status >= 400:
        raise aiohttp.ClientResponseError(response.request_info, (), status=response.status)
    return await response.json()


async def not_released_before_an_error_of_its_own(session, url):
    """response was never released"""
    response = await session.get(url)
    if response.status >= 400:
        raise ValueError(f"HTTP {response.status}")
    return await response.json()


async def wrong_name_after_a_bad_status(session, url):
    """your function raised AttributeError"""
    async with session.get(url) as response:
        if response.status >= 400:
            raise aiohttp.HTTPError(response.status)
        return await response.json()


async def falsy_answer_replaced(session, url):
    """. Return it, though it is falsy"""
    async with session.get(url) as response:
        return await response.json() or {}


async def first_thousand_bytes(session, url):
    """what you decode is not the whole body"""
    async with session.get(url) as response:
        return json.loads(await response.content.read(1000))


async def none_if_the_status_is_bad(session, url):
    """you return `None`. The server answered JSON there, too"""
    async with session.get(url) as response:
        if response.ok:
            return await response.json()


async def swallows_cancellation(session, url):
    """catches cancellation, too: name the errors you mean"""
    try:
        async with session.get(url) as response:
            return await response.json()
    except BaseException as error:
        return {"error": repr(error)}


async def never_asks(session, url):
    """the server was never asked"""
    return {"theme": "dark", "notifications": False, "language": "ar"}


async def half_of_the_answer(session, url):
    """Return the whole answer"""
    async with session.get(url) as response:
        answer = await response.json()
        return answer[0] if isinstance(answer, list) else dict(list(answer.items())[:1])


async def awaits_and_enters(session, url):
    async with await session.get(url) as response:
        return await response.json()


async def decodes_the_text_itself(session, url):
    async with session.request("GET", url) as response:
        return json.loads(await response.text())


async def releases_by_hand(session, url):
    response = await session.get(url)
    try:
        return await response.json()
    finally:
        response.release()


async def raises_for_a_bad_status(session, url):
    async with session.get(url, raise_for_status=True) as response:
        return await response.json()


async def raises_an_error_of_its_own_for_a_bad_status(session, url):
    async with session.get(url) as response:
        if response.status >= 400:
            raise RuntimeError(f"the server said {response.status}")
        return await response.json()


async def collects_the_chunks(session, url):
    async with session.get(url) as response:
        return json.loads(b"".join([chunk async for chunk in response.content.iter_any()]))


async def within_a_time(session, url):
    async with asyncio.timeout(10):
        async with session.get(url) as response:
            return await response.json(content_type=None)
