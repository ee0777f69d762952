"""The exercises of chapter 2, which talk to real servers: each typical wrong answer gets the message that is meant for
it, and other ways to be right are right. What holds for the exercises of all chapters is tested in test_exercises."""

from __future__ import annotations

import asyncio
import inspect
import textwrap
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from asynclab.exercises import Outcome, all_exercises, exercise
from asynclab.exercises.exercise import Exercise
from asynclab.exercises.learner import VARIABLE
from asynclab.services import Services

CHAPTER = [ex for ex in all_exercises() if ex.chapter == 2]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder for the learner's data that is nobody's."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "data"))


@pytest.fixture(scope="module")
def web() -> Iterator[Services]:
    """Servers that run already, as in the chapter's notebook."""
    services = Services()
    asyncio.run(services.start())
    yield services
    asyncio.run(services.stop())


def function(source: str, name: str = "") -> Callable[..., Any]:
    """Return the function that `source` defines (the one called `name`, or the last), as a notebook's cell would."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile("import asyncio, aiohttp, json, time\n" + textwrap.dedent(source), "cell.py", "exec"), namespace)
    found = {key: value for key, value in namespace.items() if inspect.isfunction(value)}
    return found[name or list(found)[-1]]


def check(ex: Exercise, candidate: Any) -> Outcome:
    """Check it on a loop of its own, on which nothing may be left, under a kernel's filter for warnings."""

    async def main() -> Outcome:
        methods = vars(aiohttp.ClientSession).copy(), vars(asyncio.Semaphore).copy()
        outcome = await ex.check(candidate)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert (vars(aiohttp.ClientSession), vars(asyncio.Semaphore)) == methods
        return outcome

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        return asyncio.run(main())


