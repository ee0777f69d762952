"""Answers to exercise 2.2. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import contextlib
import json
import urllib.request

import aiohttp


async def session_for_each_round(urls, rounds):
    """you open 3 sessions"""

    async def fetch(session, url):
        async with session.get(url) as response:
            return await response.json()

    results = []
    for _ in range(rounds):
        async with aiohttp.ClientSession() as session:
            results.append(await asyncio.gather(*[fetch(session, url) for url in urls]))
    return results


async def never_closed(urls, rounds):
    """a session stays open. Open it with `async with`"""
    session = aiohttp.ClientSession()

    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()

    return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]


async def close_not_awaited(urls, rounds):
    """you called close() and never awaited it"""
    session = aiohttp.ClientSession()

    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()

    results = [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]
    session.close()
    return results


async def asks_after_the_block(urls, rounds):
    """after its session was closed"""
    async with aiohttp.ClientSession() as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

    return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]


async def session_not_called(urls, rounds):
    """with brackets: `aiohttp.ClientSession()`"""
    async with aiohttp.ClientSession as session:
        return []


async def plain_with(urls, rounds):
    """Write `async with`"""
    with aiohttp.ClientSession() as session:
        return []


async def one_after_another(urls, rounds):
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


async def all_rounds_together(urls, rounds):
    """12 requests were under way at once, because rounds run together"""
    async with aiohttp.ClientSession() as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        async def one_round():
            return await asyncio.gather(*[fetch(url) for url in urls])

        return await asyncio.gather(*[one_round() for _ in range(rounds)])


async def keeps_no_connection(urls, rounds):
    """the server counted 12 connections, where 4 are enough"""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]


async def asks_in_one_round_only(urls, rounds):
    """was asked for `/users/150` once, not 3 times"""
    async with aiohttp.ClientSession() as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        answers = await asyncio.gather(*[fetch(url) for url in urls])
    return [answers] * rounds


async def in_the_order_of_completion(urls, rounds):
    """not in the order of the input"""
    async with aiohttp.ClientSession() as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        results = []
        for _ in range(rounds):
            results.append([await each for each in asyncio.as_completed([fetch(url) for url in urls])])
    return results


async def returns_the_last_round(urls, rounds):
    """Return a list for each round"""
    async with aiohttp.ClientSession() as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        for _ in range(rounds):
            results = await asyncio.gather(*[fetch(url) for url in urls])
    return results


async def session_for_each_request(urls, rounds):
    """you open 12 sessions"""

    async def fetch(url):
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return await response.json()

    return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]


async def not_closed_if_a_request_fails(urls, rounds):
    """when your function failed, its session stayed open"""
    session = aiohttp.ClientSession()

    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()

    results = [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]
    await session.close()
    return results


async def one_connection(urls, rounds):
    """3 of 4 requests had to wait for a connection"""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]


async def two_at_a_time(urls, rounds):
    """at most 2 of 4 requests were under way at once"""
    places = asyncio.Semaphore(2)
    async with aiohttp.ClientSession() as session:

        async def fetch(url):
            async with places, session.get(url) as response:
                return await response.json()

        return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]


async def each_url_in_its_own_rounds(urls, rounds):
    """because rounds run together"""
    async with aiohttp.ClientSession() as session:

        async def fetch(url):
            answers = []
            for _ in range(rounds):
                async with session.get(url) as response:
                    answers.append(await response.json())
            return answers

        columns = await asyncio.gather(*[fetch(url) for url in urls])
    return [list(row) for row in zip(*columns)]


async def by_url_in_a_dict(urls, rounds):
    """is missing"""
    async with aiohttp.ClientSession() as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        results = []
        for _ in range(rounds):
            answers = dict(zip(urls, await asyncio.gather(*[fetch(url) for url in urls])))
            results.append(list({url.partition("?")[0]: answer for url, answer in answers.items()}.values()))
        return results


async def all_in_one_list(urls, rounds):
    """Return a list for each round, with an answer for each URL"""
    results = []
    async with aiohttp.ClientSession() as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        for _ in range(rounds):
            results += await asyncio.gather(*[fetch(url) for url in urls])
    return results


async def one_round_too_many(urls, rounds):
    """4 times. 3 times is right"""
    async with aiohttp.ClientSession() as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds + 1)]


async def requests_outlive_a_cancellation(urls, rounds):
    """an error was lost"""
    async with aiohttp.ClientSession() as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        results = []
        for _ in range(rounds):
            tasks = [asyncio.create_task(fetch(url)) for url in urls]
            await asyncio.wait(tasks)
            results.append([task.result() for task in tasks])
    return results


async def raises_for_a_bad_status(urls, rounds):
    """the error for status 404 got out"""
    async with aiohttp.ClientSession(raise_for_status=True) as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]


async def errors_as_results(urls, rounds):
    """Let the error get out, as it did before"""
    async with aiohttp.ClientSession() as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        return [await asyncio.gather(*map(fetch, urls), return_exceptions=True) for _ in range(rounds)]


async def closed_unless_cancelled(urls, rounds):
    """when your function was cancelled, its session stayed open"""
    session = aiohttp.ClientSession()

    async def fetch(url):
        async with session.get(url) as response:
            return await response.json()

    try:
        results = [await asyncio.gather(*map(fetch, urls)) for _ in range(rounds)]
    except Exception:
        await session.close()
        raise
    await session.close()
    return results


async def rounds_not_awaited(urls, rounds):
    """returned a future, not its result"""
    async with aiohttp.ClientSession() as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        return [asyncio.gather(*map(fetch, urls)) for _ in range(rounds)]


async def urlopen_in_threads(urls, rounds):
    """you open no session"""

    def read(url):
        with urllib.request.urlopen(url) as response:
            return json.load(response)

    return [await asyncio.gather(*[asyncio.to_thread(read, url) for url in urls]) for _ in range(rounds)]


async def inner_function_sees_the_session(urls, rounds):
    async with aiohttp.ClientSession() as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]


async def task_groups_and_finally(urls, rounds):
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


async def unlimited_connector(urls, rounds):
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as session:

        async def fetch(url):
            async with session.get(url) as response:
                return await response.json()

        results = []
        for _ in range(rounds):
            results.append(await asyncio.gather(*(fetch(url) for url in urls)))
        return results


async def futures_kept_in_order(urls, rounds):
    async with aiohttp.ClientSession() as session:

        async def fetch(i, url, answers):
            async with session.get(url) as response:
                answers[i] = json.loads(await response.text())

        results = []
        for _ in range(rounds):
            results.append([None] * len(urls))
            async with asyncio.TaskGroup() as group:
                for i, url in enumerate(urls):
                    group.create_task(fetch(i, url, results[-1]))
    return results


async def exit_stack(urls, rounds):
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def fetch(url):
            response = await session.get(url)
            async with response:
                return await response.json()

        return tuple([await asyncio.gather(*map(fetch, urls)) for _ in range(rounds)])
