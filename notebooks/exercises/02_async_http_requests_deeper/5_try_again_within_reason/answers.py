"""Answers to exercise 2.5. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import json
import time

import aiohttp


async def every_client_error_again(session, url):
    """after status 404 you ask again. That does not help there"""
    for attempt in range(3):
        try:
            async with session.get(url) as response:
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientError:
            if attempt == 2:
                raise
        await asyncio.sleep(0.02)


async def returns_the_body_of_the_last_error(session, url):
    """and the third attempt you return `{'error':"""
    for attempt in range(3):
        async with session.get(url) as response:
            if response.status == 404:
                response.raise_for_status()
            if response.status < 500 or attempt == 2:
                return await response.json()
        await asyncio.sleep(0.02)


async def two_attempts(session, url):
    """after status 503 you asked only twice in all"""
    for attempt in range(2):
        try:
            async with session.get(url) as response:
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 1 or error.status < 500 and error.status != 429:
                raise
        await asyncio.sleep(0.02)


async def four_attempts(session, url):
    """after status 503 you ask 4 times, not 3 times"""
    for attempt in range(4):
        try:
            async with session.get(url) as response:
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 3 or error.status < 500 and error.status != 429:
                raise
        await asyncio.sleep(0.02)


async def nothing_after_the_last_attempt(session, url):
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


async def raises_an_error_of_its_own(session, url):
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


async def dropped_connection_not_again(session, url):
    """after a dropped connection you asked only once in all"""
    for attempt in range(3):
        try:
            async with session.get(url) as response:
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or error.status < 500 and error.status != 429:
                raise
        await asyncio.sleep(0.02)


async def always_the_short_pause(session, url):
    """which says how long to wait, you ask again before that"""
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


async def gives_up_after_429(session, url):
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


async def whole_seconds(session, url):
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


async def header_left_a_text(session, url):
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


async def header_without_a_look_at_the_status(session, url):
    """only a 429 has the header"""
    async with session.get(url) as response:
        wait = float(response.headers["Retry-After"])
        return await response.json()


async def blocking_sleep(session, url):
    """`time.sleep(0.02)`"""
    for attempt in range(3):
        try:
            async with session.get(url) as response:
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientError as error:
            if attempt == 2 or getattr(error, "status", 500) < 500:
                raise
        time.sleep(0.02)


async def except_base_exception_returns(session, url):
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
        except ValueError:
            raise
        except BaseException:
            return None
        await asyncio.sleep(wait)


async def except_base_exception_tries_again(session, url):
    """its cancellation is ignored"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except BaseException as error:
            status = 400 if isinstance(error, ValueError) else getattr(error, "status", 500)
            if attempt == 2 or status < 500 and status != 429:
                raise
        await asyncio.sleep(wait)


async def unknown_name(session, url):
    """NameError"""
    async with session.get(url) as response:
        return await answer.json()


async def only_503_again(session, url):
    """after status 500 you asked only once in all"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or error.status not in (429, 503):
                raise
        except aiohttp.ClientError:
            if attempt == 2:
                raise
        await asyncio.sleep(wait)


async def only_above_500_again(session, url):
    """after status 500 you asked only once in all"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or error.status <= 500 and error.status != 429:
                raise
        except aiohttp.ClientError:
            if attempt == 2:
                raise
        await asyncio.sleep(wait)


async def no_pause(session, url):
    """Sleep for 0.02 seconds first"""
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
        await asyncio.sleep(wait if wait != 0.02 else 0)


async def pause_of_a_second(session, url):
    """after status 503 you ask again 1 seconds later, where 0.02 are right"""
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
        await asyncio.sleep(wait if wait != 0.02 else 1)


async def growing_pause(session, url):
    """after status 503 you ask again 0.04 seconds later, where 0.02 are right"""
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
        await asyncio.sleep(wait if wait != 0.02 else wait * 2**attempt)


async def half_of_the_time_told(session, url):
    """which says how long to wait, you ask again before that"""
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
        await asyncio.sleep(wait if wait == 0.02 else wait / 2)


async def ten_times_the_time_told(session, url):
    """seconds later, where 0.7 are right"""
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
        await asyncio.sleep(wait if wait == 0.02 else wait * 10)


async def broken_json_again(session, url):
    """after an answer that is no JSON you ask again"""
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
        except ValueError:
            if attempt == 2:
                raise
        await asyncio.sleep(wait)


async def raises_the_first_error(session, url):
    """you raise the error of an earlier attempt, with status 503"""
    first = None
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientError as error:
            first = first or error
            status = getattr(error, "status", 500)
            if attempt == 2 or status < 500 and status != 429:
                raise first
        await asyncio.sleep(wait)


async def raises_429_at_once(session, url):
    """after status 429 you give up"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or error.status < 500:
                raise
        except aiohttp.ClientError:
            if attempt == 2:
                raise
        await asyncio.sleep(wait)


async def all_of_4xx_again(session, url):
    """after status 404 you ask again"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 2:
                raise
        except aiohttp.ClientError:
            if attempt == 2:
                raise
        await asyncio.sleep(wait)


async def dropped_amid_the_body_not_again(session, url):
    """after a dropped connection you asked only once in all"""
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
        except aiohttp.ClientConnectionError:
            if attempt == 2:
                raise
        await asyncio.sleep(wait)


async def dropped_before_the_answer_not_again(session, url):
    """after a dropped connection you asked only once in all"""
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
        except aiohttp.ClientPayloadError:
            if attempt == 2:
                raise
        await asyncio.sleep(wait)


async def wraps_the_last_error(session, url):
    """after status 503 you raise `ConnectionError`"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientError as error:
            status = getattr(error, "status", 500)
            if status < 500 and status != 429:
                raise
            if attempt == 2:
                raise ConnectionError("three attempts failed") from error
        await asyncio.sleep(wait)


async def error_as_a_value(session, url):
    """after status 404 you return"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except aiohttp.ClientError as error:
            status = getattr(error, "status", 500)
            if attempt == 2 or status < 500 and status != 429:
                return {"error": str(error)}
        await asyncio.sleep(wait)


async def asks_again_after_success(session, url):
    """after an attempt that succeeds you ask again"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                answer = await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or error.status < 500 and error.status != 429:
                raise
        except aiohttp.ClientError:
            if attempt == 2:
                raise
        if attempt == 2:
            return answer
        await asyncio.sleep(wait)


async def cancellation_ends_the_pause(session, url):
    """its cancellation is ignored"""
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
        try:
            await asyncio.sleep(wait)
        except asyncio.CancelledError:
            pass


async def bad_response_never_released(session, url):
    """response was never released"""
    for attempt in range(3):
        wait = 0.02
        try:
            response = await session.get(url)
            if response.status == 429:
                wait = float(response.headers["Retry-After"])
            if response.status >= 400:
                raise aiohttp.ClientResponseError(response.request_info, (), status=response.status)
            return await response.json()
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or error.status < 500 and error.status != 429:
                raise
        except aiohttp.ClientError:
            if attempt == 2:
                raise
        await asyncio.sleep(wait)


async def pause_after_the_last_attempt(session, url):
    """after the last attempt you wait for"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            last = error
        except aiohttp.ClientResponseError as error:
            if error.status < 500 and error.status != 429:
                raise
            last = error
        await asyncio.sleep(wait)
    raise last


async def time_told_kept_for_later_pauses(session, url):
    """after status 500 you ask again 0.3 seconds later, where 0.02 are right"""
    wait = 0.02
    for attempt in range(3):
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            if attempt == 2:
                raise
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or error.status < 500 and error.status != 429:
                raise
        await asyncio.sleep(wait)


async def time_told_by_any_status(session, url):
    """after status 503 you ask again 0.3 seconds later, where 0.02 are right"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                wait = float(response.headers.get("Retry-After", 0.02))
                response.raise_for_status()
                return await response.json()
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            if attempt == 2:
                raise
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or error.status < 500 and error.status != 429:
                raise
        await asyncio.sleep(wait)


async def page_again(session, url):
    """after an answer that is no JSON you ask again"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            if attempt == 2:
                raise
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or 400 <= error.status < 500 and error.status != 429:
                raise
        await asyncio.sleep(wait)


async def falsy_answer_again(session, url):
    """after an attempt that succeeds you ask again"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                answer = await response.json()
                if answer:
                    return answer
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            if attempt == 2:
                raise
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or error.status < 500 and error.status != 429:
                raise
        await asyncio.sleep(wait)
    return answer


async def reset_before_the_answer_not_again(session, url):
    """after a dropped connection you asked only once in all"""
    for attempt in range(3):
        wait = 0.02
        try:
            async with session.get(url) as response:
                if response.status == 429:
                    wait = float(response.headers["Retry-After"])
                response.raise_for_status()
                return await response.json()
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError):
            if attempt == 2:
                raise
        except aiohttp.ClientResponseError as error:
            if attempt == 2 or error.status < 500 and error.status != 429:
                raise
        await asyncio.sleep(wait)


async def waits_outside_of_a_timeout(session, url):
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


async def calls_itself(session, url, left=2):
    try:
        async with session.get(url) as response:
            response.raise_for_status()
            return await response.json()
    except (aiohttp.ClientResponseError, aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
        status = getattr(error, "status", 500)
        if left == 0 or status < 500 and status != 429:
            raise
        wait = float(error.headers["Retry-After"]) if status == 429 else 0.02
    await asyncio.sleep(wait)
    return await calls_itself(session, url, left - 1)


async def keeps_the_error(session, url):
    for attempt in range(3):
        if attempt:
            await asyncio.sleep(wait)
        try:
            response = await session.get(url)
            async with response:
                if response.status < 400:
                    return json.loads(await response.text())
                error = aiohttp.ClientResponseError(response.request_info, response.history, status=response.status)
                if response.status < 500 and response.status != 429:
                    raise error
                wait = float(response.headers["Retry-After"]) if response.status == 429 else 0.02
        except aiohttp.ClientResponseError:
            raise
        except aiohttp.ClientError as dropped:
            error, wait = dropped, 0.02
    raise error


async def pause_inside_the_block(session, url):
    for attempt in range(3):
        try:
            async with session.get(url) as response:
                if attempt < 2 and response.status == 429:
                    await asyncio.sleep(float(response.headers["Retry-After"]))
                    continue
                if attempt < 2 and response.status >= 500:
                    await asyncio.sleep(0.02)
                    continue
                response.raise_for_status()
                return await response.json()
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            if attempt == 2:
                raise
            await asyncio.sleep(0.02)


async def session_for_each_attempt(_, url):
    for attempt in range(3):
        wait = 0.02
        try:
            async with aiohttp.ClientSession(raise_for_status=True) as session, session.get(url) as response:
                return await response.json()
        except aiohttp.ClientError as error:
            status = getattr(error, "status", None)
            if attempt == 2 or (status is not None and status != 429 and status < 500):
                raise
            if status == 429:
                wait = float(error.headers["Retry-After"])
        await asyncio.sleep(wait)