# Answers that learners give: for each exercise, a part of the message and the function.
WRONG: dict[str, list[tuple[str, str]]] = {
    "2.1": [
        (
            "Write `await response.json()`",
            """
            async def get_json(session, url):
                async with session.get(url) as response:
                    return response.json()
            """,
        ),
        (
            "Write `await` before it",
            """
            async def get_json(session, url):
                async with session.get(url) as response:
                    data = response.json()
                    return dict(data.items())
            """,
        ),
        (
            "you return the body as it came",
            """
            async def get_json(session, url):
                async with session.get(url) as response:
                    return await response.text()
            """,
        ),
        (
            "you return the response",
            """
            async def get_json(session, url):
                async with session.get(url) as response:
                    return response
            """,
        ),
        (
            "you return the response",
            """
            async def get_json(session, url):
                return await session.get(url)
            """,
        ),
        (
            "alone is no response yet",
            """
            async def get_json(session, url):
                response = session.get(url)
                return await response.json()
            """,
        ),
        (
            "Write `async with`",
            """
            async def get_json(session, url):
                with session.get(url) as response:
                    return await response.json()
            """,
        ),
        (
            "is a text. It wants a request",
            """
            async def get_json(session, url):
                async with url as response:
                    return await response.json()
            """,
        ),
        (
            "Call it: `session.get(url)`",
            """
            async def get_json(session, url):
                async with session.get as response:
                    return await response.json()
            """,
        ),
        (
            "Call it: `await response.json()`",
            """
            async def get_json(session, url):
                async with session.get(url) as response:
                    return await response.json
            """,
        ),
        (
            "after it was released",
            """
            async def get_json(session, url):
                async with session.get(url) as response:
                    pass
                return await response.json()
            """,
        ),
        (
            "Define it with async def",
            """
            def get_json(session, url):
                return session.get(url)
            """,
        ),
        (
            "a session of your own",
            """
            async def get_json(session, url):
                async with aiohttp.ClientSession().get(url) as response:
                    return await response.json()
            """,
        ),
        (
            "you close the session that you were given",
            """
            async def get_json(session, url):
                async with session, session.get(url) as response:
                    return await response.json()
            """,
        ),
        (
            "asked for `/users/107` twice",
            """
            async def get_json(session, url):
                async with session.get(url) as response:
                    if response.status == 200:
                        async with session.get(url) as response:
                            return await response.json()
            """,
        ),
        (
            "there is still a `...`",
            """
            async def get_json(session, url):
                async with session.get(url) as response:
                    return ...
            """,
        ),
    ],
    "2.2": [
        (
            "you opened 3 sessions",
            """
            async def fetch_rounds(urls, rounds):
                async def fetch(session, url):
                    async with session.get(url) as response:
                        return await response.json()
                results = []
                for _ in range(rounds):
                    async with aiohttp.ClientSession() as session:
                        results.append(await asyncio.gather(*[fetch(session, url) for url in urls]))
                return results
            """,
        ),
        (
            "your session was never closed",
            """
            async def fetch_rounds(urls, rounds):
                session = aiohttp.ClientSession()
                async def fetch(url):
                    async with session.get(url) as response:
                        return await response.json()
                return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]
            """,
        ),
        (
            "you called close() and never awaited it",
            """
            async def fetch_rounds(urls, rounds):
                session = aiohttp.ClientSession()
                async def fetch(url):
                    async with session.get(url) as response:
                        return await response.json()
                results = [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]
                session.close()
                return results
            """,
        ),
        (
            "after its session was closed",
            """
            async def fetch_rounds(urls, rounds):
                async with aiohttp.ClientSession() as session:
                    async def fetch(url):
                        async with session.get(url) as response:
                            return await response.json()
                return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]
            """,
        ),
        (
            "with brackets: `aiohttp.ClientSession()`",
            """
            async def fetch_rounds(urls, rounds):
                async with aiohttp.ClientSession as session:
                    return []
            """,
        ),
        (
            "Write `async with`",
            """
            async def fetch_rounds(urls, rounds):
                with aiohttp.ClientSession() as session:
                    return []
            """,
        ),
        (
            "you ask for one URL after another",
            """
            async def fetch_rounds(urls, rounds):
                results = []
                async with aiohttp.ClientSession() as session:
                    for _ in range(rounds):
                        answers = []
                        for url in urls:
                            async with session.get(url) as response:
                                answers.append(await response.json())
                        results.append(answers)
                return results
            """,
        ),
        (
            "because all rounds run together",
            """
            async def fetch_rounds(urls, rounds):
                async with aiohttp.ClientSession() as session:
                    async def fetch(url):
                        async with session.get(url) as response:
                            return await response.json()
                    async def one_round():
                        return await asyncio.gather(*[fetch(url) for url in urls])
                    return await asyncio.gather(*[one_round() for _ in range(rounds)])
            """,
        ),
        (
            "the server counted 12 connections, where 4 do",
            """
            async def fetch_rounds(urls, rounds):
                async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
                    async def fetch(url):
                        async with session.get(url) as response:
                            return await response.json()
                    return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]
            """,
        ),
        (
            "was asked for `/users/110` once, not 3 times",
            """
            async def fetch_rounds(urls, rounds):
                async with aiohttp.ClientSession() as session:
                    async def fetch(url):
                        async with session.get(url) as response:
                            return await response.json()
                    answers = await asyncio.gather(*[fetch(url) for url in urls])
                return [answers] * rounds
            """,
        ),
        (
            "not in the order of the input",
            """
            async def fetch_rounds(urls, rounds):
                async with aiohttp.ClientSession() as session:
                    async def fetch(url):
                        async with session.get(url) as response:
                            return await response.json()
                    results = []
                    for _ in range(rounds):
                        results.append([await each for each in asyncio.as_completed([fetch(url) for url in urls])])
                return results
            """,
        ),
        (
            "Return a list for each round",
            """
            async def fetch_rounds(urls, rounds):
                async with aiohttp.ClientSession() as session:
                    async def fetch(url):
                        async with session.get(url) as response:
                            return await response.json()
                    for _ in range(rounds):
                        results = await asyncio.gather(*[fetch(url) for url in urls])
                return results
            """,
        ),
    ],
    "2.3": [
        (
            "you make 12 semaphores",
            """
            async def fetch_five(session, urls):
                async def fetch(url):
                    async with asyncio.Semaphore(5), session.get(url) as response:
                        return await response.json()
                return await asyncio.gather(*[fetch(url) for url in urls])
            """,
        ),
        (
            "taken around all of them",
            """
            async def fetch_five(session, urls):
                places = asyncio.Semaphore(5)
                async def fetch(url):
                    async with session.get(url) as response:
                        return await response.json()
                async with places:
                    return await asyncio.gather(*[fetch(url) for url in urls])
            """,
        ),
        (
            "nobody takes a place in your semaphore",
            """
            async def fetch_five(session, urls):
                places = asyncio.Semaphore(5)
                async def fetch(url):
                    async with session.get(url) as response:
                        return await response.json()
                return await asyncio.gather(*[fetch(url) for url in urls])
            """,
        ),
        (
            "Give your semaphore 5 places",
            """
            async def fetch_five(session, urls):
                places = asyncio.BoundedSemaphore(6)
                async def fetch(url):
                    async with places, session.get(url) as response:
                        return await response.json()
                return await asyncio.gather(*[fetch(url) for url in urls])
            """,
        ),
        (
            "hold one until the body has been read",
            """
            async def fetch_five(session, urls):
                places = asyncio.Semaphore(5)
                async def fetch(url):
                    async with places:
                        pass
                    async with session.get(url) as response:
                        return await response.json()
                return await asyncio.gather(*[fetch(url) for url in urls])
            """,
        ),
        (
            "12 of your requests at once, where 5 are allowed",
            """
            async def fetch_five(session, urls):
                async def fetch(url):
                    response = await session.get(url)
                    return await response.json()
                return await asyncio.gather(*[fetch(url) for url in urls])
            """,
        ),
        (
            "never had two of your requests at once",
            """
            async def fetch_five(session, urls):
                places = asyncio.Semaphore(5)
                results = []
                for url in urls:
                    async with places, session.get(url) as response:
                        results.append(await response.json())
                return results
            """,
        ),
        (
            "your semaphore lets only one through",
            """
            async def fetch_five(session, urls):
                places = asyncio.Semaphore()
                async def fetch(url):
                    async with places, session.get(url) as response:
                        return await response.json()
                return await asyncio.gather(*[fetch(url) for url in urls])
            """,
        ),
        (
            "your own session lets only one through",
            """
            async def fetch_five(_, urls):
                async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
                    async def fetch(url):
                        async with session.get(url) as response:
                            return await response.json()
                    return await asyncio.gather(*[fetch(url) for url in urls])
            """,
        ),
        (
            "Write `async with`, not `with`",
            """
            async def fetch_five(session, urls):
                places = asyncio.Semaphore(5)
                async def fetch(url):
                    with places:
                        async with session.get(url) as response:
                            return await response.json()
                return await asyncio.gather(*[fetch(url) for url in urls])
            """,
        ),
        (
            "was never asked for `/users/125`",
            """
            async def fetch_five(session, urls):
                async def fetch(url):
                    async with session.get(url) as response:
                        return await response.json()
                return await asyncio.gather(*[fetch(url) for url in urls[:5]])
            """,
        ),
        (
            "not in the order of the input",
            """
            async def fetch_five(session, urls):
                places, results = asyncio.Semaphore(5), []
                async def fetch(url):
                    async with places, session.get(url) as response:
                        results.append(await response.json())
                await asyncio.gather(*[fetch(url) for url in urls])
                return results
            """,
        ),
        (
            "you close the session that you were given",
            """
            async def fetch_five(session, urls):
                places = asyncio.Semaphore(5)
                async def fetch(url):
                    async with places, session.get(url) as response:
                        return await response.json()
                async with session:
                    return await asyncio.gather(*[fetch(url) for url in urls])
            """,
        ),
    ],
    "2.4": [
        (
            "an answer with status 503 came back as `{'status': 503}`, as if all were well",
            """
            async def fetch_or_explain(session, url, timeout):
                limit = aiohttp.ClientTimeout(total=timeout)
                try:
                    async with session.get(url, timeout=limit) as response:
                        return await response.json()
                except TimeoutError:
                    return {"error": "Request timeout"}
                except Exception as error:
                    return {"error": str(error)}
            """,
        ),
        (
            "A bare `except`",
            """
            async def fetch_or_explain(session, url, timeout):
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
            """,
        ),
        (
            "like `except BaseException`",
            """
            async def fetch_or_explain(session, url, timeout):
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
            """,
        ),
        (
            "whoever cancelled it is not obeyed",
            """
            async def fetch_or_explain(session, url, timeout):
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
            """,
        ),
        (
            "`JSONDecodeError` got out",
            """
            async def fetch_or_explain(session, url, timeout):
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
            """,
        ),
        (
            "`ServerDisconnectedError` got out: the connection was dropped",
            """
            async def fetch_or_explain(session, url, timeout):
                limit = aiohttp.ClientTimeout(total=timeout)
                try:
                    async with session.get(url, timeout=limit) as response:
                        response.raise_for_status()
                        return await response.json()
                except aiohttp.ClientResponseError as error:
                    return {"error": f"HTTP {error.status}"}
                except TimeoutError:
                    return {"error": "Request timeout"}
            """,
        ),
        (
            "the error for status 503 got out",
            """
            async def fetch_or_explain(session, url, timeout):
                limit = aiohttp.ClientTimeout(total=timeout)
                try:
                    async with session.get(url, timeout=limit) as response:
                        response.raise_for_status()
                        return await response.json()
                except TimeoutError:
                    return {"error": "Request timeout"}
            """,
        ),
        (
            "`TimeoutError` got out",
            """
            async def fetch_or_explain(session, url, timeout):
                limit = aiohttp.ClientTimeout(total=timeout)
                try:
                    async with session.get(url, timeout=limit) as response:
                        if response.status >= 400:
                            return {"error": f"HTTP {response.status}"}
                        return await response.json()
                except (aiohttp.ClientError, ValueError) as error:
                    return {"error": str(error)}
            """,
        ),
        (
            "no answer in time came back as",
            """
            async def fetch_or_explain(session, url, timeout):
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
            """,
        ),
        (
            "a dropped connection came back as `{'error': 'Request timeout'}`, which it was not",
            """
            async def fetch_or_explain(session, url, timeout):
                limit = aiohttp.ClientTimeout(total=timeout)
                try:
                    async with session.get(url, timeout=limit) as response:
                        if response.status >= 400:
                            return {"error": f"HTTP {response.status}"}
                        return await response.json()
                except Exception:
                    return {"error": "Request timeout"}
            """,
        ),
        (
            "Give the server all the time that `timeout` allows",
            """
            async def fetch_or_explain(session, url, timeout):
                try:
                    async with asyncio.timeout(0.05), session.get(url) as response:
                        if response.status >= 400:
                            return {"error": f"HTTP {response.status}"}
                        return await response.json()
                except TimeoutError:
                    return {"error": "Request timeout"}
                except Exception as error:
                    return {"error": repr(error)}
            """,
        ),
        (
            "an answer with status 503 came back as `None`",
            """
            async def fetch_or_explain(session, url, timeout):
                limit = aiohttp.ClientTimeout(total=timeout)
                try:
                    async with session.get(url, timeout=limit) as response:
                        if response.status == 200:
                            return await response.json()
                except (aiohttp.ClientError, ValueError, TimeoutError) as error:
                    return {"error": str(error)}
            """,
        ),
        (
            "not as `{'error': 'HTTP 404'}`",
            """
            async def fetch_or_explain(session, url, timeout):
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
            """,
        ),
    ],
    "2.5": [
        (
            "after status 404, the server had been asked 3 times. Asking again does not help",
            """
            async def fetch_with_retry(session, url):
                for attempt in range(3):
                    try:
                        async with session.get(url) as response:
                            response.raise_for_status()
                            return await response.json()
                    except aiohttp.ClientError:
                        if attempt == 2:
                            raise
                    await asyncio.sleep(0.02)
            """,
        ),
        (
            "and the third attempt you return `{'error':",
            """
            async def fetch_with_retry(session, url):
                for attempt in range(3):
                    async with session.get(url) as response:
                        if response.status == 404:
                            response.raise_for_status()
                        if response.status < 500 or attempt == 2:
                            return await response.json()
                    await asyncio.sleep(0.02)
            """,
        ),
        (
            "after two answers 503, the server had been asked twice, not 3 times",
            """
            async def fetch_with_retry(session, url):
                for attempt in range(2):
                    try:
                        async with session.get(url) as response:
                            response.raise_for_status()
                            return await response.json()
                    except aiohttp.ClientResponseError as error:
                        if attempt == 1 or error.status < 500 and error.status != 429:
                            raise
                    await asyncio.sleep(0.02)
            """,
        ),
        (
            "after status 503, the server had been asked 4 times, not 3 times",
            """
            async def fetch_with_retry(session, url):
                for attempt in range(4):
                    try:
                        async with session.get(url) as response:
                            response.raise_for_status()
                            return await response.json()
                    except aiohttp.ClientResponseError as error:
                        if attempt == 3 or error.status < 500 and error.status != 429:
                            raise
                    await asyncio.sleep(0.02)
            """,
        ),
        (
            "after status 503 and the third attempt you return `None`",
            """
            async def fetch_with_retry(session, url):
                for attempt in range(3):
                    try:
                        async with session.get(url) as response:
                            response.raise_for_status()
                            return await response.json()
                    except aiohttp.ClientResponseError as error:
                        if error.status < 500 and error.status != 429:
                            raise
                    await asyncio.sleep(0.02)
            """,
        ),
        (
            "after status 503 you raise `RuntimeError`",
            """
            async def fetch_with_retry(session, url):
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
            """,
        ),
        (
            "after a dropped connection, the server had been asked once, not 3 times",
            """
            async def fetch_with_retry(session, url):
                for attempt in range(3):
                    try:
                        async with session.get(url) as response:
                            response.raise_for_status()
                            return await response.json()
                    except aiohttp.ClientResponseError as error:
                        if attempt == 2 or error.status < 500 and error.status != 429:
                            raise
                    await asyncio.sleep(0.02)
            """,
        ),
        (
            "you asked again before that",
            """
            async def fetch_with_retry(session, url):
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
            """,
        ),
        (
            "after status 429 you give up",
            """
            async def fetch_with_retry(session, url):
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
            """,
        ),
        (
            "Use `float` for it",
            """
            async def fetch_with_retry(session, url):
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
            """,
        ),
        (
            "Make a number of it first",
            """
            async def fetch_with_retry(session, url):
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
            """,
        ),
        (
            "only a 429 has the header",
            """
            async def fetch_with_retry(session, url):
                async with session.get(url) as response:
                    wait = float(response.headers["Retry-After"])
                    return await response.json()
            """,
        ),
        (
            "time.sleep(0.02) held the event loop",
            """
            async def fetch_with_retry(session, url):
                for attempt in range(3):
                    try:
                        async with session.get(url) as response:
                            response.raise_for_status()
                            return await response.json()
                    except aiohttp.ClientError as error:
                        if attempt == 2 or getattr(error, "status", 500) < 500:
                            raise
                    time.sleep(0.02)
            """,
        ),
        (
            "catches cancellation, too",
            """
            async def fetch_with_retry(session, url):
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
            """,
        ),
        (
            "was cancelled, and ran on",
            """
            async def fetch_with_retry(session, url):
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
            """,
        ),
        (
            "NameError",
            """
            async def fetch_with_retry(session, url):
                async with session.get(url) as response:
                    return await answer.json()
            """,
        ),
    ],
}

