"""Answers to exercise 2.4. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import json

import aiohttp


async def status_not_looked_at(session, url, timeout):
    """an answer with status 503 came back as `{'status': 503}`, as if all were well"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except Exception as error:
        return {"error": str(error)}


async def bare_except(session, url, timeout):
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


async def except_base_exception(session, url, timeout):
    """like `except BaseException`, catches cancellation, too"""
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


async def cancellation_as_an_error(session, url, timeout):
    """its cancellation is ignored"""
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


async def json_error_gets_out(session, url, timeout):
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


async def dropped_connection_gets_out(session, url, timeout):
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


async def status_raised_and_not_caught(session, url, timeout):
    """the error for status 503 got out"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            response.raise_for_status()
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}


async def timeout_gets_out(session, url, timeout):
    """`TimeoutError` got out"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": str(error)}


async def client_error_before_timeout(session, url, timeout):
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


async def all_errors_are_timeouts(session, url, timeout):
    """a dropped connection came back as `{'error': 'Request timeout'}`, which it was not"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except Exception:
        return {"error": "Request timeout"}


async def a_timeout_of_its_own(session, url, timeout):
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


async def nothing_for_a_bad_status(session, url, timeout):
    """came back as `None`, as if all were well"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status == 200:
                return await response.json()
    except (aiohttp.ClientError, ValueError, TimeoutError) as error:
        return {"error": str(error)}


async def always_404(session, url, timeout):
    """not as `{'error': 'HTTP 503'}`"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status != 200:
                return {"error": "HTTP 404"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except Exception as error:
        return {"error": repr(error)}


async def only_above_400(session, url, timeout):
    """an answer with status 400 came back as `{'status': 400}`, as if all were well"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status > 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": repr(error)}


async def only_500_and_more(session, url, timeout):
    """an answer with status 400 came back as"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status >= 500:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": repr(error)}


async def clock_around_the_headers_only(session, url, timeout):
    """was still waiting after its time"""
    try:
        async with asyncio.timeout(timeout):
            response = await session.get(url)
        async with response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": repr(error)}


async def no_clock(session, url, timeout):
    """was still waiting after its time"""
    try:
        async with session.get(url) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": repr(error)}


async def timeout_in_milliseconds(session, url, timeout):
    """Give the server all the time that `timeout` allows"""
    try:
        async with asyncio.timeout(timeout / 1000), session.get(url) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": repr(error)}


async def only_disconnections_before_the_answer(session, url, timeout):
    """got out: the connection was dropped"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ServerDisconnectedError, ValueError) as error:
        return {"error": repr(error)}


async def only_two_kinds_of_client_error(session, url, timeout):
    """`TooManyRedirects` got out: the address leads in a circle"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ValueError) as error:
        return {"error": repr(error)}


async def empty_text(session, url, timeout):
    """Say in a text what went wrong"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": "" if isinstance(error, aiohttp.ClientPayloadError) else repr(error)}


async def error_instead_of_a_text(session, url, timeout):
    """Say in a text what went wrong"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": error}


async def status_as_a_number(session, url, timeout):
    """not as `{'error': 'HTTP 503'}`"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if not response.ok:
                return {"error": str(response.status)}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": repr(error)}


async def broken_json_is_a_timeout(session, url, timeout):
    """an answer that is no JSON came back as `{'error': 'Request timeout'}`, which it was not"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except (TimeoutError, ValueError):
        return {"error": "Request timeout"}
    except aiohttp.ClientError as error:
        return {"error": repr(error)}


async def cancelled_in_the_body(session, url, timeout):
    """its cancellation is ignored"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            try:
                return await response.json()
            except asyncio.CancelledError:
                return {"error": "cut short"}
    except TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": repr(error)}


async def not_released_if_the_status_is_bad(session, url, timeout):
    """after status 503 a response was never released"""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        response = await session.get(url, timeout=limit)
        if response.status >= 400:
            return {"error": f"HTTP {response.status}"}
        return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": repr(error)}


async def request_left_running(session, url, timeout):
    """still running"""

    async def fetch():
        async with session.get(url) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()

    task = asyncio.create_task(fetch())
    done, _ = await asyncio.wait([task], timeout=timeout)
    if not done:
        return {"error": "Request timeout"}
    try:
        return task.result()
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": repr(error)}


async def clocks_of_the_socket_only(session, url, timeout):
    """Let one clock run for all of it"""
    try:
        async with session.get(
            url, timeout=aiohttp.ClientTimeout(total=None, sock_connect=timeout, sock_read=timeout)
        ) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except Exception as error:
        return {"error": repr(error)}


async def a_clock_for_each_half(session, url, timeout):
    """Let one clock run for all of it"""
    try:
        async with asyncio.timeout(timeout):
            response = await session.get(url)
        async with response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            async with asyncio.timeout(timeout):
                return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except Exception as error:
        return {"error": repr(error)}


async def body_read_before_the_status(session, url, timeout):
    """Look at the status before you read the body"""
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=timeout)) as response:
            answer = await response.json()
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return answer
    except TimeoutError:
        return {"error": "Request timeout"}
    except Exception as error:
        return {"error": repr(error)}


async def undecodable_body_gets_out(session, url, timeout):
    """`UnicodeDecodeError` got out: the body was no text"""
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=timeout)) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ClientError, json.JSONDecodeError) as error:
        return {"error": repr(error)}


async def page_gets_out(session, url, timeout):
    """`ContentTypeError` got out: the body was a page"""
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=timeout)) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, aiohttp.TooManyRedirects, ValueError) as error:
        return {"error": repr(error)}


async def statuses_that_sound_like_a_timeout(session, url, timeout):
    """an answer with status 408 came back as"""
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=timeout)) as response:
            if response.status in (408, 504):
                return {"error": "Request timeout"}
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except Exception as error:
        return {"error": repr(error)}


async def falsy_answer_is_an_error(session, url, timeout):
    """Return that, though it is falsy"""
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=timeout)) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json() or {"error": "no answer"}
    except TimeoutError:
        return {"error": "Request timeout"}
    except Exception as error:
        return {"error": repr(error)}


async def asyncio_timeout(session, url, timeout):
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


async def timeouts_of_the_socket(session, url, timeout):
    limit = aiohttp.ClientTimeout(total=timeout, sock_connect=timeout, sock_read=timeout)
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


async def wait_for(session, url, timeout):
    async def fetch():
        async with session.get(url) as response:
            if not response.ok:
                return {"error": f"HTTP {response.status}"}
            return await response.json(content_type=None)

    try:
        return await asyncio.wait_for(fetch(), timeout)
    except TimeoutError:
        return {"error": "Request timeout"}
    except Exception as error:
        return {"error": type(error).__name__}


async def session_of_its_own(_, url, timeout):
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with aiohttp.ClientSession(timeout=limit, raise_for_status=True) as session, session.get(url) as response:
            return await response.json()
    except aiohttp.ClientResponseError as error:
        return {"error": f"HTTP {error.status}"}
    except asyncio.TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": f"failed: {error!r}"}


async def asks_which_error_it_is(session, url, timeout):
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except Exception as error:
        return {"error": "Request timeout" if isinstance(error, TimeoutError) else repr(error)}


async def cancels_its_task(session, url, timeout):
    async def fetch():
        async with session.get(url) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()

    task = asyncio.create_task(fetch())
    try:
        done, _ = await asyncio.wait([task], timeout=timeout)
        return task.result() if done else {"error": "Request timeout"}
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": repr(error)}
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
