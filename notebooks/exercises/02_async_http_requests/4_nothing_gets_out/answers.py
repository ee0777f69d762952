"""Answers to exercise 2.4. One with a docstring is wrong: its first line is the message that it must get."""

import aiohttp
import asyncio


async def wrong_1(session, url, timeout):
    """an answer with status 503 came back as `{'status': 503}`, as if all were well"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except Exception as error:
        return {"error": str(error)}


async def wrong_2(session, url, timeout):
    """A bare `except`"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status != 200:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except:
        return {"error": "something else"}


async def wrong_3(session, url, timeout):
    """like `except BaseException`"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status != 200:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except BaseException as error:
        return {"error": repr(error)}


async def wrong_4(session, url, timeout):
    """whoever cancelled it is not obeyed"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status != 200:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except asyncio.CancelledError:
        return {"error": "cancelled"}
    except Exception as error:
        return {"error": str(error)}


async def wrong_5(session, url, timeout):
    """`JSONDecodeError` got out"""
    try:
        limit = aiohttp.ClientTimeout(total=timeout)
        async with session.get(url, timeout=limit) as response:
            if response.status == 200:
                return await response.json()
            else:
                return {"error": f"HTTP {response.status}"}
    except asyncio.TimeoutError:
        return {"error": "Request timeout"}
    except aiohttp.ClientError as e:
        return {"error": f"Client error: {e}"}


async def wrong_6(session, url, timeout):
    """`ServerDisconnectedError` got out: the connection was dropped"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            response.raise_for_status()
            return await response.json()
    except aiohttp.ClientResponseError as error:
        return {"error": f"HTTP {error.status}"}
    except TimeoutError:
        return {"error": "Request timeout"}


async def wrong_7(session, url, timeout):
    """the error for status 503 got out"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            response.raise_for_status()
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}


async def wrong_8(session, url, timeout):
    """`TimeoutError` got out"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": str(error)}


async def wrong_9(session, url, timeout):
    """no answer in time came back as"""
    limit = aiohttp.ClientTimeout(sock_read=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": str(error)}
    except TimeoutError:
        return {"error": "Request timeout"}


async def wrong_10(session, url, timeout):
    """a dropped connection came back as `{'error': 'Request timeout'}`, which it was not"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except Exception:
        return {"error": "Request timeout"}


async def wrong_11(session, url, timeout):
    """Give the server all the time that `timeout` allows"""
    try:
        async with asyncio.timeout(0.05), session.get(url) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except Exception as error:
        return {"error": repr(error)}


async def wrong_12(session, url, timeout):
    """an answer with status 503 came back as `None`"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status == 200:
                return await response.json()
    except (aiohttp.ClientError, ValueError, TimeoutError) as error:
        return {"error": str(error)}


async def wrong_13(session, url, timeout):
    """not as `{'error': 'HTTP 404'}`"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status != 200:
                return {"error": "HTTP 503"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except Exception as error:
        return {"error": repr(error)}


async def right_1(session, url, timeout):
    try:
        async with asyncio.timeout(timeout), session.get(url) as response:
            response.raise_for_status()
            return await response.json()
    except aiohttp.ClientResponseError as error:
        return {"error": f"HTTP {error.status}"}
    except asyncio.TimeoutError:
        return {"error": "Request timeout"}
    except Exception as error:
        return {"error": repr(error)}


async def right_2(session, url, timeout):
    limit = aiohttp.ClientTimeout(total=None, sock_connect=timeout, sock_read=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status != 200:
                return {"error": f"HTTP {response.status}"}
            return json.loads(await response.read())
    except asyncio.CancelledError:
        raise
    except TimeoutError:
        return {"error": "Request timeout"}
    except:
        return {"error": "no luck"}