# Other ways to be right: who judges behaviour does not ask how.
RIGHT: dict[str, list[str]] = {
    "2.1": [
        """
        async def get_json(session, url):
            async with await session.get(url) as response:
                return await response.json()
        """,
        """
        async def get_json(session, url):
            async with session.request("GET", url) as response:
                return json.loads(await response.text())
        """,
        """
        async def get_json(session, url):
            response = await session.get(url)
            try:
                return await response.json()
            finally:
                response.release()
        """,
    ],
    "2.2": [
        """
        async def fetch_rounds(urls, rounds):
            async with aiohttp.ClientSession() as session:
                async def fetch(url):
                    async with session.get(url) as response:
                        return await response.json()
                return [await asyncio.gather(*[fetch(url) for url in urls]) for _ in range(rounds)]
        """,
        """
        async def fetch_rounds(urls, rounds):
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
        """,
    ],
    "2.3": [
        """
        async def fetch_five(session, urls):
            results = []
            async def fetch(url):
                async with session.get(url) as response:
                    return await response.json()
            for i in range(0, len(urls), 5):
                results += await asyncio.gather(*[fetch(url) for url in urls[i : i + 5]])
            return results
        """,
        """
        async def fetch_five(session, urls):
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
        """,
        """
        async def fetch_five(_, urls):
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=5)) as session:
                async def fetch(url):
                    async with session.get(url) as response:
                        return await response.json()
                return await asyncio.gather(*[fetch(url) for url in urls])
        """,
        """
        places = asyncio.BoundedSemaphore(5)
        async def fetch_five(session, urls):
            async def fetch(url):
                await places.acquire()
                try:
                    async with session.get(url) as response:
                        return await response.json()
                finally:
                    places.release()
            return await asyncio.gather(*[fetch(url) for url in urls])
        """,
    ],
    "2.4": [
        """
        async def fetch_or_explain(session, url, timeout):
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
        """,
        """
        async def fetch_or_explain(session, url, timeout):
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
        """,
    ],
    "2.5": [
        """
        async def fetch_with_retry(session, url):
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
        """,
    ],
}

wrong_answers = [
    pytest.param(exercise(id), fragment, source, id=f"{id}-{n}")
    for id, cases in WRONG.items()
    for n, (fragment, source) in enumerate(cases, start=1)
]
right_answers = [
    pytest.param(exercise(id), source, id=f"{id}-{n}") for id, cases in RIGHT.items() for n, source in enumerate(cases)
]


@pytest.mark.parametrize(("ex", "fragment", "source"), wrong_answers)
def test_a_typical_wrong_answer_gets_its_message(web: Services, ex: Exercise, fragment: str, source: str) -> None:
    outcome = check(ex, function(source, ex.name))
    assert outcome.status == "not yet" and not outcome
    assert outcome.message.startswith("Not yet: ") and "\n" not in outcome.message
    assert fragment in outcome.message


def test_every_exercise_has_three_wrong_answers_or_more() -> None:
    assert {ex.id for ex in CHAPTER} == set(WRONG) == set(RIGHT)
    assert all(len(cases) >= 3 for cases in WRONG.values())


@pytest.mark.parametrize(("ex", "source"), right_answers)
def test_another_right_answer_is_correct(web: Services, ex: Exercise, source: str) -> None:
    outcome = check(ex, function(source, ex.name))
    assert outcome.status == "correct", outcome


# --- the servers of a check -----------------------------------------------------------------------------------------


def test_a_check_starts_servers_where_none_run_and_leaves_none() -> None:
    others = Services.running()
    for each in others:  # those of this module's fixture, if it comes first: they must not be in the way
        asyncio.run(each.stop())
    ex = exercise("2.1")
    for candidate, status in ((ex.solution_function, "correct"), (function(WRONG["2.1"][0][1]), "not yet")):
        assert check(ex, candidate).status == status
        assert Services.running() == []
    for each in others:
        asyncio.run(each.start())


def test_a_check_uses_the_servers_that_run_and_leaves_them(web: Services) -> None:
    pid = web.pid
    assert check(exercise("2.3"), exercise("2.3").solution_function)
    assert web in Services.running() and web.pid == pid


def test_a_check_leaves_no_connection_open(web: Services) -> None:
    """Not even those of a learner who never closes a session, nor reads an answer."""
    source = """
        async def get_json(session, url):
            mine = aiohttp.ClientSession()
            await mine.get(url.replace("client=", "client=left&was="))
    """

    async def main() -> int:
        assert (await exercise("2.1").check(function(source))).status == "not yet"
        for _ in range(50):
            if not (count := (await web.stats("left"))["open_connections"]):
                break
            await asyncio.sleep(0.02)
        return count

    assert asyncio.run(main()) == 0


def test_servers_whose_process_has_ended_are_not_used() -> None:
    async def main() -> Outcome:
        dead = await Services().start()
        try:
            dead._child.kill()
            others = [each for each in Services.running() if each is not dead]
            for each in others:
                await each.stop()
            outcome = await exercise("2.1").check(exercise("2.1").solution_function)
            for each in others:
                await each.start()
            return outcome
        finally:
            await dead.stop()

    assert asyncio.run(main()).status == "correct"


def test_servers_that_cannot_start_are_said_to_be_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    from asynclab.services import ServicesError

    async def start(self: Services) -> Services:
        raise ServicesError("the servers did not start: port is taken by App.\nRun the cell again.")

    monkeypatch.setattr(Services, "start", start)
    monkeypatch.setattr(Services, "running", classmethod(lambda cls: []))
    outcome = check(exercise("2.1"), exercise("2.1").solution_function)
    assert outcome.status == "not yet"
    assert outcome.message == (
        "Not yet: a check cannot run here. The servers did not start: port is taken by App. Run the cell again."
    )
